"""The final training: an ordinary run of `evaluate.py`, in the time that is left.

The number of epochs is decided from the winner's measured speed. After each epoch the expected end
is compared with the budget; if the machine has become slower, or the run was killed and lost time,
the number of epochs is reduced, which is decided once, written, and read back by a resumed run. The
test images are opened after the last epoch.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from darts.data.sources import open_dataset
from darts.fitting.decisions import Decisions
from darts.models.registry import Model
from darts.run_files import RunFiles
from darts.runs.directory import RunDirectory
from darts.runs.tracking import Tracker
from darts.system.device import resolve_device
from darts.training.options import TrainingOptions
from darts.training.pretrained import with_normalisation
from darts.training.task import TrainingTask, train_network

EPOCHS = "final epochs"
_SHORTER = "final training shortened"
_LATE = 1.02
"""Share of the budget, beyond which the expected end makes the training shorter."""

_RECENT = 8
"""Epochs whose mean duration is expected of the others."""


@dataclass(frozen=True, kw_only=True)
class TimeLeft:
    """The time of the final training.

    Attributes:
        decisions: Where a shorter training is written.
        left: Seconds that are left of the budget.
        reserve: Seconds that test, exports and page need.
        budget: Seconds of the whole fit.
    """

    decisions: Decisions
    left: Callable[[], float]
    reserve: float
    budget: float

    def shortened(self, done: int, epochs: int, epoch_seconds: float) -> int:
        """The number of epochs after `done` of `epochs` finished ones.

        >>> import tempfile
        >>> decisions = Decisions(Path(tempfile.mkdtemp()) / "decisions.json")
        >>> time = TimeLeft(decisions=decisions, left=lambda: 50.0, reserve=20.0, budget=100.0)
        >>> time.shortened(4, 10, 10.0), time.shortened(4, 10, 1.0), time.shortened(5, 7, 1.0)
        (7, 7, 7)
        """
        known: Mapping[str, int] = self.decisions.get(_SHORTER) or {}
        if str(done) in known:
            return known[str(done)]
        late = (epochs - done) * epoch_seconds + self.reserve - self.left()
        if done >= epochs or late <= (_LATE - 1) * self.budget:
            return epochs
        fewer = done + max(1, int((self.left() - self.reserve) / max(epoch_seconds, 1e-9)))
        if fewer >= epochs:
            return epochs
        self.decisions.record(_SHORTER, {**known, str(done): fewer})
        return fewer

    def decided(self, finished: int, epochs: int) -> int:
        """The total number of epochs that was last decided for a run, by its finished epochs."""
        known: Mapping[str, int] = self.decisions.get(_SHORTER) or {}
        for done in sorted(map(int, known)):
            if done <= finished:
                epochs = known[str(done)]
        return epochs


class FinalTask(TrainingTask):
    """A retraining that opens the test images at the very end, and can be made shorter.

    Args:
        options: The recipe.
        model: The network.
        time: The time there is.
        clock: Returns seconds.
    """

    def __init__(
        self, options: TrainingOptions, model: Model, time: TimeLeft, clock: Callable[[], float]
    ) -> None:
        device = resolve_device(options.device)
        dataset = open_dataset(options, options.seed, device, run=options.resume, test=False)
        given = options.pretrained, options.resume, options.pretrained_as
        super().__init__(options, model, with_normalisation(dataset, *given))
        self._time, self._clock = time, clock
        self._planned, self._done = options.epochs, 0
        self._begun: float | None = None
        self._took: list[float] = []
        self._opened_test = False

    def begin_epoch(self, epoch: int) -> None:
        self._begun = self._clock()
        super().begin_epoch(epoch)

    def end_epoch(
        self, run: RunDirectory, tracker: Tracker, epoch: int, step: int
    ) -> Mapping[str, Any]:
        assert self._begun is not None
        self._took.append(self._clock() - self._begun)
        self._done = epoch + 1
        mean = sum(self._took[-_RECENT:]) / len(self._took[-_RECENT:])
        fewer = self._time.shortened(self._done, self.epochs, mean)
        if fewer != self.epochs:
            self._set_epochs(fewer)
            run.write_config({**run.read_config(), "epochs": fewer})
        return super().end_epoch(run, tracker, epoch, step)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._done = state["epochs done"]
        self._set_epochs(self._time.decided(self._done, self._planned))
        super().load_state_dict(state)

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "epochs done": self._done}

    def test(self) -> None:
        if not self._opened_test:
            options = self.options
            opened = open_dataset(options, options.seed, self.device)
            self.dataset = replace(self.dataset, test=opened.test, files=opened.files)
            self._opened_test = True
        super().test()

    def _set_epochs(self, epochs: int) -> None:
        self.epochs, self.options = epochs, replace(self.options, epochs=epochs)


def train_final(
    options: TrainingOptions,
    model: Model,
    directory: Path,
    time: TimeLeft,
    clock: Callable[[], float],
) -> dict[str, Any]:
    """Train in `directory`, or continue there; return the content of `result.json`.

    Raises:
        UserError: A setting or the data are wrong, or the loss diverged.
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
    """
    files = RunFiles(directory)
    if not files.result.is_file():
        options = _started(options, files)
        train_network(options, model, task=FinalTask(options, model, time, clock))
    result: dict[str, Any] = files.read_result()
    return result


def _started(options: TrainingOptions, files: RunFiles) -> TrainingOptions:
    """The options that begin the run or continue it; one without a checkpoint is removed."""
    if any(file.is_file() for file in (files.checkpoint, files.previous_checkpoint)):
        return replace(options, run_dir=None, resume=str(files.path))
    if files.path.exists():
        shutil.rmtree(files.path)
    return replace(options, run_dir=str(files.path), resume=None)
