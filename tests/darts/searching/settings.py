"""Tiny searches for probes: two nodes, three cells, images of 8x8."""

from __future__ import annotations

from typing import Any

from darts.searching.backend_table import described_setting
from darts.searching.options import SearchOptions, search_overlay
from darts.searching.probe import SearchSetting
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


def tiny_setting(**settings: Any) -> SearchSetting:
    """The setting of a search whose steps take milliseconds."""
    return described_setting(options_from(SearchOptions, {**TINY, **settings}, search_overlay))
