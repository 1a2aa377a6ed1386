"""The check of recorded iterations catches every kind of stale data, and passes a right graph.

A graph is simulated: recording computes nothing, a replay runs the work and overwrites its scalars.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from darts.methods.gradient import LabelledBatch
from darts.searching import recording_check
from darts.searching.probe import Probe, SearchSetting, build_probe
from darts.searching.recording import Recordable, RecordedIteration, Scalars, Step
from darts.searching.recording_check import (
    ADAM,
    MOVED,
    SGD,
    STATISTICS,
    STEP_LOSSES,
    check_recording,
)
from tests.darts.searching.settings import tiny_setting


class Tape:
    """Like a graph. `before` changes what a replay sees, as a graph that copied it would.

    Args:
        before: (probe, state at the recording) -> None; called before each replay.
        keep: probe -> what it remembers of the recording.
    """

    def __init__(
        self,
        keep: Callable[[Probe], object] | None = None,
        before: Callable[[Probe, object], None] | None = None,
    ) -> None:
        self.keep, self.before = keep, before
        self.probe: Probe | None = None
        self.replayed = 0

    def warm_up(self, work: Recordable) -> Scalars:
        return work()

    def record(self, work: Recordable) -> tuple[Callable[[], None], Scalars]:
        scalars: dict[str, Tensor] = {}
        kept = None if self.keep is None else self.keep(self.probe)

        def replay() -> None:
            self.replayed += 1
            if self.before is not None:
                self.before(self.probe, kept)
            for name, value in work().items():
                scalars.setdefault(name, torch.empty_like(value)).copy_(value)

        return replay, scalars


def check(tape: Tape, monkeypatch: pytest.MonkeyPatch, setting: SearchSetting) -> set[str]:
    """The kinds of numbers that are wrong."""

    def build(one: SearchSetting) -> Probe:
        tape.probe = build_probe(one)
        return tape.probe

    monkeypatch.setattr(recording_check, "build_probe", build)
    result = check_recording(setting, "torch", tape)  # type: ignore[arg-type]
    assert not result.failed
    assert tape.replayed >= 2
    return {one.kind for one in result.deviations if one.wrong}


@pytest.mark.parametrize(
    ("precision", "settings"),
    [
        ("fp32", {}),
        ("fp64", {"k": 2, "sampling": "random"}),
        ("bf16", {"gradient": "single-level"}),
    ],
)
def test_a_right_graph_passes(
    precision: str, settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = tiny_setting(precision=precision, nodes=1, **settings)
    assert check(Tape(), monkeypatch, setting) == set()


def learning_rate(probe: Probe) -> float:
    return probe.parts.weight_optimiser.param_groups[0]["lr"]


def set_rate(probe: Probe, rate: object) -> None:
    probe.parts.weight_optimiser.param_groups[0]["lr"] = rate


def selections(probe: Probe) -> list[Tensor]:
    return [cell.selection.clone() for cell in probe.parts.supernet.search_cells]


def set_selections(probe: Probe, kept: object) -> None:
    for cell, selection in zip(probe.parts.supernet.search_cells, kept, strict=True):  # type: ignore[call-overload]
        cell.selection.copy_(selection)


def alphas(probe: Probe) -> list[Tensor]:
    with torch.no_grad():  # Recorded far from where alpha is later.
        return [3 * torch.randn_like(one) for one in probe.parts.architecture.parameters()]


def set_alphas(probe: Probe, kept: object) -> None:
    with torch.no_grad():
        for parameter, value in zip(probe.parts.architecture.parameters(), kept, strict=True):  # type: ignore[call-overload]
            parameter.copy_(value)


@pytest.mark.parametrize(
    ("precision", "tape", "kind"),
    [
        ("bf16", Tape(learning_rate, set_rate), MOVED),
        ("fp32", Tape(selections, set_selections), STEP_LOSSES),
        ("fp64", Tape(alphas, set_alphas), ADAM),
    ],
    ids=["learning rate", "channels", "alpha"],
)
def test_a_number_that_a_graph_has_copied_is_caught(
    tape: Tape, kind: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = tiny_setting(precision=precision, nodes=1, k=2, sampling="random")
    assert kind in check(tape, monkeypatch, setting)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_graph_that_reads_an_old_batch_is_caught(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every replay sees the images of the recording, as if nobody had copied the new ones."""

    class Deaf(RecordedIteration):
        def __init__(self, iteration: Step, *arguments: Any, **keywords: Any) -> None:
            self.right = iteration
            super().__init__(iteration, *arguments, **keywords)

        def forget(self) -> None:
            self.iteration = self.right
            super().forget()

        def _record(self, batches: list[LabelledBatch]) -> bool:
            done = super()._record(batches)
            old = [LabelledBatch(*map(torch.clone, one)) for one in batches]
            self.iteration = lambda *_: self.right(*old)
            return done

    monkeypatch.setattr(recording_check, "RecordedIteration", Deaf)
    wrong = check(Tape(), monkeypatch, tiny_setting(precision=precision, nodes=1))
    assert {STEP_LOSSES, SGD, STATISTICS} <= wrong


def test_a_graph_without_effect_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    class Idle(Tape):
        def warm_up(self, work: Recordable) -> Scalars:
            self.last = work()
            return self.last

        def record(self, work: Recordable) -> tuple[Callable[[], None], Scalars]:
            scalars = {name: value.clone() for name, value in self.last.items()}

            def replay() -> None:
                self.replayed += 1

            return replay, scalars

    wrong = check(Idle(), monkeypatch, tiny_setting(nodes=1))
    assert {STEP_LOSSES, MOVED, STATISTICS} <= wrong


def test_what_cannot_be_recorded_has_failed() -> None:
    class Unrecordable(Tape):
        def record(self, work: Recordable) -> tuple[Callable[[], None], Scalars]:
            raise RuntimeError("operation not permitted when stream is capturing")

    result = check_recording(tiny_setting(), "torch", Unrecordable())  # type: ignore[arg-type]
    assert not result.passed
    assert "operation not permitted" in result.reason
