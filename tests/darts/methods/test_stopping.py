"""Stopping rules: the published stop epochs from the published trajectories, and the limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from darts.methods.stopping import EigenvalueRule, FixedEpoch, SkipCount, Stop, Stopping
from tests.darts.methods.vectors import golden


def replay(rule: Stopping, history: list[Mapping[str, Any]], epochs: int) -> tuple[int, Stop]:
    """The epoch in which a rule stops, and its decision; (-1, …) if it never does."""
    for epoch in range(len(history)):
        stop = rule(history[: epoch + 1], epochs)
        if stop is not None:
            return epoch, stop
    return -1, Stop("", -1)


def with_eigenvalues(values: Mapping[int, float], epochs: int) -> list[Mapping[str, Any]]:
    return [{"eigenvalue": values[e]} if e in values else {} for e in range(epochs)]


def test_early_stopping_equals_the_golden_vector(shared: Path) -> None:
    inputs, outputs = golden(shared, "robustdarts_early_stop")
    eigenvalues = inputs["eigenvalues"].tolist()
    rule = EigenvalueRule()
    smoothed = rule.smoothed(eigenvalues)
    expected = outputs["local_averages"].tolist()
    assert smoothed[: len(expected)] == pytest.approx(expected, rel=1e-12)
    history = with_eigenvalues({2 * i: v for i, v in enumerate(eigenvalues)}, 50)
    epoch, stop = replay(rule, history, inputs["epochs"])
    assert (epoch, stop.epoch) == (outputs["decided_at_epoch"], outputs["return_to_epoch"])
    assert f"{outputs['ratio']:.2f} times" in stop.reason


def test_the_published_trajectories_stop_at_the_published_epochs(shared: Path) -> None:
    facts = json.loads((shared / "facts" / "nasbench201.json").read_text())["restricted"]
    trajectories = facts["official_eigenvalues_s1_cifar10_plain"]
    published = facts["early_stop_replayed"]["s1/cifar10/0.0_0.0003"]
    found = []
    for seed in sorted(trajectories):
        values = {int(epoch): value for epoch, value in trajectories[seed].items()}
        found.append(replay(EigenvalueRule(), with_eigenvalues(values, 50), 50)[1].epoch)
    assert found == published == [10, 10, 18]


def test_a_constant_eigenvalue_never_stops_and_a_late_start_delays() -> None:
    flat = with_eigenvalues(dict.fromkeys(range(0, 50, 2), 0.3), 50)
    assert replay(EigenvalueRule(), flat, 50)[0] == -1
    rising = with_eigenvalues({e: 0.2 * 1.1**e for e in range(0, 50, 2)}, 50)
    assert replay(EigenvalueRule(), rising, 50)[1].epoch == 10
    assert replay(EigenvalueRule(start=20), rising, 50)[1].epoch == 20
    assert replay(EigenvalueRule(factor=9), rising, 50)[0] == -1


def test_the_last_epoch_never_stops() -> None:
    rising = with_eigenvalues({e: 0.2 * 1.1**e for e in range(0, 23, 2)}, 23)
    assert replay(EigenvalueRule(), rising, 24)[0] == 22
    assert replay(EigenvalueRule(), rising, 23)[0] == -1


def test_epochs_before_alpha_is_trained_have_no_eigenvalue() -> None:
    values = {e: 0.2 * 1.1**e for e in range(10, 50, 2)}
    epoch, stop = replay(EigenvalueRule(), with_eigenvalues(values, 50), 50)
    assert (epoch, stop.epoch) == (22, 10)


@pytest.mark.parametrize("every", [1, 3])
def test_other_intervals_scale_the_distance_in_epochs(every: int) -> None:
    values = {e: 0.2 * 1.2**e for e in range(0, 60, every)}
    epoch, stop = replay(EigenvalueRule(every=every), with_eigenvalues(values, 60), 60)
    assert epoch - stop.epoch == 6 * every
    assert stop.epoch >= 10


def test_two_skips_stop_darts_plus() -> None:
    counts = [2, 0, 1, 2, 3]
    history = [{"normal_skips": count} for count in counts]
    assert replay(SkipCount(), history, 50)[1].epoch == 0
    assert replay(SkipCount(start=1), history, 50)[1].epoch == 3
    assert replay(SkipCount(start=1, previous=True), history, 50)[1].epoch == 2
    assert replay(SkipCount(limit=3), history, 5)[0] == -1


def test_a_fixed_epoch_stops_once() -> None:
    assert replay(FixedEpoch(epochs=3), [{}] * 10, 10) == (
        2,
        Stop("3 of 10 epochs were asked for.", 2),
    )
    assert replay(FixedEpoch(epochs=10), [{}] * 10, 10)[0] == -1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: EigenvalueRule(window=0),
        lambda: EigenvalueRule(factor=0),
        lambda: SkipCount(limit=0),
        lambda: FixedEpoch(epochs=0),
    ],
)
def test_wrong_numbers_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="must be"):
        wrong()
