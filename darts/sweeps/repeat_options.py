"""Options of a retraining that is repeated with several seeds. Torch-free."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace

from darts.errors import UserError
from darts.settings.options import names_of, option, shared_values
from darts.settings.seeds import seeds_in
from darts.training.options import TrainingOptions
from darts.trials.options import ExecutorOptions


@dataclass(frozen=True, kw_only=True)
class RepeatOptions:
    """One training with several seeds.

    Args:
        seeds: Train several times and report mean and deviation: a number of trainings, whose seeds
            follow --seed (5), a list (0,5,7) or a range (0..4) of seeds. By default one training.
        retry_failed: Repeat trainings that failed earlier.
    """

    seeds: int | str | None = None
    retry_failed: bool = option(False, where=True, resumable=True)


@dataclass(frozen=True, kw_only=True)
class ManyTrainingOptions(TrainingOptions, RepeatOptions, ExecutorOptions):
    """Settings of `evaluate.py`: one training, or with `seeds` several.

    With --baseline, a comparison with networks of the same cost: see python -m darts compare.
    """

    @property
    def training(self) -> TrainingOptions:
        """The settings of one training."""
        return TrainingOptions(**shared_values(self, TrainingOptions))

    def trainings(self, plan: TrainingOptions) -> dict[int, TrainingOptions]:
        """The settings of each training by its seed; `plan` has those that all share."""
        plain = replace(plan, run_dir=None, resume=None)
        return {seed: replace(plain, seed=seed) for seed in self._seeds()}

    def _seeds(self) -> tuple[int, ...]:
        too_few = "mean and deviation need 2 trainings or more."
        return seeds_in(self.seeds, self.seed, least=2, too_few=too_few, what="trainings")

    def check_repeats(self) -> None:
        """Check the settings of several trainings.

        Raises:
            UserError: A setting needs `seeds` or forbids it, or this is one of several processes of
                torchrun.
        """
        if self.seeds is None:
            defaults = {one.name: one.default for one in fields(ManyTrainingOptions)}
            for name in names_of(RepeatOptions, ExecutorOptions):
                if getattr(self, name) != defaults[name]:
                    flag = name.replace("_", "-")
                    raise UserError(f"--{flag} belongs to several trainings: add --seeds 5.")
            return
        if self.test_only:
            raise UserError("--seeds: --test-only tests one checkpoint; give one of the two.")
        if int(os.environ.get("WORLD_SIZE", "1")) > 1:
            raise UserError(
                "--seeds: torchrun shares one training among processes. Start several trainings "
                "without it; --executor processes runs them side by side."
            )
        self._seeds()
