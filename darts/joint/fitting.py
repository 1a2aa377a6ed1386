"""A built-in search space of recipes fits itself to the size of the images."""

from __future__ import annotations

from dataclasses import replace

from darts.joint.space import Space
from darts.joint.space_file import list_joint_spaces
from darts.joint.variables import CategoricalDomain, Variable


def fitted_space(space: Space, name: str, size: int) -> tuple[Space, list[str]]:
    """A built-in space with cut-out squares that are smaller than the images, and what changed.

    A square that is not becomes one of half the image's side, as on CIFAR. A space in a file of
    the user's own is never changed.

    >>> from darts.joint.space_file import find_joint_space
    >>> space, notes = fitted_space(find_joint_space("recipe-small"), "recipe-small", size=8)
    >>> [one.extremes() for one in space.variables if one.name == "cutout"], notes
    ([[0, 4]], ['recipe-small: cutout 0, 4 instead of 0, 8: the images have 8 pixels.'])

    Args:
        space: The space.
        name: The option `space` that named it.
        size: Side of the images in pixels.
    """
    if not set(name.split("+")) <= set(list_joint_spaces()):
        return space, []
    variables, notes = [], []
    for one in space.variables:
        fits = _fitted(one, size)
        variables.append(fits)
        if fits is not one:
            now, before = (", ".join(map(str, each.extremes())) for each in (fits, one))
            notes.append(
                f"{space.name}: {one.name} {now} instead of {before}: the images have {size} "
                "pixels."
            )
    return (replace(space, variables=tuple(variables)) if notes else space), notes


def _fitted(variable: Variable, size: int) -> Variable:
    domain = variable.domain
    if "cutout" not in variable.sets or not isinstance(domain, CategoricalDomain):
        return variable
    if all(value < size for value in domain.values):
        return variable
    values = [value if value < size else size // 4 * 2 for value in domain.values]
    return replace(variable, domain=CategoricalDomain(tuple(dict.fromkeys(values))))
