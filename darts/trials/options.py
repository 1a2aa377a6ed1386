"""Options of whatever does many trials. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from darts.errors import UserError

ExecutorName = Literal["in-process", "processes", "ray"]


@dataclass(frozen=True, kw_only=True)
class TrialOptions:
    """Where trials run, and whether failed ones do again.

    Args:
        executor: Where trainings run; processes share this machine's cores and GPUs, ray goes by
            RAY_ADDRESS or starts a cluster here.
        parallel: Trainings at the same time; 0 for as many as there are GPUs, or else cores.
        cpus_per_trial: CPUs that a training asks Ray for.
        gpus_per_trial: GPUs that a training asks Ray for; a part of 1 shares one.
        retry_failed: Train again what failed earlier.

    Raises:
        UserError: A number is negative.
    """

    # Spelt out: the parser looks for types where the options of a command are defined.
    executor: Literal["in-process", "processes", "ray"] = "in-process"
    parallel: int = 0
    cpus_per_trial: float = 1.0
    gpus_per_trial: float = 0.0
    retry_failed: bool = False

    def __post_init__(self) -> None:
        if self.parallel < 0 or self.cpus_per_trial < 0 or self.gpus_per_trial < 0:
            raise UserError("--parallel, --cpus-per-trial, --gpus-per-trial: 0 or more is needed.")
