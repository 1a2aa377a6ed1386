"""Ranges of a design space that differ from the paper's: `--wm 2 --tie-wa --depth 12-28`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from darts.design_space.distributions import Choice, Distribution, LogUniform
from darts.design_space.options import SpaceOptions
from darts.design_space.spaces import AnyNetSpace, RegNetSpace, create_space
from darts.errors import UserError
from darts.models.anynet.config import AnyNetStem

# The options, and the step of the values between two bounds.
_STEPS = {"depth": 1.0, "w0": 8.0, "wa": 0.1, "wm": 0.001, "bottleneck": 0.0, "group_width": 8.0}
_OF_REGNETS = ("w0", "wa", "wm")


def space_with_ranges(options: SpaceOptions, stem: AnyNetStem) -> AnyNetSpace | RegNetSpace:
    """The space that the options describe, with their ranges.

    >>> space = space_with_ranges(SpaceOptions(wm="2", tie_wa=True, depth="12-28"), "simple")
    >>> space.wm, space.wa, space.depth.low, space.dimensions
    (Choice(values=(2.0,)), None, 12.0, 4)

    Raises:
        UserError: There is no such space, or a range cannot be read or does not belong to it.
    """
    space = create_space(
        options.space, stages=options.stages, stem=stem, stem_width=options.stem_width
    )
    if options.constrained:
        if not isinstance(space, RegNetSpace):
            raise UserError(f"--constrained: it narrows RegNets, not {options.space}.")
        space = space.constrained()
    changes: dict[str, Any] = {
        name: parse_range(str(given), name)
        for name in _STEPS
        if (given := getattr(options, name)) is not None
    }
    if isinstance(space, RegNetSpace):
        if options.tie_wa:
            if "wa" in changes:
                raise UserError("--wa, --tie-wa: --tie-wa sets w_a = w_0; give one of the two.")
            changes["wa"] = None
        return replace(space, **changes)
    wrong = [name for name in _OF_REGNETS if name in changes] + ["tie_wa"] * options.tie_wa
    if wrong:
        flag = wrong[0].replace("_", "-")
        raise UserError(f"--{flag}: {options.space} has no such parameter; RegNets have it.")
    return replace(space, **changes)


def parse_range(text: str, name: str) -> Distribution:
    """One value (2), several (1,2,4), or the values between two bounds (12-28).

    Values between bounds are log-uniform, as in the paper.

    >>> parse_range("1,2,4", "group_width"), parse_range("2-3", "wm").levels
    (Choice(values=(1.0, 2.0, 4.0)), 1001)

    Raises:
        UserError: It is none of them.
    """
    flag = f"--{name.replace('_', '-')}"
    wrong = UserError(
        f"{flag} {text}: give a value such as 2, several such as 1,2,4, or bounds such as 12-28."
    )
    step = _STEPS[name]
    try:
        if "-" in text:
            low, high = map(float, text.split("-"))
            if not step:
                raise UserError(f"{flag} {text}: give single values, such as 1,2,4.")
            if not 0 < low < high:
                raise wrong
            for bound in (low, high):
                if abs(bound / step - round(bound / step)) > 1e-6:
                    raise UserError(f"{flag} {text}: the bounds are multiples of {step:g}.")
            return LogUniform(low, high, step)
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise wrong from None
    if not all(value > 0 for value in values) or len(set(values)) < len(values):
        raise wrong
    if step >= 1 and any(value != int(value) for value in values):
        raise UserError(f"{flag} {text}: whole numbers are needed.")
    return Choice(values)
