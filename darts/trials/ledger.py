"""Records what happens to trials: in the store and on the display."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from darts.errors import DiskError
from darts.trials.attempt import TrialOutcome
from darts.trials.progress import TrialProgress
from darts.trials.store import TrialStore
from darts.trials.tracking import TrialTracking


class Ledger:
    """Where executors report the progress of their trials; used by the driver only.

    Args:
        store: The experiment.
        progress: The display.
        objective: Entry of the results that is to be minimised.
        deaths_allowed: Number of workers that may die on one trial before it counts as failed.
        tracking: Records trials that have ended well, also those of earlier calls.
    """

    def __init__(
        self,
        store: TrialStore,
        progress: TrialProgress,
        objective: str,
        deaths_allowed: int,
        tracking: TrialTracking | None = None,
    ) -> None:
        self._tracking = tracking
        if tracking is not None:
            tracking.complete(store.rows())
        self._store, self._progress, self._objective = store, progress, objective
        self._deaths_allowed = deaths_allowed
        self._deaths: dict[str, int] = {}
        self._running: set[str] = set()
        self._best: float | None = None
        for key, result in store.results().items():
            self._compare(key, result)

    def started(self, key: str) -> None:
        """An attempt begins."""
        self._store.start(key)
        self._running.add(key)
        self._progress.started(key)

    def reported(self, key: str, *curve: Mapping[str, Any]) -> None:
        """A running trial has finished these epochs, in this order."""
        if curve:
            self._store.report(key, *curve)
            self._progress.reported(key, _listed(curve[-1]))

    def ended(self, key: str, outcome: TrialOutcome) -> None:
        """An attempt has ended with a result or an error.

        Raises:
            DiskError: The disk refused something; the trial is pending again.
        """
        if outcome.disk is not None:
            raise DiskError(outcome.disk)  # `release_all` follows.
        self._running.discard(key)
        seconds, where = outcome.seconds, outcome.environment
        if outcome.result is not None:
            self._store.finish(key, outcome.result, seconds=seconds, environment=where)
            self._compare(key, outcome.result)
            self._progress.ended(key, self._value(outcome.result))
            if self._tracking is not None:
                self._tracking.record(self._store.trial(key))
        else:
            error = outcome.error or "no result"
            self._store.fail(key, error, seconds=seconds, environment=where)
            self._progress.ended(key, f"failed: {error.splitlines()[-1]}", failed=True)

    def died(self, key: str, reason: str) -> bool:
        """The worker died without an outcome; returns whether the trial may be retried."""
        self._deaths[key] = self._deaths.get(key, 0) + 1
        if self._deaths[key] <= self._deaths_allowed:
            self._progress.message(f"{key}: {reason} The trial is started again.")
            self._release(key)
            return True
        self.ended(key, TrialOutcome(error=reason))
        return False

    def release_all(self) -> None:
        """Make all running trials pending."""
        for key in sorted(self._running):
            self._release(key)

    def _release(self, key: str) -> None:
        self._running.discard(key)
        self._store.release(key)
        self._progress.released(key)

    def _compare(self, key: str, result: Mapping[str, Any]) -> None:
        value = result.get(self._objective)
        if isinstance(value, (int, float)) and (self._best is None or value < self._best):
            self._best = value
            self._progress.best(f"{self._amount(value)} ({key})")

    def _value(self, result: Mapping[str, Any]) -> str:
        value = result.get(self._objective)
        return self._amount(value) if isinstance(value, (int, float)) else "done"

    def _amount(self, value: float) -> str:
        """The objective with its name and unit: `test error 12.50 %`."""
        unit = " %" if self._objective.endswith(("error", "accuracy")) else ""
        return f"{self._objective.replace('_', ' ')} {value:.2f}{unit}"


def _listed(measured: Mapping[str, Any]) -> str:
    """The line of an epoch; people count epochs from 1.

    >>> _listed({"epoch": 0, "train_loss": 1.23456})
    'epoch 1  train loss 1.235'
    """
    shown = {**measured, "epoch": measured["epoch"] + 1} if "epoch" in measured else measured
    return "  ".join(
        f"{name.replace('_', ' ')} {f'{value:.4g}' if isinstance(value, float) else value}"
        for name, value in shown.items()
    )
