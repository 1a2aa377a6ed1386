"""How the arms of a study are trained. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass

from darts.errors import UserError
from darts.settings.options import option
from darts.trials.options import TrialOptions


@dataclass(frozen=True, kw_only=True)
class ArmOptions(TrialOptions):
    """How the arms of a study are trained.

    Attributes:
        seeds: Number of trainings of each arm.
        seed: The first seed.
        epochs: Epochs of each training; None: those of the search.
        final: Whether to train on all training images and judge by the test images, at the end.
        device: Device of the trainings.
        threads: CPU threads of each training.
        use: Files of the user's own.
    """

    seeds: int = 3
    seed: int = 0
    epochs: int | None = None
    final: bool = False
    device: str = option("auto", where=True)
    threads: int = option(0, where=True)
    use: str | None = None

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise UserError(f"--seeds {self.seeds}: must be at least 1.")
        if self.epochs is not None and self.epochs < 1:
            raise UserError(f"--epochs {self.epochs}: must be at least 1.")
