"""A task begins in a new run directory, or goes on in that of an earlier run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from typing import Any

import torch

from darts.runs.checkpoints import has_begun, load_checkpoint, settle_checkpoints
from darts.runs.directory import RunDirectory
from darts.runs.loop import EpochReport, Loop, Task
from darts.runs.sinks import open_sink
from darts.runs.tracking import Tracker
from darts.settings.options import LoopOptions
from darts.settings.used_files import files_in_use, keep_files
from darts.system import distributed

_JUDGED = ("epoch/validation_accuracy", "epoch/test_accuracy", "epoch/ap", "cost/macs")
"""What TensorBoard's table of runs shows beside their settings, as far as a run has it."""


def run_task(
    task: Task,
    what: str,
    options: LoopOptions,
    prepare: Callable[[RunDirectory], None] | None = None,
    report: EpochReport | None = None,
) -> tuple[RunDirectory, Loop]:
    """Run a task in a new run directory, or continue the run in `options.resume`.

    Args:
        task: The work to do.
        what: Kind of run, for the name of its directory.
        options: All settings of the run, a dataclass; they are written to `config.yaml`.
        prepare: Writes further files of a new run before its first step.
        report: Receives the line of each epoch; see `Loop`.

    Returns:
        The run directory and the loop after its last step.

    Raises:
        Interrupted: SIGINT or SIGTERM came; the checkpoint is written.
        UserError: The directory cannot be used, or the loss or a weight became infinite or NaN.
    """
    main = distributed.is_main()
    if options.resume:
        run = RunDirectory.open(options.resume)
    else:
        run = distributed.from_main(
            lambda: RunDirectory.create(options.run_dir, what, threads=torch.get_num_threads())
        )
    with run.locked() if main else nullcontext():
        checkpoint = distributed.from_main(lambda: _reopen(run)) if options.resume else None
        if checkpoint is None and main:
            keep_files(files_in_use(options.use), run)
            if prepare is not None:
                prepare(run)
            if not options.resume:
                run.write_config(asdict(options))  # Last: what can be resumed is complete.
        step = None if checkpoint is None else checkpoint["step"]
        settings = asdict(options)
        sink = open_sink(options.track, run, settings) if main else None
        with Tracker(run.tensorboard if main else None, step, sink) as tracker:
            if step is None and main:
                tracker.settings(settings, _JUDGED)
                tracker.text("settings", run.config.read_text(encoding="utf-8"), 0)
            loop = Loop(task, run, options, tracker, checkpoint, report)
            loop()
    return run, loop


def _reopen(run: RunDirectory) -> dict[str, Any] | None:
    """The checkpoint to continue from; log lines written after it are dropped.

    None if the run was stopped before it had written anything: it then begins.
    """
    settle_checkpoints(run.path)
    checkpoint = None
    if has_begun(run.path):
        checkpoint = load_checkpoint(run.path, ("task", "means", "seconds"))
        run.truncate_metrics(checkpoint["step"])
    run.record_environment(threads=torch.get_num_threads())
    return checkpoint
