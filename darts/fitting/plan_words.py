"""The plan of a fit in plain words: what is run and why, and what it will not be able to tell."""

from __future__ import annotations

import math

from darts.advising.looking import DataSummary
from darts.fitting.plan import Plan


def plan_reasons(plan: Plan, images: int, aside: int, pretrained: int) -> tuple[str, ...]:
    """What is run, for how long and why, in sentences.

    Args:
        plan: The plan, still without words.
        images: Training images.
        aside: How many of them are set aside.
        pretrained: Trained networks in the field.
    """
    found = [
        f"Images are {plan.image_size} pixels wide and high. {plan.ceiling_why}",
        f"{aside:,} training images, every {_ordinal(plan.every)} of each class, are set "
        "aside to compare networks. The test images are read once, at the end.",
    ]
    if plan.searches is None:
        found.append(
            "No cell is searched: in the time there is, a search would be too short to find "
            "more than chance does."
        )
    else:
        one = plan.searches.settings
        number = plan.searches.seeds
        found.append(
            f"{number} search{'es' * (number > 1)} of a cell ({one['method']}, "
            f"{one['epochs']} epochs, {one['channels']} channels, {one['layers']} cells), "
            f"about {rough_time(plan.searches.seconds)}."
        )
    field, more = plan.field, ""
    if pretrained:
        more = f", {pretrained} trained network{'s' * (pretrained > 1)}"
    if plan.searches is not None:
        more += f", {plan.searches.seeds} searched"
    parts = [
        _counted(field.zoo, "published cell"),
        _counted(field.random, "random cell"),
        _counted(field.regnet, "RegNet"),
        *([_counted(field.efficientnet, "EfficientNet")] if field.efficientnet else []),
    ]
    if not field.efficientnet:
        more += "; the smallest EfficientNet exceeds the ceiling"
    found.append(f"The field: {', '.join(parts)}{more}.")
    for number, rung in enumerate(plan.rungs, 1):
        times = "" if rung.trainings == 1 else f" {rung.trainings} times"
        chosen = "all" if number == 1 else "the best"
        found.append(
            f"Rung {number}: {chosen} {rung.networks} networks are trained{times} for "
            f"{rung.epochs} epoch{'s' * (rung.epochs > 1)}, about {rough_time(rung.seconds)}."
        )
    found.append(
        f"Then the best one is trained on all {images:,} training images for about "
        f"{rough_time(plan.final_seconds)} ({plan.final_epochs} epochs or so; what is left of the "
        f"time decides), tested and exported, about {rough_time(plan.reserve)}."
    )
    return tuple(found)


def plan_limits(plan: Plan, summary: DataSummary, aside: int) -> tuple[str, ...]:
    """What the fit will not be able to tell, in sentences."""
    half = 100 * 1.96 * math.sqrt(0.25 / max(1, aside))
    known = (
        f"With {aside:,} set-aside images, accuracies are known to ± {min(50, half):.1f} points at "
        "worst: networks that differ by less cannot be told apart."
    )
    if summary.kind == "multi-label":
        known = f"With {aside:,} set-aside images, how sure a difference of mAP is stays unknown."
    found = [known]
    if summary.smallest < plan.every:
        name = summary.classes[summary.train_counts.index(summary.smallest)]
        found.append(
            f"Class {name} has {summary.smallest} training images, one of which is set aside: what "
            "networks make of it is not known."
        )
    first = plan.rungs[0]
    if first.epochs < 5:
        found.append(
            f"After {first.epochs} epoch{'s' * (first.epochs > 1)} the first rung favours "
            "networks that learn fast; one that would win later may be dropped."
        )
    if plan.searches is not None and plan.searches.seeds < 4:
        found.append(
            "With so few searches it is not known how much their cells depend on the seed."
        )
    if plan.final_epochs < 30:
        found.append(
            f"About {plan.final_epochs} epochs at the end are short: the accuracy would "
            "probably grow with more time."
        )
    return tuple(found)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third", 4: "fourth", 5: "fifth"}.get(number, f"{number}th")


def rough_time(seconds: float) -> str:
    """A rough duration in words.

    >>> rough_time(42.4), rough_time(300), rough_time(9000)
    ('42 s', '5 min', '2.5 h')
    """
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def plan_text(plan: Plan, summary: DataSummary) -> str:
    """The data and the plan in Markdown."""
    sections = [
        ("The data", summary.sentences()),
        (f"The plan for {rough_time(plan.budget)}", plan.reasons),
        ("What this will not be able to tell", plan.limits),
    ]
    return "\n".join(
        line
        for title, sentences in sections
        for line in (f"# {title}", "", *(f"- {one}" for one in sentences), "")
    )
