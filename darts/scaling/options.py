"""Options of scaling by training. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from dataclasses import dataclass

from darts.training.options import TrainingOptions
from darts.trials.options import TrialOptions


@dataclass(frozen=True, kw_only=True)
class ScalingOptions(TrainingOptions, TrialOptions):
    """How the scaled networks of a grid or a study are trained, and where."""
