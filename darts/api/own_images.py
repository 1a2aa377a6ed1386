"""From one's own images to a trained network, and advice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from darts.fitting.options import FitOptions
from darts.settings.options import names_of
from darts.settings.signatures import check_names, takes

if TYPE_CHECKING:
    from darts.advising.advice import Advice
    from darts.fitting.outcome import Outcome
    from darts.fitting.plan import Plan


@takes(FitOptions)
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
    from darts.settings.quantities import parse_duration

    seconds = parse_duration(budget, "budget") if isinstance(budget, str) else float(budget)
    check_names(settings, *names_of(FitOptions))
    return run_fit(FitOptions(data=str(data), budget=seconds, **settings))


def advise(
    data: str,
    *,
    image_size: int | None = None,
    device: str = "auto",
    threads: int = 0,
    seed: int = 0,
    data_dir: str | None = None,
    workers: int | None = None,
    start_seconds: float = 0.0,
) -> Advice:
    """Settings for one's own images, with reasons, and what they will cost on this machine.

    >>> advice = advise("photos")  # doctest: +SKIP
    >>> advice.search.command, advice.search.seconds  # doctest: +SKIP

    Args:
        data: Folder of images, file, or name of a data set.
        image_size: Side of the images in pixels; None: chosen.
        device: Where to train.
        threads: CPU threads; 0 leaves the choice to torch.
        seed: Seed of all random choices.
        data_dir: Directory of the named data sets.
        workers: Processes that decode image files.
        start_seconds: Seconds that a command needs before it opens the data.

    Raises:
        UserError: The data are wrong.
    """
    from darts.advising.advice import AdviceOptions, advise_on
    from darts.data.options import DataOptions
    from darts.data.sources import dataset_of

    place = {"data_dir": data_dir, "workers": workers}
    given: dict[str, Any] = {name: value for name, value in place.items() if value is not None}
    return advise_on(
        AdviceOptions(
            data=DataOptions(dataset=dataset_of(str(data)), **given),
            image_size=image_size,
            device=device,
            threads=threads,
            seed=seed,
            start_seconds=start_seconds,
        )
    )


def run_fit(options: FitOptions, begun: float | None = None) -> Outcome:
    """Carry out a fit with these options; `begun` is when it began, by `time.monotonic`."""
    from darts.fitting import run

    return run.carry_out(options, run.Instruments(begun=begun))


def plan_fit(options: FitOptions, begun: float | None = None) -> tuple[Plan, str]:
    """The plan of a fit, and its text; nothing is written."""
    from darts.fitting.run import Instruments, plan_only

    return plan_only(options, Instruments(begun=begun))
