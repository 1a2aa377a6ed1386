"""What a sweep searches: its configurations, the settings of each, and the keys of its trials."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from darts.errors import UserError
from darts.searching.checks import check_search
from darts.searching.options import SearchOptions, search_overlay
from darts.settings.options import IntervalOptions, names_of, tagged
from darts.settings.origins import Fit
from darts.settings.parsing import options_from
from darts.sweeps.options import SweepOptions, value_text


@dataclass(frozen=True, eq=False)
class Configuration:
    """A method with one combination of the grid's settings; a key of mappings by identity.

    Attributes:
        method: The search method.
        changes: The settings of the grid.
    """

    method: str
    changes: Mapping[str, Any]

    @property
    def label(self) -> str:
        """Its name in tables and keys.

        >>> Configuration("pc-darts", {"k": 2, "edge_normalisation": True}).label
        'pc-darts k=2 edge-normalisation=true'
        """
        settings = [f"{n.replace('_', '-')}={value_text(v)}" for n, v in self.changes.items()]
        return " ".join([self.method, *settings])

    def key(self, seed: int) -> str:
        """The key of a search."""
        return f"{self.label} seed {seed}"

    def run(self, seed: int) -> str:
        """The run directory of a search, relative to that of the sweep.

        >>> Configuration("pc-darts", {"k": 2}).run(0)
        'runs/pc-darts-k=2-seed-0'
        """
        return "runs/" + re.sub(r"[^\w=.+]+", "-", self.key(seed))


def configurations(options: SweepOptions) -> tuple[Configuration, ...]:
    """All configurations: methods in the given order, of each the whole grid.

    >>> plan = SweepOptions(out="s", methods=["darts-v1"], grid={"k": [1, 2], "layers": [5]})
    >>> [one.label for one in configurations(plan)]
    ['darts-v1 k=1 layers=5', 'darts-v1 k=2 layers=5']
    """
    return tuple(
        Configuration(method, dict(zip(options.grid, values, strict=True)))
        for method in options.methods
        for values in itertools.product(*options.grid.values())
    )


def planned_searches(
    options: SweepOptions, fit: Fit[SearchOptions] | None = None
) -> dict[Configuration, SearchOptions]:
    """The settings of each configuration's searches, with the first seed.

    The grid overrides settings of one method, these override common ones, and all override what
    method, space, data set and preset imply.

    Args:
        options: The sweep.
        fit: Fits what no setting of the sweep says to the data, which must then be here.

    Raises:
        UserError: Settings cannot work; the message names the configuration.
    """
    changeable = {*tagged(SearchOptions, "where"), *names_of(IntervalOptions)}
    for name in [*options.grid, *(name for own in options.own.values() for name in own)]:
        if name in changeable:
            flag = name.replace("_", "-")
            raise UserError(
                f"--set {flag}: {flag} cannot change the result of a search. Give --{flag} for all."
            )
    planned: dict[Configuration, SearchOptions] = {}
    for one in configurations(options):
        given = {**options.settings, **options.own.get(one.method, {}), **one.changes}
        try:
            own = {**given, "method": one.method}
            search = options_from(SearchOptions, own, search_overlay, fit)
            search = replace(search, seed=options.seeds[0])
            check_search(search)
        except UserError as error:
            raise UserError(f"{one.label}: {error}") from None
        planned[one] = search
    labels = [one.run(0) for one in planned]
    if len(set(labels)) < len(labels):
        raise UserError("--set: two configurations would have the same run directory.")
    return planned
