"""From one's own images to a trained network, and advice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from darts.settings.options import names_of

if TYPE_CHECKING:
    from darts.advising.advice import Advice
    from darts.fitting.options import FitOptions
    from darts.fitting.outcome import Outcome
    from darts.fitting.plan import Plan


def fit(data: str, budget: str | float = "1h", **settings: Any) -> Outcome:
    """Find and train a network for one's own images within a time budget.

    >>> outcome = fit("photos", budget="2h", max_macs="100M")  # doctest: +SKIP
    >>> outcome.winner.name, outcome.test.accuracy  # doctest: +SKIP

    Args:
        data: Folder of images, file, or name of a data set.
        budget: Time for everything: seconds, or text such as "90s", "30m" or "1h30m".
        settings: Those of `darts.fitting.options.FitOptions`: `max_macs`, `out`, `seed` …

    Raises:
        UserError: A setting or the data are wrong, or the budget is too small.
        Interrupted: SIGINT or SIGTERM came; the same call continues.
    """
    from darts.fitting.options import FitOptions
    from darts.settings.quantities import parse_duration

    seconds = parse_duration(budget, "budget") if isinstance(budget, str) else float(budget)
    _check_names(settings, *names_of(FitOptions))
    return run_fit(FitOptions(data=str(data), budget=seconds, **settings))


def advise(data: str, **settings: Any) -> Advice:
    """Settings for one's own images, with reasons, and what they will cost on this machine.

    >>> advice = advise("photos")  # doctest: +SKIP
    >>> advice.search.command, advice.search.seconds  # doctest: +SKIP

    Args:
        data: Folder of images, file, or name of a data set.
        settings: `image_size`, `device`, `threads`, `seed`; `data_dir`, `workers`; and
            `start_seconds`, what a command needs before it opens the data.

    Raises:
        UserError: A setting or the data are wrong.
    """
    from darts.advising.advice import AdviceOptions, advise_on
    from darts.data.options import DataOptions
    from darts.data.sources import dataset_of

    own = ("data_dir", "workers")
    _check_names(settings, *own, *("image_size", "device", "threads", "seed", "start_seconds"))
    place = {name: settings[name] for name in own if settings.get(name) is not None}
    others = {name: value for name, value in settings.items() if name not in own}
    data_options = DataOptions(dataset=dataset_of(str(data)), **place)
    return advise_on(AdviceOptions(data=data_options, **others))


def _check_names(settings: Mapping[str, Any], *known: str) -> None:
    """Raise UserError if a setting has no known name."""
    from darts.errors import UserError

    if unknown := sorted(set(settings).difference(known)):
        raise UserError(f"Unknown setting {', '.join(unknown)}; there are: {', '.join(known)}.")


def run_fit(options: FitOptions, begun: float | None = None) -> Outcome:
    """Carry out a fit with these options; `begun` is when it began, by `time.monotonic`."""
    from darts.fitting import run

    return run.carry_out(options, run.Instruments(begun=begun))


def plan_fit(options: FitOptions, begun: float | None = None) -> tuple[Plan, str]:
    """The plan of a fit, and its text; nothing is written."""
    from darts.fitting.run import Instruments, plan_only

    return plan_only(options, Instruments(begun=begun))
