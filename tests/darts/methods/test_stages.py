"""Stages: their epochs, what they drop, the dropout on skips, and the auxiliary skip's weight."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from cells.topology import Topology
from darts.methods.relaxation import Progress
from darts.methods.skips import AuxiliarySkip
from darts.methods.stages import (
    Growing,
    SearchStage,
    Widening,
    shrink,
    skip_dropout_rate,
    stage_at,
)
from genotypes.search_space import DARTS


def test_growing_has_the_stages_of_p_darts() -> None:
    stages = Growing().plan(75)
    assert [(one.first, one.epochs) for one in stages] == [(0, 25), (25, 25), (50, 25)]
    assert [5 + one.added_layers for one in stages] == [5, 11, 17]
    assert [one.kept for one in stages] == [8, 5, 3]
    assert [one.skip_dropout for one in stages] == [0.1, 0.4, 0.7]
    assert not any(one.carries for one in stages)


def test_widening_has_the_stages_of_drnas() -> None:
    first, second = Widening().plan(50)
    assert (first.first, first.epochs, first.k, first.kept, first.carries) == (0, 25, 6, 7, False)
    assert (second.first, second.epochs, second.k, second.kept) == (25, 25, 4, 4)
    assert second.carries


def test_epochs_that_do_not_divide_go_to_the_later_stages() -> None:
    stages = Growing().plan(8)
    assert [one.epochs for one in stages] == [2, 3, 3]
    assert [stage_at(stages, epoch) for epoch in range(8)] == [0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Growing().plan(2), "3 stages need at least 3 epochs"),
        (lambda: Growing(kept=(8, 5)), "one number per stage"),
        (lambda: Growing(kept=(5, 8, 3)), "must not rise"),
        (lambda: Growing(kept=(8, 5, 0)), "1 or more"),
        (lambda: Widening(k=(4, 6)), "k must not rise"),
        (lambda: Widening(k=(6, 4, 2)), "one number per stage"),
    ],
)
def test_impossible_stages_are_refused(make, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=words):
        make()


def test_each_edge_keeps_its_own_strongest_candidates() -> None:
    topology = Topology(2)
    strengths = {
        kind: torch.rand(5, 8, generator=torch.Generator().manual_seed(seed)).softmax(1)
        for seed, kind in enumerate(DARTS.kinds)
    }
    once = shrink(DARTS, topology, strengths, 5)
    twice = shrink(once, topology, strengths, 3)
    for kind in DARTS.kinds:
        for edge in topology.edges:
            ranked = strengths[kind][edge.index].argsort(descending=True).tolist()
            for space, kept in ((once, 5), (twice, 3)):
                best = {DARTS.operations[column] for column in ranked[:kept]}
                assert set(space.candidates(kind, edge.source, edge.target)) == best


def test_a_candidate_that_was_dropped_never_comes_back() -> None:
    topology = Topology(1)
    first = torch.tensor([[0.1, 0.9, 0.2, 0.3, 0, 0, 0, 0]] * 2)
    later = torch.tensor([[0.1, 0.0, 0.2, 0.3, 1, 1, 1, 1]] * 2)
    once = shrink(DARTS, topology, {"normal": first, "reduce": first}, 3)
    twice = shrink(once, topology, {"normal": later, "reduce": later}, 2)
    assert twice.candidates("normal", 0, 2) == ("avg_pool_3x3", "skip_connect")


def test_none_is_never_the_only_candidate() -> None:
    only_none = torch.tensor([[0.9, 0.1, 0, 0, 0, 0, 0, 0]] * 2)
    space = shrink(DARTS, Topology(1), {"normal": only_none, "reduce": only_none}, 1)
    assert space.candidates("normal", 0, 2) == ("max_pool_3x3",)


def test_of_equal_candidates_the_first_is_kept() -> None:
    equal = torch.full((2, 8), 0.125)
    space = shrink(DARTS, Topology(1), {"normal": equal, "reduce": equal}, 2)
    assert space.candidates("reduce", 1, 2) == ("none", "max_pool_3x3")


def golden(shared: Path, name: str) -> dict:
    vectors = json.loads((shared / "facts" / "methods_golden.json").read_text())
    return next(vector for vector in vectors if vector["name"] == name)


def test_the_dropout_on_skips_is_that_of_the_authors_code(shared: Path) -> None:
    for rate, epoch, wanted in golden(shared, "pdarts_dropout")["outputs"]["rows"]:
        stage = SearchStage(first=50, epochs=25, skip_dropout=rate)
        found = skip_dropout_rate(stage, 50 + epoch, warm_up=10)
        assert found == pytest.approx(wanted, rel=1e-12)


def test_the_weight_of_the_auxiliary_skip_is_that_of_the_authors_code(shared: Path) -> None:
    vector = golden(shared, "darts_minus_beta")
    for schedule, name in (
        ("linear", "linear"),
        ("cosine", "cosine"),
        ("slow-cosine", "slow_cosine"),
    ):
        skip = AuxiliarySkip(schedule)
        found = [skip(Progress(epoch, 50)) for epoch in vector["inputs"]["epoch"]]
        assert found == pytest.approx(vector["outputs"][name], rel=1e-9)
