"""What all studies of this package share: the directory, the common recipe, the trainings."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from darts.comparing.options import StudyOptions
from darts.runs.directory import RunDirectory
from darts.runs.interrupt import Interrupted
from darts.settings.options import (
    PresetOptions,
    RunOptions,
    names_of,
    shared_values,
    tagged,
    without_later,
)
from darts.settings.used_files import check_same_files, files_in_use, keep_files
from darts.training.options import ModelOptions, TrainingOptions, training_of
from darts.training.trial import train_trial
from darts.trials.executors import TrialsInterrupted, run_trials, trial_resources
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import TrialStore
from darts.trials.tracking import TrialTracking
from darts.trials.used import using_files


def study_directory(options: StudyOptions, what: str) -> RunDirectory:
    """A new directory, or that of the study to continue; `what` is the kind of study."""
    given = options.resume or options.run_dir
    if options.resume or (given and (Path(given) / TRIALS_FILE).is_file()):
        run = RunDirectory.open(Path(str(given)))
        check_same_files(files_in_use(options.use), run)
        return run
    run = RunDirectory.create(given, what)
    keep_files(files_in_use(options.use), run)
    run.write_config(asdict(options))  # Last: what can be resumed is complete.
    return run


def common_recipe(options: StudyOptions) -> dict[str, Any]:
    """The settings that all trainings share and that no later call may change."""
    left_out = {
        *tagged(TrainingOptions, "where"),
        *names_of(PresetOptions, RunOptions, ModelOptions),
        *("channels", "layers"),  # Each trial says its own.
    }
    shared = without_later(shared_values(options, TrainingOptions), TrainingOptions)
    return {name: shared[name] for name in sorted(shared) if name not in left_out}


def run_missing(store: TrialStore, options: StudyOptions, run: RunDirectory, title: str) -> None:
    """Run the pending trainings.

    Raises:
        Interrupted: SIGINT or SIGTERM came; finished trainings are kept.
    """
    device, resources = trial_resources(options, options.device)
    try:
        run_trials(
            store,
            using_files(options.use, partial(train_trial, training_of(options, device=device))),
            executor=options.executor,
            resources=resources,
            title=title,
            tracking=TrialTracking(run.path, options),
        )
    except TrialsInterrupted:
        raise Interrupted(str(run.path)) from None
