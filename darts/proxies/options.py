"""What `python -m darts score` computes. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from darts.errors import UserError
from darts.proxies.catalogue import find_scores

Initialisation = Literal["framework", "toolkit"]


@dataclass(frozen=True, kw_only=True)
class ScoreOptions:
    """Which networks are scored, and how.

    Attributes:
        models: Names of models, YAML files, or cells of NAS-Bench-201.
        sample: Number of cells to sample from `space` in addition.
        space: Name or YAML file of the space.
        nodes: Inner nodes of sampled cells, where the space leaves them open.
        no_dead_edges: Of NAS-Bench-201, sample only cells without dead edges.
        scores: Names of the scores; by default all.
        dataset: Data set of the images; None for standard normal images with random labels.
        data_dir: Directory of the named data sets.
        batch: Number of images.
        seeds: Number of initial weights of each network.
        seed: Seed of the sampled cells, of the images and of the first weights.
        init: "framework" draws the weights as torch does by default, as the published scores had
            them; "toolkit" as the toolkit does for training.
        stem: "cifar" or "imagenet"; by default chosen by the images of the data set, or that of
            the network.
        channels: Channels of a genotype's network.
        layers: Cells of a genotype's network.
        classes: Number of classes; by default that of the data set or the network.
        resolution: Side of the images; by default that of the data set or the network.
    """

    models: tuple[str, ...] = ()
    sample: int = 0
    space: str = "darts"
    nodes: int | None = None
    no_dead_edges: bool = False
    scores: tuple[str, ...] = ()
    dataset: str | None = None
    data_dir: str | None = None
    batch: int = 32
    seeds: int = 1
    seed: int = 0
    init: Initialisation = "framework"
    stem: str | None = None
    channels: int | None = None
    layers: int | None = None
    classes: int | None = None
    resolution: int | None = None

    def check(self) -> None:
        """Check everything that needs neither torch nor files.

        Raises:
            UserError: A number is impossible, a score is unknown, or there is nothing to score.
        """
        if not self.models and not self.sample:
            raise UserError("Name a cell or a model to score, or give --sample N.")
        least = {"sample": 0, "batch": 2, "seeds": 1}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise UserError(f"--{name} must be at least {smallest}, not {getattr(self, name)}.")
        if self.no_dead_edges and self.space != "nasbench201":
            raise UserError("--no-dead-edges belongs to --space nasbench201.")
        if self.dataset is not None and self.classes is not None:
            raise UserError("--classes: the data set has its own classes; leave one of them out.")
        find_scores(self.scores)

    def as_dict(self) -> dict[str, Any]:
        """What decides about the numbers, as plain values: all but the names of the networks."""
        return {
            "scores": list(find_scores(self.scores)),
            "dataset": self.dataset,
            "batch": self.batch,
            "seeds": self.seeds,
            "seed": self.seed,
            "init": self.init,
            "stem": self.stem,
            "channels": self.channels,
            "layers": self.layers,
            "classes": self.classes,
            "resolution": self.resolution,
        }
