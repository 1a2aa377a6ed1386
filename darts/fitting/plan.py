"""The plan of a fit, as data: what is run, for how long, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from darts.advising.machine import Rates, SearchRate

EVERY = 5
"""Every fifth training image of each class is set aside to compare networks."""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What was measured of the machine, once for each fit.

    Attributes:
        image_size: Side of the images in pixels, chosen by the speed of a probe.
        rates: Networks of the field, at this size.
        search: A step of a search; None if none could run.
        delay: Seconds that pass for each second of processor time, at least 1; more on a machine
            that is shared.
    """

    image_size: int
    rates: Rates
    search: SearchRate | None
    delay: float = 1.0

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        search = None if self.search is None else asdict(self.search)
        return {
            "image_size": self.image_size,
            "rates": self.rates.as_list(),
            "search": search,
            "delay": self.delay,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Machine:
        """The inverse of `as_dict`."""
        search = values["search"]
        return cls(
            image_size=values["image_size"],
            rates=Rates.from_list(values["rates"]),
            search=None if search is None else SearchRate(**search),
            delay=values["delay"],
        )


@dataclass(frozen=True, kw_only=True)
class PlannedRung:
    """One round of short trainings.

    Attributes:
        networks: Networks that take part, the best of the round before.
        epochs: Epochs of each training.
        trainings: Trainings of each network, with different seeds.
        seconds: Expected duration.
    """

    networks: int
    epochs: int
    trainings: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class PlannedSearches:
    """The searches of cells.

    Attributes:
        seeds: Number of searches.
        settings: Settings of each one, as `search.py` has them.
        seconds: Expected duration of all of them.
    """

    seeds: int
    settings: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Field:
    """How many networks of each kind compete.

    Attributes:
        zoo: Published cells.
        random: Random cells.
        regnet: RegNets.
        efficientnet: EfficientNets scaled to the ceiling.
    """

    zoo: int
    random: int
    regnet: int
    efficientnet: int

    @property
    def networks(self) -> int:
        """All of them."""
        return self.zoo + self.random + self.regnet + self.efficientnet


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a fit does.

    Attributes:
        image_size: Side of the images in pixels.
        every: Which training image of each class is set aside to compare networks.
        batch_size: Images of a training step.
        ceiling: Most multiply-adds for one image.
        ceiling_why: Where the ceiling comes from, in words.
        field: The competing networks that need no search.
        searches: The searches; None if they would not be useful.
        rungs: The rounds of short trainings.
        final_seconds: What remains for the final training.
        final_epochs: Epochs of the final training, about; what remains decides.
        reserve: Seconds kept back for test, exports and page.
        budget: Seconds of the whole fit.
        spent: Seconds that had been spent when the plan was made.
        reasons: The plan in sentences.
        limits: What the fit will not be able to tell, in sentences.
    """

    image_size: int
    every: int
    batch_size: int
    ceiling: int
    ceiling_why: str
    field: Field
    searches: PlannedSearches | None
    rungs: tuple[PlannedRung, ...]
    final_seconds: float
    final_epochs: int
    reserve: float
    budget: float
    spent: float
    reasons: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Plan:
        """The inverse of `as_dict`."""
        searches = values["searches"]
        return cls(
            **{
                **values,
                "field": Field(**values["field"]),
                "searches": None if searches is None else PlannedSearches(**searches),
                "rungs": tuple(PlannedRung(**one) for one in values["rungs"]),
                "reasons": tuple(values["reasons"]),
                "limits": tuple(values["limits"]),
            }
        )
