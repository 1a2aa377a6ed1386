"""The stopping rule of a search in progress: what it has seen, and what it has decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from darts.methods.eigenvalue import DominantEigenvalue
from darts.methods.gradient import Bilevel, LabelledBatch
from darts.methods.stopping import EIGENVALUE, NORMAL_SKIPS, Stop, Stopping
from darts.searching.scoring import Batches, undisturbed
from darts.searching.search_network import SearchNetwork
from darts.system import distributed
from genotypes import Genotype, parse_genotype


def normal_skips(genotype: Genotype) -> int:
    """The number of skip connections in the normal cell.

    >>> from genotypes import load_genotype
    >>> normal_skips(load_genotype("darts_v2"))
    2
    """
    return sum(name == "skip_connect" for node in genotype.normal for name, _ in node)


class StoppingWatch:
    """The epochs of a search as its stopping rule sees them.

    Args:
        rule: The stopping rule.
        epochs: Number of epochs of the whole search.

    Attributes:
        stop: The decision to end the search; None as long as it goes on.
    """

    def __init__(self, rule: Stopping, epochs: int) -> None:
        self.rule, self.epochs = rule, epochs
        self.history: list[dict[str, Any]] = []
        self.stop: Stop | None = None

    def close_epoch(
        self,
        epoch: int,
        problem: Bilevel | None,
        batches: Batches,
        derive: Callable[[], Genotype],
    ) -> dict[str, Any]:
        """Measure what the rule reads, and let it decide.

        The eigenvalue is measured on the first validation batch, which is the same one in every
        epoch, so that values can be compared. (The authors of RobustDARTS take the last batch.)

        Args:
            epoch: The epoch that has ended.
            problem: The bilevel problem; None if alpha was not trained in the epoch.
            batches: The validation images of this process.
            derive: Makes the cells that alpha and beta describe now; called by the main process.

        Returns:
            The measures, and `stopped`, a sentence, if the search ends.
        """
        measured: dict[str, Any] = {}
        if problem is not None and EIGENVALUE in self.rule.measures and self.rule.due(epoch):
            batch = LabelledBatch(*next(iter(batches())))
            assert isinstance(problem.supernet, SearchNetwork)
            with undisturbed(problem.supernet):
                measured[EIGENVALUE] = DominantEigenvalue()(problem, batch).value
        genotype = distributed.from_main(derive)
        skips = {NORMAL_SKIPS: normal_skips(genotype)}
        self.history.append({**measured, **skips, "genotype": genotype.as_dict()})
        self.stop = self.rule(self.history, self.epochs)
        return {**measured, "stopped": self.reason} if self.stop else measured

    @property
    def reason(self) -> str:
        """Why the search ends, as sentences; empty if the rule has not ended it."""
        if self.stop is None:
            return ""
        return f"{self.stop.reason} The cell is that of epoch {self.stop.epoch + 1}."

    @property
    def chosen_epochs(self) -> int:
        """Number of epochs after which the result has been derived; 0 if the rule has none."""
        return 0 if self.stop is None else self.stop.epoch + 1

    def chosen(self, present: Genotype) -> Genotype:
        """The cells of the chosen epoch, with the name and the provenance of the present ones."""
        plain = self.history[self.chosen_epochs - 1]["genotype"]
        found = parse_genotype(plain, "stopped search")
        return replace(found, name=present.name, provenance=present.provenance)

    def state_dict(self) -> dict[str, Any]:
        return {"history": list(self.history), "stop": self.stop and tuple(self.stop)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.history = list(state["history"])
        self.stop = state["stop"] and Stop(*state["stop"])
