"""Rungs of short trainings on set-aside training images: the better networks go on for longer.

Successive halving (Jamieson and Talwalkar, arXiv 1502.07943). Each training starts from scratch and
is a durable trial. The order of trainings, and who goes on, follow from the results alone; only
where the time runs out is a rung cut short, and that is decided once and written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from darts.errors import UserError
from darts.fitting.decisions import Decisions
from darts.fitting.field import Entrant
from darts.fitting.plan import PlannedRung
from darts.fitting.recipe import for_epochs
from darts.judging.short_training import ShortTraining
from darts.system.randomness import stream_seed
from darts.training.options import TrainingOptions
from darts.trials.attempt import ReportEpoch
from darts.trials.store import TrialStore

RunTrials = Callable[[str], None]
"""Runs the pending trials; takes the title of the display."""


@dataclass(frozen=True)
class FieldTraining:
    """A trial function: one short training of one network.

    Attributes:
        recipe: The recipe that all share.
        every: Which training image of each class is set aside.
    """

    recipe: TrainingOptions
    every: int

    def __call__(self, settings: Mapping[str, Any], report: ReportEpoch) -> dict[str, Any]:
        """Train; `settings` has `model`, `seed`, `epochs` and `recipe`, the network's own."""
        own = replace(for_epochs(self.recipe, settings["epochs"]), **settings["recipe"])
        training = ShortTraining(own, self.every)
        return training({"model": settings["model"], "seed": settings["seed"]}, report)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a network has reached in its last rung.

    Attributes:
        name: Its name.
        rung: Its last rung, from 1.
        epochs: Epochs of that rung.
        accuracies: Accuracy (%) on the set-aside images of each training there.
        epoch_seconds: Mean seconds of an epoch there, with its share of the test.
        error: Why it could not be trained; empty if it was.
    """

    name: str
    rung: int
    epochs: int
    accuracies: tuple[float, ...]
    epoch_seconds: float
    error: str = ""

    @property
    def mean(self) -> float:
        """Mean accuracy (%); -1 for none."""
        return sum(self.accuracies) / len(self.accuracies) if self.accuracies else -1.0


@dataclass(frozen=True, kw_only=True)
class Race:
    """The rungs of one fit.

    Attributes:
        store: The trials.
        decisions: Where a cut is written.
        run: Runs the pending trials.
        left: Seconds that are left of the budget.
        kept_back: Seconds that the final training and everything after it need.
        seed: Seed of all trainings.
        rungs: Number of rungs, for the display.
    """

    store: TrialStore
    decisions: Decisions
    run: RunTrials
    left: Callable[[], float]
    kept_back: float
    seed: int
    rungs: int = 1

    def standings(self, field: Sequence[Entrant], rungs: Sequence[PlannedRung]) -> list[Standing]:
        """Run all rungs; the best network first.

        Networks of a later rung come before those of an earlier one, because they have won it.

        Raises:
            UserError: No network could be trained.
            TrialsInterrupted: SIGINT or SIGTERM came; finished trainings are kept.
        """
        running, done = list(field), dict[str, Standing]()
        for number, rung in enumerate(rungs, 1):
            running = running[: rung.networks] if number > 1 else running
            found: list[Standing | None] = []
            for one in running:
                # Some network is always trained, so that there is a winner.
                always = number == 1 and not any(each and each.accuracies for each in found)
                found.append(self._rung(one, number, rung, always))
            reached = {one.name: one for one in found if one is not None}
            if not reached:
                break
            done |= reached
            order = {one.name: place for place, one in enumerate(field)}
            good = [one for one in running if one.name in reached and reached[one.name].accuracies]
            running = sorted(good, key=lambda e: (-reached[e.name].mean, order[e.name]))
        best = sorted(done.values(), key=lambda one: (-one.rung, -one.mean))
        if not best or not best[0].accuracies:
            reason = next((one.error for one in best if one.error), "the time was too short")
            raise UserError(f"No network of the field could be trained: {reason}")
        return best

    def _rung(self, one: Entrant, number: int, rung: PlannedRung, always: bool) -> Standing | None:
        """The trainings of a network in a rung; None if the time did not suffice for any.

        Args:
            always: Do the first one even if there is no time.
        """
        keys = [training_key(number, one.name, again) for again in range(rung.trainings)]
        for again, key in enumerate(keys):
            share = rung.seconds / (rung.networks * rung.trainings)
            if not (always and again == 0) and not self.decisions.made(
                f"start {key}",
                lambda share=share: self.left() - share > self.kept_back,  # type: ignore[misc]
            ):
                keys = keys[:again]
                break
            settings = {
                "model": one.model,
                "seed": stream_seed(self.seed, key),
                "epochs": rung.epochs,
                "recipe": one.recipe,
            }
            self.store.add_all({key: settings})
            self.run(f"rung {number} of {self.rungs}")
        if not keys:
            return None
        return self._standing(one.name, number, rung, keys)

    def _standing(self, name: str, number: int, rung: PlannedRung, keys: Sequence[str]) -> Standing:
        trials = [self.store.trial(key) for key in keys]
        done = [trial for trial in trials if trial.result is not None]
        seconds = [(trial.seconds or 0.0) / rung.epochs for trial in done]
        errors = [trial.error.splitlines()[-1] for trial in trials if trial.error]
        return Standing(
            name=name,
            rung=number,
            epochs=rung.epochs,
            accuracies=tuple(trial.result["accuracy"] for trial in done if trial.result),
            epoch_seconds=sum(seconds) / len(seconds) if seconds else 0.0,
            error=errors[0] if errors else "",
        )


def training_key(rung: int, name: str, again: int) -> str:
    """The key of a training.

    >>> training_key(1, "darts_v2", 0), training_key(3, "darts_v2", 1)
    ('rung 1: darts_v2', 'rung 3: darts_v2, again 1')
    """
    return f"rung {rung}: {name}" + (f", again {again}" if again else "")
