"""Validation of a search's options, before anything is read or written."""

from __future__ import annotations

from darts.costs.ceilings import ceilings_of
from darts.errors import UserError
from darts.searching.assembly import method_of
from darts.searching.options import SearchOptions
from darts.system import distributed
from ops.partial import ChannelError, partial_size


def check_search(options: SearchOptions) -> None:
    """Check the settings of a search.

    Raises:
        UserError: A setting cannot work; the message names the option and its range.
    """
    try:
        partial_size(options.channels, options.k)
    except ChannelError as error:
        raise UserError(f"--k: {error}") from None
    for name, least in (("epochs", 1), ("batch_size", 1), ("log_every", 1)):
        value = getattr(options, name)
        if value < least:
            flag = name.replace("_", "-")
            raise UserError(f"--{flag}: must be {least} or more, not {value}.")
    # Of three cells, one is normal and two reduce; of two, both would reduce.
    if options.layers < 3 and options.layers != 1:
        raise UserError(
            f"--layers: must be 3 or more, or 1 for a single reduction cell, not {options.layers}."
        )
    distributed.check_parts(options.batch_size, options.accumulate)
    if not 2 <= options.nodes <= 8:
        raise UserError(f"--nodes: a cell has 2 to 8 inner nodes, not {options.nodes}.")
    if not 0 < options.arch_fraction < 1:
        raise UserError(f"--arch-fraction: must be between 0 and 1, not {options.arch_fraction}.")
    if options.arch_every < 1:
        raise UserError(f"--arch-every: must be 1 or more, not {options.arch_every}.")
    if not 0 <= options.drop_path < 1:
        raise UserError(f"--drop-path: must be between 0 and 1, not {options.drop_path}.")
    ceilings_of(options, {"macs": 0.0, "params": 0.0})
    _check_method(options)


def _check_method(options: SearchOptions) -> None:
    """Check that the settings allow what the method does."""
    method = method_of(options)
    if options.cuda_graphs == "always" and not method.recordable:
        raise UserError(
            f"--cuda-graphs always: an iteration of {method.name} changes from step to step or "
            "reads the device, so it cannot be recorded. Use --cuda-graphs auto."
        )
    if method.relaxation.after_step is not None and (
        options.arch_betas[0] or options.arch_weight_decay
    ):
        raise UserError(
            "This relaxation trains two alphas of an edge per step and leaves the others. Use "
            "--arch-betas '[0.0, 0.999]' and --arch-weight-decay 0, because momentum and weight "
            "decay would move them."
        )
    ceilings = [
        name for name in ("max_macs", "max_params", "max_latency") if getattr(options, name)
    ]
    if method.selection.evaluates and ceilings:
        flag = ceilings[0].replace("_", "-")
        raise UserError(
            f"--{flag}: {method.name} chooses its cell by evaluating the supernet and cannot keep "
            "a ceiling. Use --selection strongest with it."
        )
