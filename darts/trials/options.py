"""Options of commands that run many trials. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from darts.errors import UserError

ExecutorName = Literal["in-process", "processes", "ray"]


@dataclass(frozen=True, kw_only=True)
class TrialOptions:
    """Where trials run, and whether failed ones run again.

    Args:
        executor: Where trainings run. processes: worker processes share this machine's cores and
            GPUs; ray: the cluster at RAY_ADDRESS, or a new local one.
        parallel: Number of trainings at the same time; 0: one per GPU, or one per core without
            GPUs.
        cpus_per_trial: CPUs that each training requests from Ray.
        gpus_per_trial: GPUs that each training requests from Ray; below 1, trainings share a GPU.
        retry_failed: Repeat the trainings that failed earlier.

    Raises:
        UserError: A number is negative.
    """

    # Not ExecutorName: the parser looks up types where a command's options are defined.
    executor: Literal["in-process", "processes", "ray"] = "in-process"
    parallel: int = 0
    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    retry_failed: bool = False

    def __post_init__(self) -> None:
        if self.parallel < 0 or self.cpus_per_trial < 0 or self.gpus_per_trial < 0:
            raise UserError("--parallel, --cpus-per-trial and --gpus-per-trial must be at least 0.")
