"""How a fit is planned: a pure function of the data, the machine, the time and the options.

The time is divided between searches, rungs of short trainings that choose the winner (successive
halving, Jamieson and Talwalkar, arXiv 1502.07943), and the final training of the winner.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from darts.advising.looking import DataSummary
from darts.advising.rules import alpha_rate, search_batch, search_ceiling, search_size
from darts.advising.rules import search_rate as weights_rate
from darts.errors import UserError
from darts.fitting.options import FitOptions
from darts.fitting.plan import EVERY, Field, Machine, Plan, PlannedRung, PlannedSearches
from darts.fitting.plan_words import plan_limits, plan_reasons
from darts.settings.quantities import format_count

_LEAST_IMAGES, _LEAST_OF_CLASS = 20, 2
# Shares of the time after the reserve.
_SEARCH, _RUNGS = 0.20, 0.35
# Processor time of both exports and the page, in seconds; the largest share of the budget that is
# kept back for them, and what is added for chance.
_RESERVE, _MOST_RESERVE, _RESERVE_SHARE = 20.0, 0.3, 0.02
# Steps of the weights below which no search is planned: shorter ones find no better than chance.
_USEFUL_STEPS, _LONG_STEPS = 400, 5000
_LEAST_STEPS = 30
_FINAL_EPOCHS = 20
_MOST_EPOCHS = 300
# About the shares of the families in a field.
_PARTS = {"cells": 0.6, "regnet": 0.27, "efficientnet": 0.13}
# A training's building, first step and test, in seconds.
_OVERHEAD = 1.0


def check_data(summary: DataSummary) -> None:
    """Refuse data that no fit can judge networks on.

    Raises:
        UserError: There is one class, or there are too few images.
    """
    if len([count for count in summary.train_counts if count]) < 2:
        raise UserError(f"{summary.dataset}: a fit needs images of two classes or more.")
    if summary.train_images < _LEAST_IMAGES or summary.smallest < _LEAST_OF_CLASS:
        name = summary.classes[summary.train_counts.index(summary.smallest)]
        raise UserError(
            f"{summary.dataset}: a fit needs {_LEAST_IMAGES} training images or more, and "
            f"{_LEAST_OF_CLASS} of each class; there are {summary.train_images}, and "
            f"{summary.smallest} of {name}."
        )


def make_plan(
    options: FitOptions, summary: DataSummary, machine: Machine, spent: float, pretrained: int = 0
) -> Plan:
    """Plan a fit.

    Args:
        options: The budget and the ceilings.
        summary: The data.
        machine: How fast this machine is.
        spent: Seconds that are spent already.
        pretrained: Number of trained networks that join the field.

    Raises:
        UserError: The data cannot judge networks, or the budget is too small for the least plan.
    """
    check_data(summary)
    draft = _Draft(options, summary, machine, spent, pretrained)
    return draft.plan()


def field_batch(images: int) -> int:
    """Batch of the trainings of a fit: a power of two up to 64, at least 15 batches an epoch.

    >>> field_batch(1154), field_batch(480), field_batch(20)
    (64, 32, 2)
    """
    return max(2, min(64, 1 << (max(1, images // 15).bit_length() - 1)))


def usual_macs(image_size: int, images: int) -> int:
    """Multiply-adds beyond which networks seldom get better on so few images.

    12,000 for each pixel, times the number of images over 2,000 from there on (up to 16 times):
    2M at least, 1.2G at most.

    >>> format_count(usual_macs(32, 50_000)), format_count(usual_macs(224, 600))
    ('196.6M', '602.1M')
    """
    usual = 12_000 * image_size**2 * min(16.0, max(1.0, images / 2000))
    return int(min(1.2e9, max(2e6, usual)))


class _Draft:
    """The steps of planning."""

    def __init__(
        self,
        options: FitOptions,
        summary: DataSummary,
        machine: Machine,
        spent: float,
        pretrained: int,
    ) -> None:
        self.options, self.summary, self.machine = options, summary, machine
        self.spent, self.pretrained = spent, pretrained
        self.images = summary.train_images
        self.aside = self.images // EVERY
        self.training = self.images - self.aside
        self.batch = field_batch(self.training)
        self.steps = max(1, self.training // self.batch)

    def plan(self) -> Plan:
        reserve = self._reserve(self.options.budget)
        time = self.options.budget - self.spent - reserve
        ceiling, why = self._ceiling(max(time, 1.0))
        self._check_time(time, ceiling)
        searches = self._searches(_SEARCH * time)
        if searches is not None:
            time -= searches.seconds
        count = 0 if searches is None else searches.seeds
        share = _RUNGS / (1 - _SEARCH) if searches is not None else _RUNGS + _SEARCH / 2
        field, rungs = self._rungs(share * time, ceiling, count)
        left = time - sum(rung.seconds for rung in rungs)
        epoch = self._epoch_seconds(ceiling, self.images)
        final = max(1, min(_MOST_EPOCHS, int(left / epoch)))
        plan = Plan(
            image_size=self.machine.image_size,
            every=EVERY,
            batch_size=self.batch,
            ceiling=ceiling,
            ceiling_why=why,
            field=field,
            searches=searches,
            rungs=rungs,
            final_seconds=min(left, final * epoch),
            final_epochs=final,
            reserve=reserve,
            budget=self.options.budget,
            spent=self.spent,
        )
        reasons = plan_reasons(plan, self.images, self.aside, self.pretrained)
        return replace(plan, reasons=reasons, limits=plan_limits(plan, self.summary, self.aside))

    def _reserve(self, budget: float) -> float:
        macs = min(one.macs for one in self.machine.rates.measured)
        test = self._image_seconds(macs) * self.summary.test_images
        kept = min(_MOST_RESERVE * budget, _RESERVE * self.machine.delay)
        return kept + _RESERVE_SHARE * budget + test

    def _image_seconds(self, macs: float) -> float:
        """Seconds of a training step for one image, on average over the field."""
        rates = self.machine.rates
        shares = {family: _PARTS.get(family, 0.1) for family in rates.families}
        total = sum(share * rates.image_seconds(name, macs) for name, share in shares.items())
        return total / sum(shares.values())

    def _epoch_seconds(self, macs: float, images: int) -> float:
        return images * self._image_seconds(macs)

    def _training_seconds(self, macs: float, epochs: int) -> float:
        """A short training: its epochs, and a test that costs a third of a step for each image."""
        one = self._image_seconds(macs)
        return _OVERHEAD * self.machine.delay + one * (epochs * self.training + self.aside / 3)

    def _ceiling(self, time: float) -> tuple[int, str]:
        """The ceiling of multiply-adds, and why."""
        usual = usual_macs(self.machine.image_size, self.images)
        asked = self.options.macs_ceiling
        most, seconds = asked or usual, (1 - _SEARCH - _RUNGS) * time
        macs = float(most)
        least = self._least_macs()
        while macs > least and _FINAL_EPOCHS * self._epoch_seconds(macs, self.images) > seconds:
            macs *= 0.9
        if macs < most:
            macs = max(macs, min(most, least))
        words = f"about {format_count(int(macs))} multiply-adds for one image"
        if asked is not None and macs >= asked:
            return asked, f"Networks have at most {format_count(asked)} multiply-adds, as asked."
        if macs >= most:
            return usual, (
                f"Networks have at most {words}: larger ones seldom pay for {self.images:,} images "
                f"of {self.machine.image_size} pixels. --max-macs sets another ceiling."
            )
        return int(macs), (
            f"Networks have at most {words}: larger ones could not be trained for "
            f"{_FINAL_EPOCHS} epochs in the time that is left at the end"
            f"{'' if asked is None else f' (asked was {format_count(asked)})'}."
        )

    def _least_macs(self) -> float:
        """Multiply-adds from which on there are cells and RegNets."""
        small = {
            family: min(one.macs for one in self.machine.rates.measured if one.family == family)
            for family in self.machine.rates.families
        }
        cells = [macs for family, macs in small.items() if family != "efficientnet"]
        return 1.3 * max(cells or small.values())

    def _has_efficientnets(self, ceiling: float) -> bool:
        """Whether an EfficientNet is below the ceiling; other families may fit unmeasured."""
        small = [m.macs for m in self.machine.rates.measured if m.family == "efficientnet"]
        return bool(small) and min(small) <= ceiling

    def _check_time(self, time: float, ceiling: int) -> None:
        """Refuse a budget in which not even four networks can be compared."""
        rungs = sum(rung.seconds for rung in self._shaped(4, self._least_epochs(), ceiling, 1))
        work = rungs + max(2 * self._least_epochs(), 5) * self._epoch_seconds(ceiling, self.images)
        if time >= work:
            return
        needed = self.options.budget
        while needed < self.spent + self._reserve(needed) + 1.1 * work:
            needed *= 1.02
        raise UserError(
            f"--budget {self.options.budget:.0f}s: too small for {self.images:,} images on this "
            f"machine; the least plan needs about {math.ceil(needed)}s."
        )

    def _least_epochs(self) -> int:
        return max(1, math.ceil(_LEAST_STEPS / self.steps))

    def _searches(self, seconds: float) -> PlannedSearches | None:
        rate = self.machine.search
        if rate is None:
            return None
        step = (
            0.3 * rate.weight_seconds + 0.7 * rate.step_seconds + rate.closing_seconds / rate.steps
        )
        steps = seconds / step
        if steps < _USEFUL_STEPS:
            return None
        seeds = min(4, max(1, round(steps / 1000)))
        each = min(steps / seeds, _LONG_STEPS)
        epochs = max(6, int(each / rate.steps))
        return PlannedSearches(
            seeds=seeds,
            settings=search_settings(self.training, rate.steps, epochs, rate.backend),
            seconds=seeds * epochs * rate.steps * step,
        )

    def _rungs(
        self, seconds: float, ceiling: int, searched: int
    ) -> tuple[Field, tuple[PlannedRung, ...]]:
        """The largest field whose first rung is long enough, and longer rungs if there is time."""
        others = searched + self.pretrained
        epochs = self._least_epochs()
        for networks, rounds in ((24, 3), (18, 3), (12, 3), (8, 3), (6, 2), (4, 2), (4, 1)):
            total = max(networks, others + 4)
            rungs = self._shaped(total, epochs, ceiling, rounds)
            if sum(rung.seconds for rung in rungs) <= seconds:
                break
        while epochs < _MOST_EPOCHS:
            longer = self._shaped(total, epochs + 1, ceiling, rounds)
            if sum(rung.seconds for rung in longer) > seconds or longer[-1].epochs > 100:
                break
            epochs, rungs = epochs + 1, longer
        return divided_field(total - others, self._has_efficientnets(ceiling)), rungs

    def _shaped(
        self, networks: int, epochs: int, ceiling: int, rounds: int
    ) -> tuple[PlannedRung, ...]:
        """A third of the networks goes on for three times the epochs; two end in repeats."""
        shapes = [(networks, epochs, 1)]
        if rounds == 3:
            shapes.append((max(3, round(networks / 3)), 3 * epochs, 1))
        if rounds > 1:
            shapes.append((2, 2 * shapes[-1][1], 3 if networks >= 12 else 2))
        return tuple(
            PlannedRung(
                networks=count,
                epochs=length,
                trainings=repeats,
                seconds=count * repeats * self._training_seconds(ceiling, length),
            )
            for count, length, repeats in shapes
        )


def search_settings(images: int, steps: int, epochs: int, backend: str) -> dict[str, Any]:
    """Settings of a search for this number of training images, as `search.py` has them."""
    channels, layers, k = search_size(images)
    batch = search_batch(images)
    warmup = round(0.3 * epochs)
    return {
        "method": "pc-darts",
        "channels": channels,
        "layers": layers,
        "k": k,
        "max_macs": search_ceiling(images),
        "batch_size": batch,
        "epochs": epochs,
        "arch_warmup_epochs": warmup,
        "learning_rate": weights_rate(batch),
        "arch_learning_rate": alpha_rate((epochs - warmup) * steps),
        "backend": backend,
    }


def divided_field(networks: int, efficientnets: bool = True) -> Field:
    """A field of so many networks, at least one of each kind.

    >>> divided_field(4), divided_field(12).random
    (Field(zoo=1, random=1, regnet=1, efficientnet=1), 3)

    Args:
        networks: Their number, at least 4.
        efficientnets: Whether there are EfficientNets of such a size.
    """
    efficientnet = (1 if networks < 10 else 2) if efficientnets else 0
    zoo = max(1, min(5, networks // 4))
    regnet = max(1, round(0.3 * networks)) if networks > 4 else 1
    random = max(1, networks - efficientnet - zoo - regnet)
    return Field(zoo=zoo, random=random, regnet=regnet, efficientnet=efficientnet)
