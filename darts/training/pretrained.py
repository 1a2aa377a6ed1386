"""Trained weights for a network with other classes, or for a backbone.

They come from a run of this toolkit, or from a file of weights that timm, torchvision or the
authors of DARTS and PC-DARTS have trained (`darts.models.weights`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from darts.data.dataset import Dataset
from darts.errors import UserError
from darts.models.features import FeatureMaps
from darts.models.registry import Model
from darts.models.staged_config import StagedConfig
from darts.models.weights.foreign import ForeignWeights, differing, is_head, read_foreign
from darts.run_files import RunFiles
from darts.runs.checkpoints import is_checkpoint, load_checkpoint_file
from darts.training.data_card import checked_card


@dataclass(frozen=True)
class Origin:
    """Where the weights of a network come from.

    Attributes:
        file: The file or run as the user gave it.
        sha256: SHA-256 of the file, in hexadecimal.
        of: What it holds, such as "timm's RegNet".
        left: Tensors of the network that were not loaded.
        unused: Tensors of the file that were not used.
    """

    file: str
    sha256: str
    of: str
    left: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a run's result and its checkpoint."""
        values = asdict(self)
        return {**values, "left": list(self.left), "unused": list(self.unused)}

    def sentence(self) -> str:
        """What was loaded, for people."""
        text = (
            f"weights of {self.file} ({self.of}, SHA-256 {self.sha256[:12]}…) loaded, but for "
            f"{', '.join(self.left) or 'none'}"
        )
        return f"{text}; not used of the file: {', '.join(self.unused)}" if self.unused else text


def load_pretrained(
    network: nn.Module,
    checkpoint: Path | str,
    classes: Sequence[str] | None = None,
    name: str | None = None,
) -> tuple[str, ...]:
    """Load trained weights into `network`, except those of the classifiers for other classes.

    The classifiers of a run are loaded too if `classes` are those of the run, by name and order;
    that of another program's file if it has as many classes. If only one of the two networks has an
    auxiliary head, the head is ignored.

    Args:
        network: A network of the same model, size and stem; or its `FeatureMaps`.
        checkpoint: A checkpoint of a retraining, its run directory, or a file of weights that
            another program has trained; see `darts.models.weights`.
        classes: Names of the classes of `network`.
        name: Name of the network in timm, where a file does not tell; see `read_foreign`.

    Returns:
        Names of the parameters and buffers of `network` that were not loaded.

    Raises:
        UserError: The file is missing, damaged or from a search, or the networks differ in more
            than their classifiers.
    """
    return load_weights(network, checkpoint, classes, name).left


def load_weights(
    network: nn.Module, checkpoint: Path | str, classes: Sequence[str] | None, name: str | None
) -> Origin:
    """`load_pretrained`, with all that is to be told about it.

    Raises:
        UserError: See `load_pretrained`.
    """
    if is_run(checkpoint):
        origin = described_origin(checkpoint)
        return replace(origin, left=_load_run(network, checkpoint, classes))
    return _load_foreign(network, read_foreign(checkpoint, name), str(checkpoint))


def is_run(path: Path | str) -> bool:
    """Whether a path is a run or a checkpoint of this toolkit, rather than another file."""
    return Path(path).is_dir() or is_checkpoint(path)


def described_origin(checkpoint: Path | str, name: str | None = None) -> Origin:
    """What a run or file holds, before it is loaded.

    Raises:
        UserError: It is missing or damaged, or its network is none of this toolkit.
    """
    if not is_run(checkpoint):
        foreign = read_foreign(checkpoint, name)
        return Origin(str(checkpoint), foreign.file.sha256, foreign.title)
    path = Path(checkpoint)
    path = RunFiles(path).checkpoint if path.is_dir() else path
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "unknown"
    return Origin(str(checkpoint), digest, "a run of this toolkit")


def pretrained_model(path: Path | str, name: str | None = None) -> Model:
    """The network that a file of timm or torchvision belongs to, for `create_network`.

        network = create_network(pretrained_model("regnety_004.pth"), num_classes=5)
        load_pretrained(network, "regnety_004.pth")

    Raises:
        UserError: The file is damaged, or its network is none of this toolkit.
    """
    return read_foreign(path, name).config()


def with_normalisation(
    dataset: Dataset, pretrained: str | None, resume: str | None, name: str | None
) -> Dataset:
    """The data set with the channel statistics that another program's weights expect.

    Those of a run's own weights stay those of the data, as in its training. A continued run reads
    them from its checkpoint, because the file of weights may be gone.
    """
    if pretrained is None:
        return dataset
    if resume is not None:
        card = trained_state(resume)["data"]
        return replace(dataset, mean=tuple(card["mean"]), std=tuple(card["std"]))
    found = None if is_run(pretrained) else read_foreign(pretrained, name).normalisation
    if found is None:
        return dataset
    mean, std = found
    return replace(dataset, mean=mean, std=std, measured=False)


def trained_state(checkpoint: Path | str) -> dict[str, Any]:
    """The network in a retraining's checkpoint: `description`, `network` (its state) and `data`.

    Raises:
        UserError: The file is missing, damaged or from another kind of run.
    """
    state = load_checkpoint_file(checkpoint, ("task",))["task"]
    if not isinstance(state, dict) or "description" not in state:
        raise UserError(
            f"{checkpoint} is a search run; it has no trained network. Run evaluate.py --genotype "
            "RUN/genotype.yaml first."
        )
    if not all(isinstance(state.get(name), dict) for name in ("description", "network")):
        raise UserError(f"{checkpoint} is damaged: it holds no network.")
    checked_card(state.get("data"), checkpoint)
    return state


def _load_run(
    network: nn.Module, checkpoint: Path | str, classes: Sequence[str] | None
) -> tuple[str, ...]:
    state = trained_state(checkpoint)
    given: Mapping[str, Tensor] = state["network"]
    if classes is None or tuple(classes) != tuple(state["data"]["classes"]):
        given = {name: value for name, value in given.items() if not _of_classifier(name)}
    target: Any = network.network if isinstance(network, FeatureMaps) else network
    wanted: Mapping[str, Tensor] = target.state_dict()
    _check_same(given, wanted, isinstance(network, FeatureMaps), checkpoint)
    target.load_state_dict(
        {name: value for name, value in given.items() if name in wanted}, strict=False
    )
    return tuple(name for name in wanted if name not in given)


def _load_foreign(network: nn.Module, foreign: ForeignWeights, file: str) -> Origin:
    maps = isinstance(network, FeatureMaps)
    target: Any = network.network if isinstance(network, FeatureMaps) else network
    if isinstance(config := getattr(target, "config", None), StagedConfig) and not maps:
        _check_settings(config, foreign.adapted(config), foreign)
    given, wanted = foreign.state_for(target), target.state_dict()
    head = {name for name in given if maps and name.startswith("head.")}
    body = {name: value for name, value in given.items() if name not in head}
    if differences := differing(body, wanted):
        more = f", and {len(differences) - 1} more differences" if len(differences) > 1 else ""
        raise UserError(
            f"{file} holds {foreign.title}, another network: {differences[0]}{more}. Use the "
            "same model, channels, layers and stem; without --model the network of the file is "
            "taken."
        )
    used = {name: value for name, value in body.items() if name in wanted and not is_head(name)}
    for part in ("classifier.", "auxiliary_head.classifier.", "auxiliary_head.features."):
        theirs = {name: value for name, value in body.items() if name.startswith(part)}
        ours = {name: value for name, value in wanted.items() if name.startswith(part)}
        if _same_shapes(theirs, ours):
            used |= theirs
    target.load_state_dict(used, strict=False)
    counted = tuple(n for n in wanted if n not in used and not n.endswith("num_batches_tracked"))
    unused = tuple(name for name in given if name not in used)
    return Origin(file, foreign.file.sha256, foreign.title, counted, unused)


def _check_settings(config: StagedConfig, needed: StagedConfig, foreign: ForeignWeights) -> None:
    """Raise UserError if the network computes other numbers than the weights' own one."""
    mine, theirs = config.as_dict(), needed.as_dict()
    for name in ("norm_eps", "padding", "stages"):
        if mine.get(name) != theirs.get(name):
            what = "paddings of stages" if name == "stages" else name
            values = "" if name == "stages" else f" {theirs[name]}, not {mine[name]}"
            raise UserError(
                f"{foreign.file.path} holds {foreign.title}, which has {what}{values}: create the "
                "network with darts.training.pretrained.pretrained_model(FILE)."
            )


def _same_shapes(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    counter = "num_batches_tracked"
    shapes = [
        {name: value.shape for name, value in part.items() if not name.endswith(counter)}
        for part in (one, other)
    ]
    return shapes[0] == shapes[1]


def _of_classifier(name: str) -> bool:
    return "classifier" in name.split(".")


def _is_optional(name: str) -> bool:
    return _of_classifier(name) or name.startswith("auxiliary_head.")


def _check_same(
    given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], maps: bool, checkpoint: Path | str
) -> None:
    """Raise UserError if the networks differ in more than their classifiers."""
    unused = set() if not maps else {name for name in given if name.startswith("head.")}
    problems = [
        f"{name} is missing in the checkpoint"
        for name in wanted
        if name not in given and not _is_optional(name)
    ]
    problems += [
        f"{name} is not in this network"
        for name in given
        if name not in wanted and not _is_optional(name) and name not in unused
    ]
    problems += [
        f"{name} is {list(given[name].shape)} in the checkpoint and {list(value.shape)} here"
        for name, value in wanted.items()
        if name in given and given[name].shape != value.shape
    ]
    if problems:
        raise UserError(
            f"{checkpoint} holds another network: {problems[0]}"
            f"{f', and {len(problems) - 1} more differences' if len(problems) > 1 else ''}. "
            "Use the same model, channels, layers and stem as that run; its config.yaml lists them."
        )
