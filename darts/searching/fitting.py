"""The recipe of a search fits itself to the data at hand."""

from __future__ import annotations

from typing import TypeVar

from darts.data.facts import announce, data_facts
from darts.searching.options import SearchOptions
from darts.settings.adapting import (
    Fitting,
    fit_batch,
    fit_cutout,
    fit_numbers_of_images,
    fit_warm_up,
    images_used,
)
from darts.settings.origins import Origins
from darts.system import distributed

Options = TypeVar("Options", bound=SearchOptions)

_WARM_UP = 0.3
"""Share of the epochs before alpha and beta are trained, as PC-DARTS has it (15 of 50)."""


def fit_search(options: Options, origins: Origins) -> Options:
    """Fit what the user did not set to the data, and say what was changed.

    Raises:
        UserError: What the user set does not fit, or the data are wrong.
    """
    if options.resume is not None:
        return options
    fitting = fitted_search(options, origins)
    announce(fitting)
    return fitting.options


def fitted_search(options: Options, origins: Origins) -> Fitting[Options]:
    """The same without a word."""
    fitting = Fitting(options, origins)
    facts = data_facts(options, options.seed)
    fit_numbers_of_images(fitting, facts)
    used = images_used(fitting, facts)
    weights = int(used * (1 - options.arch_fraction) + 1e-9)
    smaller = min(weights, used - weights)
    parts = max(distributed.world() * options.accumulate, 1)
    fit_batch(fitting, smaller, f"the smaller part of {used} training images", parts)
    fit_cutout(fitting, facts.size)
    for name, share in (("lr_warmup_epochs", 0.2), ("arch_warmup_epochs", _WARM_UP)):
        fit_warm_up(fitting, name, share)
    return fitting
