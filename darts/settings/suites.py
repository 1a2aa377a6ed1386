"""The presets of DARTS-Bench-Suite: the size of its supernets, and how it searches them.

Torch-free, so that `--help` is instant. The numbers are in `configs/suites/bench-suite.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from darts.errors import UserError
from darts.settings.recipes import read_suite
from genotypes import SearchSpace

SUITE_PRESETS = ("bench-wide", "bench-deep", "bench-single")
AnyPreset = Literal["paper", "quick", "smoke", "bench-wide", "bench-deep", "bench-single"]
"""A preset of a command that has the suite's, too."""
BENCH_SUITE = "bench-suite"


def suite_network(preset: str) -> dict[str, int]:
    """Channels, cells and inner nodes of the networks of a preset.

    >>> suite_network("bench-wide")
    {'channels': 18, 'layers': 4, 'nodes': 4}
    """
    return dict(read_suite(BENCH_SUITE)["supernets"][_supernet(preset)])


def suite_search(preset: str, method: str, space: SearchSpace) -> dict[str, Any]:
    """The settings of a search of the suite.

    All methods get the supernet, the final network of the same size and the suite's half of the
    images. Epochs, batch size and learning rates are the suite's for the methods that it compares.

    >>> from genotypes.search_space import DARTS
    >>> suite_search("bench-deep", "gdas", DARTS)["batch_size"]
    320

    Raises:
        UserError: The space has cells of another kind or size.
    """
    network = suite_network(preset)
    if space.stack != "cells" or space.nodes not in (None, network["nodes"]):
        raise UserError(
            f"--preset {preset}: its cells have two inputs and {network['nodes']} inner nodes, but "
            f"those of the space {space.name!r} do not. Use --space darts or darts-no-skip."
        )
    suite = read_suite(BENCH_SUITE)
    own: Mapping[str, Any] = suite["methods"].get(method, {})
    return {
        **network,
        "target_channels": network["channels"],
        "target_layers": network["layers"],
        **suite["search"],
        **{name: _of_supernet(value, preset) for name, value in own.items()},
    }


def _of_supernet(value: Any, preset: str) -> Any:
    return value[_supernet(preset)] if isinstance(value, Mapping) else value


def _supernet(preset: str) -> str:
    return preset.removeprefix("bench-")
