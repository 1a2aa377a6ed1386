"""The loop of every run: steps, epochs, progress, logs, checkpoints, interruption.

A task does the work of one step and one epoch; the loop counts, shows, logs, saves, and stops. One
checkpoint has all that a run needs to continue bit for bit: the task's state, the sums behind the
means of the current epoch, and the number of finished steps.

With several processes, each runs its own loop in lockstep (`darts.system.distributed`); only the
main process writes.
"""

from __future__ import annotations

import io
import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from darts.errors import UserError, state_of
from darts.runs.background import Job, snapshot
from darts.runs.checkpoints import (
    save_checkpoint,
)
from darts.runs.directory import RunDirectory
from darts.runs.interrupt import Interrupted, InterruptGuard
from darts.runs.progress import ProgressLine
from darts.runs.same_settings import restore_task
from darts.runs.tracking import Tracker
from darts.settings.options import LoopOptions
from darts.system import distributed

EpochReport = Callable[[Mapping[str, Any]], None]
"""Receives the line of an epoch as `metrics.jsonl` has it, in the main process."""


class Task(Protocol):
    """The work that a loop drives. Epochs count from 0.

    Attributes:
        title: Shown before the progress of the run.
        epochs: Number of epochs; a task that ends early lowers it in `end_epoch`.
        steps_per_epoch: Steps of an epoch.
        images_per_step: Images of a step, over all processes; for the images per second.
        device: Where the scalars of a step are.
    """

    title: str
    epochs: int
    steps_per_epoch: int
    images_per_step: int
    device: torch.device

    @property
    def notes(self) -> Mapping[str, Any]:
        """Further values for the progress line, by name."""

    @property
    def drawing(self) -> Sequence[str]:
        """Lines for a terminal: the cell after the last epoch."""

    @property
    def learning_rate(self) -> float:
        """A Python number, because it is shown after every step."""

    def begin_epoch(self, epoch: int) -> None:
        """Set what depends only on the epoch; called again when a run resumes within it."""

    def step(self) -> Mapping[str, Tensor]:
        """Do one step; returns scalars on the device, such as `loss` and `accuracy` or `f1` (in %).

        With several processes they are means over the images of this process.
        """

    def end_epoch(
        self, run: RunDirectory, tracker: Tracker, epoch: int, step: int
    ) -> Mapping[str, Any]:
        """Finish an epoch; returns further values for its line in metrics.jsonl.

        Every process calls this, but only the main process may write.
        """

    @property
    def modules(self) -> Sequence[nn.Module]:
        """All modules that learn; equal in all processes once running statistics are averaged."""

    def memory_advice(self) -> str:
        """What the user can do if a step runs out of memory."""

    def is_finite(self) -> bool:
        """Whether every number that a checkpoint would hold is finite."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


class Means:
    """Means of scalars over the steps of an epoch; the sums stay on the device.

    >>> means = Means()
    >>> means.add({"loss": torch.tensor(1.0)})
    >>> means.add({"loss": torch.tensor(2.0)})
    >>> means.values()
    {'loss': 1.5}
    """

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.steps = 0

    def add(self, scalars: Mapping[str, Tensor]) -> None:
        for name, value in scalars.items():
            previous = self.sums.get(name)
            value = value.detach().float()
            self.sums[name] = value.clone() if previous is None else previous + value
        self.steps += 1

    def values(self) -> dict[str, float]:
        return {name: total.item() / self.steps for name, total in self.sums.items()}

    def state_dict(self) -> dict[str, Any]:
        return {
            "sums": {name: total.cpu() for name, total in self.sums.items()},
            "steps": self.steps,
        }

    def load_state_dict(self, state: Mapping[str, Any], device: torch.device) -> None:
        self.sums = {name: total.to(device) for name, total in state["sums"].items()}
        self.steps = state["steps"]


class Loop:
    """Runs a task from its first step, or from a checkpoint, to its last step.

    Args:
        task: The work to do.
        run: Where to write.
        options: How often to log and to write checkpoints.
        tracker: Writes TensorBoard events.
        checkpoint: State to continue from, as `load_checkpoint` returns it.
        report: Receives the line of each epoch, of a continued run also those of earlier epochs.
            The loop then displays nothing itself.
    """

    def __init__(
        self,
        task: Task,
        run: RunDirectory,
        options: LoopOptions,
        tracker: Tracker,
        checkpoint: Mapping[str, Any] | None = None,
        report: EpochReport | None = None,
    ) -> None:
        self.task, self.run, self.options, self.tracker = task, run, options, tracker
        self.report = report
        self.means = Means()
        self.step = 0
        self.seconds = 0.0
        self.stored: int | None = None
        self._writing: Future[None] | None = None
        if checkpoint is not None:
            restore_task(task.load_state_dict, checkpoint["task"], run)
            with state_of(run.checkpoint, run.config.name):
                self.means.load_state_dict(checkpoint["means"], task.device)
                self.step = self.stored = checkpoint["step"]
                self.seconds = float(checkpoint["seconds"])

    def __call__(self) -> None:
        """Run to the end.

        Raises:
            Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
            UserError: The loss or a weight became infinite or NaN.
        """
        task, per_epoch = self.task, self.task.steps_per_epoch
        total, processes = task.epochs * per_epoch, distributed.world()
        progress = ProgressLine(
            total_steps=total,
            steps_per_epoch=per_epoch,
            epochs=task.epochs,
            title=f"{task.title}, {processes} processes" if processes > 1 else task.title,
            start_step=self.step,
            stream=None if self.report is None else io.StringIO(),
        )
        self._report_earlier_epochs()
        self._clock = time.monotonic()
        # Torchrun and the driver of trials forward signals that the terminal has already sent to
        # every process.
        forwarded = processes > 1 or multiprocessing.parent_process() is not None
        guard = InterruptGuard(10.0) if forwarded else InterruptGuard()
        with guard, progress:
            if self.stored is None:
                self._store()  # So that a run killed in its first epoch can be resumed.
            if self.step < total:
                task.begin_epoch(self.step // per_epoch)
            while self.step < task.epochs * per_epoch:
                epoch = self.step // per_epoch
                scalars = distributed.average_scalars(self._work())
                self.step += 1
                self.means.add(scalars)
                logs = self.step % self.options.log_every == 0
                ends = self.step % per_epoch == 0
                # Reading a number from an accelerator waits for it: only if it is needed.
                read = logs or ends or task.device.type == "cpu"
                values = {name: value.item() for name, value in scalars.items()} if read else {}
                if read:
                    self._check_means()
                means = self.means.values() if read else {}
                progress.advance(
                    images=task.images_per_step,
                    loss=means.get("loss"),
                    accuracy=means.get("accuracy"),
                    learning_rate=task.learning_rate,
                    **{**_shown(means), **task.notes},
                )
                if logs:
                    distributed.check_equal(task.modules, f"after step {self.step}")
                    self._log(
                        "step",
                        epoch,
                        {
                            **values,
                            "learning_rate": task.learning_rate,
                            "images_per_second": progress.images_per_second,
                        },
                    )
                if self.step == total:
                    progress.message("All steps are done. Scoring the result …")
                if ends:
                    self._end_epoch(epoch)
                due = self.options.checkpoint_every
                stop = distributed.any_of(guard.requested)
                if ends or stop or (due and self.step % due == 0):
                    self._store()
                if ends:
                    progress.epoch_ended(drawing=task.drawing, **task.notes)
                if stop and self.step < task.epochs * per_epoch:
                    self.tracker.flush()
                    raise Interrupted(self.run.path)
            self.tracker.flush()

    def _work(self) -> Mapping[str, Tensor]:
        try:
            return self.task.step()
        except torch.OutOfMemoryError as error:
            said = str(error).partition(" See documentation")[0]
            advice = self.task.memory_advice()
        # Outside the handler, where the error no longer keeps tensors of the step alive.
        raise UserError(f"The device is out of memory in step {self.step + 1}. {advice}\n({said})")

    def _end_epoch(self, epoch: int) -> None:
        means = self.means.values()
        distributed.average_statistics(self.task.modules)
        extra = self.task.end_epoch(self.run, self.tracker, epoch, self.step)
        line = {f"train_{name}": value for name, value in means.items()}
        line["learning_rate"] = self.task.learning_rate
        self._log("epoch", epoch, {**line, **extra, "seconds": self._elapsed()})
        self.means = Means()
        if epoch + 1 < self.task.epochs:
            self.task.begin_epoch(epoch + 1)

    def _report_earlier_epochs(self) -> None:
        if self.report is not None and self.stored is not None and distributed.is_main():
            for record in self.run.read_metrics():
                if record.get("kind") == "epoch":
                    self.report(record)

    def _log(self, kind: str, epoch: int, values: Mapping[str, Any]) -> None:
        if not distributed.is_main():
            return
        record = {"kind": kind, "step": self.step, "epoch": epoch, **values}
        self.run.log_metrics(record)
        if kind == "epoch" and self.report is not None:
            self.report(record)
        scalars = {
            f"{kind}/{name}": value for name, value in values.items() if isinstance(value, float)
        }
        self.tracker.scalars(scalars, self.step)

    def _check_means(self) -> None:
        if not all(torch.isfinite(total).item() for total in self.means.sums.values()):
            self._diverged("the loss")

    def _diverged(self, what: str) -> None:
        self.tracker.flush()
        last = (
            f"The last good checkpoint is {self.run.checkpoint} (step {self.stored})."
            if self.stored is not None
            else "No checkpoint had been written yet."
        )
        raise UserError(
            f"Step {self.step} (epoch {(self.step - 1) // self.task.steps_per_epoch + 1}): "
            f"{what} is infinite or not a number. {last} "
            "Start again with a lower --learning-rate, or with a --grad-clip."
        )

    def _elapsed(self) -> float:
        now = time.monotonic()
        self.seconds += now - self._clock
        self._clock = now
        return self.seconds

    def _store(self) -> None:
        self._check_means()
        modules = self.task.modules
        if not self.task.is_finite():
            self._diverged("a weight")
        distributed.check_equal(modules, f"after step {self.step}")
        distributed.average_statistics(modules)
        if distributed.is_main():
            state = {
                "step": self.step,
                "task": self.task.state_dict(),
                "means": self.means.state_dict(),
                "seconds": self._elapsed(),
            }
            # A copy, which is written while the next steps are computed, after all that belongs to
            # these: pictures and events are in the files before the checkpoint is.
            self._write(partial(save_checkpoint, snapshot(state), self.run.path))
        first, self.stored = self.stored is None, self.step
        if first or distributed.world() > 1:
            self.tracker.flush()
        distributed.barrier()  # No process may end, and so end the job, during the write.

    def _write(self, save: Job) -> None:
        """Write a checkpoint in the background, at most one at a time."""
        if self._writing is not None:
            wait([self._writing])

        def job() -> None:
            self.tracker.flush_events()
            save()

        self._writing = self.tracker.later(job)


def _shown(means: Mapping[str, float]) -> dict[str, Any]:
    """Further measures of the steps for the progress line."""
    return {"F1": f"{means['f1']:.2f} %"} if "f1" in means else {}
