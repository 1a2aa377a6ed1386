"""Every method of the catalogue searches, and goes on exactly where a kill has stopped it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from darts.methods.catalogue import METHODS
from darts.searching.assembly import method_of
from darts.searching.checks import check_search
from darts.searching.options import SearchOptions, search_overlay
from darts.searching.staging import plan_stages
from darts.searching.task import SearchTask, search_cells
from darts.settings.parsing import build
from genotypes import SPACES
from tests.darts.runs_support import assert_same_run, search_options
from tests.golden.methods import MIXTURES, difference, settings_of


class Killed(BaseException):
    """Stands in for SIGKILL: nothing of the toolkit may catch it."""


@pytest.mark.parametrize("method", METHODS)
def test_a_method_searches_and_survives_kills(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    survives_kills(method, tmp_path, monkeypatch, (2, 4))


@pytest.mark.parametrize("parts", MIXTURES, ids=str)
def test_a_mixture_of_parts_searches_and_survives_kills(
    parts: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    survives_kills(str(parts), tmp_path, monkeypatch, (3,))


@pytest.mark.parametrize("space", SPACES)
def test_a_space_is_searched_to_the_recorded_bits(space: str, tmp_path: Path) -> None:
    search_cells(search_options(tmp_path / "run", **settings_of(f"space {space}")))
    assert difference(f"space {space}", tmp_path / "run") is None


def survives_kills(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: tuple[int, ...]
) -> None:
    """A search of `tests.golden.methods`: its bits are those of the record, also after kills."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    settings = settings_of(name)
    result = search_cells(search_options(whole, **settings))
    assert result.genotype.nodes == settings["nodes"]
    assert difference(name, whole) is None

    step, done = SearchTask.step, 0

    def killed_at_times(self: SearchTask) -> Any:
        nonlocal done
        done += 1
        if done in kills:
            raise Killed
        return step(self)

    monkeypatch.setattr(SearchTask, "step", killed_at_times)
    options = search_options(broken, **settings)
    for _ in kills:
        with pytest.raises(Killed):
            search_cells(options)
        options = replace(options, run_dir=None, resume=str(broken))
    assert search_cells(options).genotype == replace(result.genotype, name="broken")
    assert_same_run(whole, broken)


@pytest.mark.parametrize("space", ["darts", "s1", "darts-no-none", "nasbench201"])
@pytest.mark.parametrize("preset", ["paper", "quick", "smoke"])
@pytest.mark.parametrize("method", METHODS)
def test_the_settings_of_a_method_work_at_every_scale(method: str, preset: str, space: str) -> None:
    settings = {"dataset": "digits", "method": method, "preset": preset, "space": space}
    options = build(SearchOptions, {**settings, **search_overlay(settings)})
    check_search(options)
    if (method, preset) == ("pc-darts", "quick"):
        assert (options.k, options.max_macs) == (1, "typical")
    assert plan_stages(method_of(options), options, SPACES[space])[0].first == 0


def test_a_ceiling_of_the_preset_gives_way_to_a_selection_that_keeps_none() -> None:
    settings = {"dataset": "digits", "preset": "quick", "selection": "projection"}
    options = build(
        SearchOptions, {**settings, **search_overlay(settings | {"method": "pc-darts"})}
    )
    check_search(options)
    assert options.max_macs is None
