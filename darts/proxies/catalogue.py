"""The training-free scores by name. Torch-free: a score's module is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

from darts.errors import UserError, closest

ScoreFunction = Callable[[Any], float]
"""`darts.proxies.subject.Subject` → the score. The network stays unchanged."""


class ScoreEntry(NamedTuple):
    """One score of the catalogue.

    Attributes:
        where: The function, as "module:name".
        summary: What it computes, in one line.
        paper: The source.
    """

    where: str
    summary: str
    paper: str

    def load(self) -> ScoreFunction:
        """The function of the score."""
        module, _, name = self.where.partition(":")
        function: ScoreFunction = getattr(import_module(module), name)
        return function


SCORES: Mapping[str, ScoreEntry] = MappingProxyType(
    {
        "l2_norm": ScoreEntry(
            "darts.proxies.saliency:l2_norm", "norms of the weights", "arXiv 2101.08134"
        ),
        "grad_norm": ScoreEntry(
            "darts.proxies.saliency:grad_norm", "norms of the gradients", "arXiv 2101.08134"
        ),
        "snip": ScoreEntry(
            "darts.proxies.saliency:snip", "|weight · gradient|", "arXiv 1810.02340"
        ),
        "plain": ScoreEntry(
            "darts.proxies.saliency:plain", "weight · gradient, signed", "arXiv 2101.08134"
        ),
        "grasp": ScoreEntry(
            "darts.proxies.saliency:grasp",
            "-weight · Hessian · gradient, signed",
            "arXiv 2002.07376",
        ),
        "fisher": ScoreEntry(
            "darts.proxies.fisher:fisher",
            "squared activation · gradient of channels",
            "arXiv 1906.04113",
        ),
        "synflow": ScoreEntry(
            "darts.proxies.synflow:synflow",
            "log of |weight · gradient| without data",
            "arXiv 2006.05467",
        ),
        "jacov": ScoreEntry(
            "darts.proxies.jacobian:jacov",
            "correlation of the gradients of images",
            "arXiv 2006.04647v1",
        ),
        "epe_nas": ScoreEntry(
            "darts.proxies.jacobian:epe_nas",
            "the same, class by class",
            "arXiv 2102.08099",
        ),
        "nwot": ScoreEntry(
            "darts.proxies.activations:nwot",
            "how differently images switch the ReLUs",
            "arXiv 2006.04647",
        ),
        "zen": ScoreEntry(
            "darts.proxies.zen:zen",
            "change of the features with normal weights",
            "arXiv 2102.01063",
        ),
    }
)


def find_scores(names: Sequence[str] | None) -> tuple[str, ...]:
    """The names of the scores to compute, each once; all if none are given.

    >>> find_scores(["snip", "nwot", "snip"])
    ('snip', 'nwot')

    Raises:
        UserError: There is no such score.
    """
    for name in names or ():
        if name not in SCORES:
            raise UserError(
                f"There is no score {name!r}.{closest(name, SCORES)} "
                f"Scores are {', '.join(SCORES)}."
            )
    return tuple(dict.fromkeys(names)) if names else tuple(SCORES)
