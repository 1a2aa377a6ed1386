"""Differentiable architecture search: PC-DARTS and baselines.

From Python: `darts.fit`, `darts.search`, `darts.evaluate`, `darts.detect`, `darts.load_genotype`,
`darts.create_network` and `darts.load_pretrained`.

>>> import darts
>>> darts.load_genotype("pcdarts_cifar10").nodes
4
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darts.api import detect, evaluate, fit, search
    from darts.models.registry import create_network
    from darts.training.pretrained import load_pretrained
    from genotypes import load_genotype

__all__ = [
    "create_network",
    "detect",
    "evaluate",
    "fit",
    "load_genotype",
    "load_pretrained",
    "search",
]

# Imported on first use: torch takes seconds to import, and `--help` must not wait for it.
_HOMES = {
    "create_network": "darts.models.registry",
    "detect": "darts.api",
    "evaluate": "darts.api",
    "fit": "darts.api",
    "load_genotype": "genotypes",
    "load_pretrained": "darts.training.pretrained",
    "search": "darts.api",
}


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'darts' has no attribute {name!r}")
