"""Options of commands that run many trials. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from darts.errors import UserError
from darts.settings.options import option

ExecutorName = Literal["in-process", "processes", "ray"]


@dataclass(frozen=True, kw_only=True)
class ExecutorOptions:
    """Where trials run.

    Args:
        executor: Where trainings run: in-process trains them one after the other here; processes
            shares this machine's cores and GPUs; ray uses the cluster at RAY_ADDRESS or starts one
            here.
        parallel: Trainings at the same time; 0 for as many as there are GPUs, or else cores.
        cpus_per_trial: CPUs that a training asks Ray for.
        gpus_per_trial: GPUs that a training asks Ray for; a fraction shares one.

    Raises:
        UserError: A number is negative.
    """

    executor: ExecutorName = option("in-process", where=True, resumable=True)
    parallel: int = option(0, where=True, resumable=True)
    cpus_per_trial: float = option(1.0, where=True, resumable=True)
    gpus_per_trial: float = option(0.0, where=True, resumable=True)

    def __post_init__(self) -> None:
        if self.parallel < 0 or self.cpus_per_trial < 0 or self.gpus_per_trial < 0:
            raise UserError("--parallel, --cpus-per-trial, --gpus-per-trial: 0 or more is needed.")


@dataclass(frozen=True, kw_only=True)
class TrialOptions(ExecutorOptions):
    """Where trials run, and whether failed ones run again.

    Args:
        retry_failed: Train again what failed earlier.
    """

    retry_failed: bool = option(False, where=True)
