"""Score several networks, with one or more initial weights each, and keep what is finished."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from darts.errors import UserError
from darts.files import atomic_write, read_json_file
from darts.models.registry import describe_model
from darts.proxies.candidates import ScoreCandidate, create_candidate, list_candidates
from darts.proxies.images import ScoreImages
from darts.proxies.options import ScoreOptions
from darts.proxies.score import UNDEFINED, score_network
from darts.statistics.estimates import estimate

_FORMAT = 1


@dataclass(frozen=True)
class ScoredNetwork:
    """The scores of one network.

    Attributes:
        name: Name of the model.
        arch: The string of a cell of NAS-Bench-201, else None.
        model: The model as `darts.models.registry.describe_model` writes it.
        resolution: Side of the images in pixels.
        params: Number of parameters.
        macs: Multiply-adds for one image.
        values: For each score its value for each of the initial weights.
    """

    name: str
    arch: str | None
    model: Mapping[str, Any]
    resolution: int
    params: int
    macs: int
    values: Mapping[str, tuple[float, ...]]

    def mean(self, name: str) -> float:
        """The mean of a score over the initial weights; `UNDEFINED` if one of them has none.

        >>> one = ScoredNetwork("x", None, {}, 8, 1, 1, {"snip": (1.0, 3.0)})
        >>> one.mean("snip"), one.mean("params")
        (2.0, 1.0)
        """
        if name in ("params", "macs"):
            return float(self.params if name == "params" else self.macs)
        values = self.values[name]
        return UNDEFINED if UNDEFINED in values else estimate(values).mean

    def deviation(self, name: str) -> float | None:
        """The standard deviation (divisor n - 1); None for one value or if a value is undefined."""
        values = self.values[name]
        return None if UNDEFINED in values else estimate(values).deviation

    def as_dict(self) -> dict[str, Any]:
        """Plain values; an undefined score is the number `UNDEFINED`."""
        return {
            "name": self.name,
            "arch": self.arch,
            "model": dict(self.model),
            "resolution": self.resolution,
            "params": self.params,
            "macs": self.macs,
            "scores": {
                name: {
                    "mean": self.mean(name),
                    "deviation": self.deviation(name),
                    "values": list(values),
                }
                for name, values in self.values.items()
            },
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ScoredNetwork:
        """The inverse of `as_dict`."""
        own = {key: values[key] for key in ("name", "arch", "model", "resolution", "params")}
        scores = {name: tuple(one["values"]) for name, one in values["scores"].items()}
        return cls(**own, macs=values["macs"], values=scores)


def score_networks(
    options: ScoreOptions,
    *,
    out: Path | None = None,
    on_network: Callable[[int, int, ScoredNetwork], None] | None = None,
) -> list[ScoredNetwork]:
    """Score all networks of the options.

    >>> scored = score_networks(
    ...     ScoreOptions(models=("nb201-6111",), scores=("synflow",), channels=4, layers=3, seeds=2)
    ... )
    >>> len(scored[0].values["synflow"])
    2

    Args:
        options: The networks, scores and images.
        out: A JSON file that is written after each network. If it exists, its networks are not
            scored again.
        on_network: Called after each network with its number from 1, their number, and its scores.

    Raises:
        UserError: An option, a model, the data or the file is wrong.
        GenotypeError: A genotype is wrong.
    """
    options.check()
    candidates = list_candidates(options)
    kept = _read(out, options) if out is not None else []
    images, scored = ScoreImages.open(options), []
    for number, candidate in enumerate(candidates, 1):
        description = _plain(describe_model(candidate.model))
        found = next((one for one in kept if one.model == description), None)
        if found is None:
            found = _score(candidate, options, images, description)
            kept.append(found)
            if out is not None:
                write_scores(out, options, kept)
        scored.append(replace(found, name=candidate.name))
        if on_network is not None:
            on_network(number, len(candidates), scored[-1])
    return scored


def write_scores(
    path: Path,
    options: ScoreOptions,
    networks: Sequence[ScoredNetwork],
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write scores as JSON, whole or not at all."""
    with atomic_write(path) as stream:
        stream.write(json.dumps(scores_as_dict(options, networks, more), indent=1) + "\n")


def scores_as_dict(
    options: ScoreOptions,
    networks: Sequence[ScoredNetwork],
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Settings and scores as plain values, with further entries."""
    listed = [one.as_dict() for one in networks]
    return {"format": _FORMAT, "settings": options.as_dict(), "networks": listed, **(more or {})}


def _read(path: Path, options: ScoreOptions) -> list[ScoredNetwork]:
    """The networks of a file of earlier scores with the same settings."""
    if not path.exists():
        return []
    try:
        content = read_json_file(path)
        settings, networks = content["settings"], content["networks"]
        listed = [ScoredNetwork.from_dict(one) for one in networks]
        known = content["format"] == _FORMAT
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        known = False
    if not known:
        raise UserError(f"{path} exists and holds no scores of this toolkit; name another file.")
    now = options.as_dict()
    if differing := [name for name in now if settings.get(name) != now[name]]:
        raise UserError(
            f"{path} holds scores with another {' and '.join(differing)}: name another file, or "
            "give the settings with which it was made."
        )
    return listed


def _score(
    candidate: ScoreCandidate,
    options: ScoreOptions,
    images: ScoreImages,
    description: Mapping[str, Any],
) -> ScoredNetwork:
    classes, size = options.classes, None
    if images.dataset is not None:
        classes, size = images.dataset.num_classes, images.dataset.image_size
    results = []
    for seed in range(options.seed, options.seed + options.seeds):
        network = create_candidate(candidate, options, seed, classes=classes, image_size=size)
        resolution = size or options.resolution or network.resolution
        batch = images.batch(resolution, int(network.description["num_classes"]))
        results.append(score_network(network, batch, options.scores, seed=seed))
    return ScoredNetwork(
        name=candidate.name,
        arch=candidate.arch,
        model=description,
        resolution=resolution,
        params=results[0].params,
        macs=results[0].macs,
        values={name: tuple(one.values[name] for one in results) for name in results[0].values},
    )


def _plain(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same values as they are read from JSON."""
    plain: Mapping[str, Any] = json.loads(json.dumps(values))
    return plain
