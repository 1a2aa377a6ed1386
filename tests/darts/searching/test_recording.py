"""A recorded iteration gives the same numbers as an eager one; CUDA graphs are simulated."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import Tensor

from darts.errors import UserError
from darts.methods.gradient import LabelledBatch
from darts.searching.recording import (
    WARM_UP,
    CudaGraphs,
    Recordable,
    RecordedIteration,
    Scalars,
    wants_graphs,
)
from darts.searching.task import SearchTask, search_cells
from tests.darts.runs_support import assert_same, search_options


class Tape:
    """Like a graph: recording computes nothing, a replay overwrites the same scalars."""

    def __init__(self) -> None:
        self.warmed = self.recorded = self.replayed = 0

    def warm_up(self, work: Recordable) -> Scalars:
        self.warmed += 1
        return work()

    def record(self, work: Recordable) -> tuple[Callable[[], None], Scalars]:
        self.recorded += 1
        scalars: dict[str, Tensor] = {}

        def replay() -> None:
            self.replayed += 1
            for name, value in work().items():
                scalars.setdefault(name, torch.empty_like(value)).copy_(value)

        return replay, scalars


def batches(number: int) -> LabelledBatch:
    return LabelledBatch(torch.full((2, 3), float(number)), torch.full((2,), number))


def total(training: LabelledBatch, validation: LabelledBatch | None = None) -> Scalars:
    scalars = {"loss": training.images.sum() + training.labels.sum()}
    if validation is not None:
        scalars["architecture_loss"] = validation.images.sum()
    return scalars


def test_each_kind_of_iteration_warms_up_and_is_recorded_once() -> None:
    tape = Tape()
    recorded = RecordedIteration(total, tape)
    for number in range(6):
        assert recorded(batches(number))["loss"].item() == 8 * number
    assert (tape.warmed, tape.recorded, tape.replayed) == (WARM_UP, 1, 6 - WARM_UP)
    for number in range(5):
        scalars = recorded(batches(number), batches(number + 1))
        assert scalars["loss"].item() == 8 * number
        assert scalars["architecture_loss"].item() == 6 * (number + 1)
    assert (tape.warmed, tape.recorded) == (2 * WARM_UP, 2)


def test_what_a_replay_gave_survives_the_next_one() -> None:
    recorded = RecordedIteration(total, Tape())
    given = [recorded(batches(number))["loss"] for number in range(6)]
    assert [value.item() for value in given] == [8 * number for number in range(6)]


class Unrecordable(Tape):
    def record(self, work: Recordable) -> tuple[Callable[[], None], Scalars]:
        raise RuntimeError("operation not permitted when stream is capturing")


def test_what_cannot_be_recorded_runs_as_it_is_with_one_line_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorded = RecordedIteration(total, Unrecordable())
    with caplog.at_level(logging.WARNING):
        given = [recorded(batches(number))["loss"].item() for number in range(6)]
    assert given == [8 * number for number in range(6)]
    assert len(caplog.records) == 1
    insistent = RecordedIteration(total, Unrecordable(), insist=True)
    for number in range(WARM_UP):
        insistent(batches(number))
    with pytest.raises(UserError, match=r"cannot be recorded here \(operation not permitted"):
        insistent(batches(0))


def test_graphs_are_for_cuda_and_by_default_for_recordable_methods() -> None:
    cuda, cpu = torch.device("cuda"), torch.device("cpu")
    assert wants_graphs("auto", cuda, recordable=True)
    assert wants_graphs("always", cuda, recordable=False)
    assert not wants_graphs("auto", cuda, recordable=False)
    assert not wants_graphs("never", cuda, recordable=True)
    assert not wants_graphs("auto", cpu, recordable=True)
    with pytest.raises(UserError, match="needs a CUDA device"):
        wants_graphs("always", cpu, recordable=True)


@pytest.fixture
def tape(monkeypatch: pytest.MonkeyPatch) -> Tape:
    made = Tape()
    monkeypatch.setattr("darts.searching.assembly.CudaGraphs", lambda device: made)
    monkeypatch.setattr("darts.searching.assembly.wants_graphs", lambda *_: True)
    return made


def test_a_recorded_search_equals_an_eager_one_and_resumes(tape: Tape, tmp_path: Path) -> None:
    """Both kinds of iteration, each replayed twice; then again with a stop in the middle."""
    settings = {"sampling": "random", "backend": "torch", "nodes": 2}
    recorded = SearchTask(search_options(tmp_path / "a", **settings))
    eager = SearchTask(search_options(tmp_path / "b", **settings))
    eager.iteration = eager.iteration.iteration
    for epoch in (0, 1):
        for task in (recorded, eager):
            task.begin_epoch(epoch)
        for step in range(WARM_UP + 2):
            if (epoch, step) == (1, 1):
                recorded.load_state_dict(recorded.state_dict())
            assert_same(dict(recorded.step()), dict(eager.step()))
    # Loading dropped the graph: the second kind had not been recorded yet, and warmed up again.
    assert (tape.warmed, tape.recorded) == (2 * WARM_UP + 1, 2)
    assert_same(recorded.state_dict(), eager.state_dict())


def test_the_title_of_a_run_mentions_graphs(tape: Tape, tmp_path: Path) -> None:
    task = SearchTask(search_options(tmp_path / "a", backend="torch"))
    assert task.title == "search (torch, CUDA graphs)"


def test_graphs_without_cuda_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--cuda-graphs always: needs a CUDA device"):
        search_cells(search_options(tmp_path / "run", cuda_graphs="always"))
    assert not (tmp_path / "run").exists()


def test_a_failed_recording_gives_the_stream_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's own context keeps its stream if ending a recording raises."""
    device, streams = torch.device("cuda", 1), []

    class Recording(nullcontext):
        def __init__(self, graph: object, stream: object, capture_error_mode: str) -> None:
            super().__init__()

        def __exit__(self, *_: object) -> None:
            raise RuntimeError("operation failed due to a previous error during capture")

    monkeypatch.setattr(torch.cuda, "device", lambda wanted: nullcontext(wanted))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "graph", Recording)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "usual")
    monkeypatch.setattr(torch.cuda, "set_stream", streams.append)
    with pytest.raises(RuntimeError, match="during capture"):
        CudaGraphs(device).record(dict)
    assert streams == ["usual"]
