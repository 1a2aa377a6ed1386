"""The outcome of a fit: who won, how surely, and what more time would probably buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from darts.fitting.field import SEARCHED, Entrant
from darts.fitting.halving import Standing
from darts.fitting.judged import FinalFigures
from darts.fitting.plan import Plan
from darts.models.registry import model_from_description
from darts.report.formatting import duration, percent
from darts.report.notebook import Figures, Summarised
from darts.statistics.components import pooled_difference
from darts.statistics.interval import Interval
from darts.statistics.shares import share_interval
from genotypes import Genotype


@dataclass(frozen=True, kw_only=True, repr=False)
class Outcome(Summarised):
    """What a fit has found.

    Attributes:
        plan: What was planned.
        field: All networks.
        standings: What they reached, the winner first.
        aside: Number of set-aside images.
        final: Content of `result.json` of the final training.
        test: The final network on the test images.
        exports: The exported files; see `darts.fitting.exports`.
        majority: Test accuracy (%) of always naming the largest class.
        spent: Seconds of everything.
        winner_rungs: Epochs and mean accuracy (%) of the winner in each of its rungs.
    """

    plan: Plan
    field: tuple[Entrant, ...]
    standings: tuple[Standing, ...]
    aside: int
    final: Mapping[str, Any]
    test: FinalFigures
    exports: Mapping[str, Any]
    majority: float
    spent: float
    winner_rungs: tuple[tuple[int, float], ...] = ()

    def figures(self) -> Figures:
        """The winner, its test score, its cost and the time."""
        return [
            ("winner", f"{self.winner.name} ({self.winner.kind})"),
            (f"test {self.test.measure}", percent(self.test.accuracy)),
            ("multiply-adds", f"{self.winner.macs:,}"),
            ("time", duration(self.spent)),
        ]

    def pictured(self) -> Genotype | None:
        """The winner's cells, if it has any."""
        model = model_from_description(self.winner.model)
        return model if isinstance(model, Genotype) else None

    @property
    def winner(self) -> Entrant:
        """The network that was delivered."""
        return self.entrant(self.standings[0].name)

    def entrant(self, name: str) -> Entrant:
        """The network of this name."""
        return next(one for one in self.field if one.name == name)

    def best_of(self, kind: str) -> Standing | None:
        """The best network of a kind; None if none was trained."""
        found = [one for one in self.standings if self.entrant(one.name).kind == kind]
        return found[0] if found and found[0].accuracies else None

    @property
    def single(self) -> bool:
        """Whether each image has one label."""
        return self.test.kind == "single-label"

    def interval(self, standing: Standing) -> Interval | None:
        """The accuracy of a network with the exact binomial interval of its set-aside images.

        Several trainings share these images, so they do not make the interval narrower. There is
        none with several labels for an image, nor for a network that could not be trained.
        """
        if not standing.accuracies or not self.single:
            return None
        right = round(standing.mean / 100 * self.aside)
        return share_interval(min(self.aside, max(0, right)), self.aside)

    @property
    def lead(self) -> Interval | None:
        """The winner minus the second, by the trainings of the last rung; None if not known."""
        last = [one for one in self.standings if one.rung == self.standings[0].rung]
        if len(last) < 2 or min(len(one.accuracies) for one in last[:2]) < 2:
            return None
        return pooled_difference([one.accuracies for one in last[:2]], 0, 1)

    def headline(self) -> str:
        """The outcome in one sentence; it says so if a searched cell lost."""
        winner, test = self.winner, self.test
        found = (
            f"{test.accuracy:.2f} % of {test.images:,} test images right (95 % interval "
            f"{test.low:.1f} to {test.high:.1f})"
            if self.single
            else f"{test.measure} {test.accuracy:.2f} % on {test.images:,} test images"
        )
        ending = f"{winner.name} ({_article(winner.kind)}) won and is delivered: {found}."
        if winner.kind == SEARCHED:
            return f"The searched cell won: {winner.name} is delivered: {found}."
        best = self.best_of(SEARCHED)
        if best is not None:
            return (
                f"The searched cell lost: {best.name} reached {best.mean:.2f} % on set-aside "
                f"images in rung {best.rung}; {ending}"
            )
        return f"No cell was searched; {ending}"

    def sentences(self) -> list[str]:
        """How sure the choice is, the baseline, and what more time would probably buy."""
        measures = ", ".join(f"{name} {value}" for name, value in self.test.lines)
        baseline = ""
        if self.single:
            baseline = f" Always naming the largest class would get {self.majority:.2f} %."
        return [
            self._certainty(),
            f"On the test images: {measures}.{baseline}",
            *self._busy(),
            more_time(self.winner_rungs),
        ]

    def _busy(self) -> list[str]:
        """A sentence if the final training was much shorter than planned."""
        epochs, planned = self.final.get("epoch") or 0, self.plan.final_epochs
        if epochs >= 0.7 * planned:
            return []
        return [
            f"The final training had {epochs} epochs, not the {planned} or so that were planned, "
            "because everything before it took longer or this machine became slower."
        ]

    def _certainty(self) -> str:
        first = self.standings[0]
        if len(self.standings) < 2:
            return "It was the only network that could be trained."
        second = self.standings[1]
        if self.lead is None:
            return (
                f"{first.name} was ahead of {second.name} with {first.mean:.2f} % of set-aside "
                f"images against {second.mean:.2f} %; how much chance is in it is not known."
            )
        text = (
            f"On set-aside images {first.name} was ahead of {second.name} by "
            f"{self.lead.middle:.2f} points (95 % interval {self.lead.low:+.2f} to "
            f"{self.lead.high:+.2f}, {len(first.accuracies)} trainings each)"
        )
        if self.lead.excludes_zero:
            return f"{text}: more than chance between trainings explains."
        return f"{text}: chance explains that, so the other may be as good."

    @property
    def _final_names(self) -> list[str]:
        """The entries of the final training's result that scripts want."""
        quality = "test_accuracy" if self.single else "test_map"
        names = ("epoch", quality, "seconds", "parameters", "macs")
        return [name for name in names if name in self.final]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for scripts."""
        lead = self.lead
        return {
            "headline": self.headline(),
            "sentences": self.sentences(),
            "winner": self.winner.as_dict(),
            "lead": None if lead is None else lead.as_dict(),
            "test": {k: v for k, v in self.test.as_dict().items() if k != "worst"},
            "field": [
                {**self.entrant(one.name).as_dict(), **asdict(one), "mean": one.mean}
                for one in self.standings
            ],
            "final": {name: self.final[name] for name in self._final_names},
            "exports": dict(self.exports),
            "plan": self.plan.as_dict(),
            "seconds": self.spent,
        }


def more_time(rungs: Sequence[tuple[int, float]]) -> str:
    """What more time would probably buy, from the winner's accuracy after few and more epochs.

    >>> more_time([(2, 80.0), (6, 90.0)])
    'From 2 to 6 epochs the winner gained 10.0 points on set-aside images; tripling the time of \
the final training would probably gain less than that, if anything.'

    Args:
        rungs: Epochs and accuracy (%), in the order of the rungs.
    """
    if len(rungs) < 2:
        return "It ran in one rung only, so what more time would buy cannot be estimated."
    (few, low), (many, high) = rungs[-2], rungs[-1]
    if high <= low:
        return (
            f"From {few} to {many} epochs the winner gained nothing on set-aside images: more time "
            "would probably buy little; more images might."
        )
    factor = {2: "doubling", 3: "tripling"}.get(round(many / few), "multiplying")
    return (
        f"From {few} to {many} epochs the winner gained {high - low:.1f} points on set-aside "
        f"images; {factor} the time of the final training would probably gain less than that, if "
        "anything."
    )


def _article(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeiouE' else 'a'} {kind}"
