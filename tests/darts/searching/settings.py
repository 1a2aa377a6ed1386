"""Tiny searches for probes: two nodes, three cells, images of 8x8."""

from __future__ import annotations

from typing import Any

from darts.searching.backend_table import setting_of
from darts.searching.options import SearchOptions, search_overlay
from darts.searching.probe import Setting
from darts.settings.parsing import options_from

TINY = {
    "preset": "smoke",
    "dataset": "digits",
    "device": "cpu",
    "threads": 1,
    "nodes": 2,
    "channels": 4,
    "k": 1,
    "batch_size": 8,
}


def tiny_setting(**settings: Any) -> Setting:
    """The setting of a search whose steps take milliseconds."""
    return setting_of(options_from(SearchOptions, {**TINY, **settings}, search_overlay))
