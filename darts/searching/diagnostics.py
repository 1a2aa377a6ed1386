"""What a search records about itself after each epoch.

The cheap measures are taken after every epoch: the operations of the derived cell, the entropies of
alpha and beta, the distance to the last epoch's cell, and the discretisation gap on a few batches.
The dominant eigenvalue and the alignment of the cells are options. No measure draws from a random
stream of the search or changes a tensor of it, so a search with them is the same search.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

from cells.topology import EdgeWeights
from darts.errors import UserError
from darts.methods.alignment import ALIGNED, alignment
from darts.methods.decidedness import entropies
from darts.methods.eigenvalue import DominantEigenvalue
from darts.methods.gradient import Bilevel, LabelledBatch
from darts.methods.method import Method
from darts.methods.stopping import EIGENVALUE
from darts.report.style import POOL, SKIP
from darts.runs.tracking import Tracker
from darts.searching.collapse import (
    UNDECIDED,
    CollapseWatch,
    count_family,
    kept_operations,
    signs_of_collapse,
)
from darts.searching.images import SearchImages
from darts.searching.norm_statistics import Batches
from darts.searching.options import SearchOptions
from darts.searching.scoring import SupernetScore, discretisation_gap, undisturbed
from darts.searching.search_network import SearchNetwork
from darts.system import distributed
from genotypes import Genotype, parse_genotype

ALIGNMENT = "alignment"


class ClosedEpoch(NamedTuple):
    """An epoch that has ended.

    Attributes:
        epoch: The epoch, from 0.
        step: Number of finished steps.
        trained: Whether alpha was trained in it.
        last: Whether its cell is the result of the search.
    """

    epoch: int
    step: int
    trained: bool
    last: bool


class Diagnostics:
    """The diagnostics of a search in progress.

    Args:
        options: The settings of the search.
        method: The search method. If it chooses the genotype by evaluating the supernet, the cells
            on the way are provisional, and only the last one can be a sign of collapse.
        images: Their first validation images are those on which the supernet is measured.

    Attributes:
        notes: Short texts for the progress line, by name.
        silent: Do not print warnings; they are returned in any case.

    Raises:
        UserError: A measure does not suit the method.
    """

    def __init__(self, options: SearchOptions, method: Method, images: SearchImages) -> None:
        _check(options, method)
        self.options, self._evaluates = options, method.selection.evaluates
        self._batches, self._classes = images.validation_batches, images.dataset.num_classes
        self._tally = images.tally
        count = gap_images(images.steps_per_epoch, options.batch_size)
        # As many in each process: norms that are synchronised wait for all of them.
        share = min(count, len(images.validation_indices)) // distributed.world()
        self._gap_batches = partial(first_images, self._batches, max(1, share))
        self.notes: dict[str, str] = {}
        self.silent = False
        self._watch = CollapseWatch()
        self._before: Genotype | None = None

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """The warnings so far; see `darts.searching.collapse.CollapseWatch`."""
        return self._watch.warnings

    def __call__(
        self,
        problem: Bilevel,
        genotype: Genotype,
        closed: ClosedEpoch,
        tracker: Tracker,
        known: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Measure an epoch that has ended, and warn if the search has collapsed.

        Every process calls this; the main process prints warnings.

        Args:
            problem: Supernet and architecture.
            genotype: The derived cell.
            closed: The epoch.
            tracker: Gets what the loop does not write to TensorBoard.
            known: What is already measured, such as the eigenvalue of a stopping rule.

        Returns:
            The measures by name, with the new warnings and the tables of the architecture.
        """
        measured: dict[str, Any] = {
            **operation_counts(genotype),
            **entropies(problem.architecture),
            **({} if self._before is None else cell_distance(self._before, genotype)),
            **self._gap(problem, genotype),
            **self._costly(problem, closed.epoch, known),
        }
        # Equal searches have equal checkpoints, whatever their directories are called.
        self._before = replace(genotype, name="before", provenance={})
        self.notes = notes_of(genotype, {**known, **measured})
        if new := self._warned(genotype, closed, measured):
            measured["warnings"] = new
        _track(tracker, measured, closed.step)
        tables = problem.architecture.expected_tables()
        return {**measured, "architecture": _described(tables, tracker, closed.step)}

    def _warned(
        self, genotype: Genotype, closed: ClosedEpoch, measured: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """The new warnings, which the main process prints."""
        signs = {}
        # The cell of an alpha that has hardly moved is a random one.
        moved = closed.trained and measured.get("normal_entropy", 0.0) < UNDECIDED
        if closed.last if self._evaluates else moved:
            # A selection that evaluates the supernet decides weights itself, whatever alpha says.
            known = {} if self._evaluates else measured
            signs = signs_of_collapse(genotype, known, self._classes)
        new = self._watch.look(signs, closed.epoch + 1, self.options, last=closed.last)
        if distributed.is_main() and not self.silent:
            for warning in new:
                text = f"warning: after epoch {warning['epoch']}: {warning['text']}"
                print(text, file=sys.stderr, flush=True)
        return new

    def _gap(self, problem: Bilevel, genotype: Genotype) -> dict[str, float]:
        assert isinstance(problem.supernet, SearchNetwork)
        score = SupernetScore(
            problem.supernet, self._gap_batches, problem.context, tally=self._tally
        )
        gap = discretisation_gap(problem.architecture, genotype, score)
        return {
            "supernet_loss": gap.supernet.loss,
            f"supernet_{problem.target.key}": gap.supernet.accuracy,
            "derived_loss": gap.derived.loss,
            f"derived_{problem.target.key}": gap.derived.accuracy,
            "discretisation_gap": gap.value,
        }

    def _costly(self, problem: Bilevel, epoch: int, known: Mapping[str, Any]) -> dict[str, float]:
        """The measures that take a pass with gradients or more, in the epochs where they are due.

        They use the first validation batch, which is the same in all epochs.
        """
        options = self.options
        eigenvalue = EIGENVALUE not in known and is_due(options.eigenvalue_every, epoch)
        aligned = is_due(options.alignment_every, epoch) and problem.cells.count(ALIGNED) > 1
        found: dict[str, float] = {}
        if not (eigenvalue or aligned):
            return found
        assert isinstance(problem.supernet, SearchNetwork)
        batch = LabelledBatch(*next(iter(self._batches())))
        with undisturbed(problem.supernet):
            if eigenvalue:
                found[EIGENVALUE] = DominantEigenvalue()(problem, batch).value
            if aligned:
                found[ALIGNMENT] = alignment(problem, batch).item()
        return found

    def state_dict(self) -> dict[str, Any]:
        return {
            "before": None if self._before is None else self._before.as_dict(),
            "notes": dict(self.notes),
            "watch": self._watch.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        before = state["before"]
        self._before = None if before is None else parse_genotype(before, "checkpoint")
        self.notes = dict(state["notes"])
        self._watch.load_state_dict(state["watch"])


def _track(tracker: Tracker, measured: Mapping[str, Any], step: int) -> None:
    """Write counts to TensorBoard; the loop writes numbers that are floats."""
    counts = {
        f"operations/{kind}/{name}": float(count)
        for kind, of_kind in measured["operation_counts"].items()
        for name, count in of_kind.items()
    }
    whole = {f"epoch/{k}": float(v) for k, v in measured.items() if isinstance(v, int)}
    tracker.scalars({**counts, **whole}, step)


def _described(
    tables: Mapping[str, EdgeWeights], tracker: Tracker, step: int
) -> dict[str, dict[str, Any]]:
    """The weights of all edges as plain numbers; the tracker gets them as histograms."""
    histograms, described = {}, {}
    for kind, table in tables.items():
        histograms[f"alpha/{kind}"] = table.operations
        described[kind] = {"operations": table.operations.tolist()}
        if table.edges is not None:
            histograms[f"beta/{kind}"] = table.edges
            described[kind]["edges"] = table.edges.tolist()
    tracker.histograms(histograms, step)
    return described


def _check(options: SearchOptions, method: Method) -> None:
    for name in ("eigenvalue_every", "alignment_every"):
        value, flag = getattr(options, name), name.replace("_", "-")
        if value < 0:
            raise UserError(f"--{flag}: must be 0 or more, not {value}.")
    if options.eigenvalue_every and method.relaxation.stochastic:
        raise UserError(
            "--eigenvalue-every: a relaxation that draws random numbers has no fixed loss in alpha "
            "to differentiate. Leave it out, or use another --relaxation, such as softmax."
        )


def gap_images(steps_per_epoch: int, batch_size: int) -> int:
    """Number of images for the discretisation gap: 4 % of those of an epoch, in whole batches.

    In short epochs it is a part of one batch, but at least 16 images. Two forward passes on 4 % of
    the images take about 2 % of the time of an epoch with bilevel steps, 4 % where only the weights
    are trained.

    >>> gap_images(390, 64), gap_images(11, 64), gap_images(2, 64)
    (960, 28, 16)

    Args:
        steps_per_epoch: Steps of an epoch.
        batch_size: Images of a batch, of all processes together.
    """
    share = steps_per_epoch * batch_size // 25
    if share >= batch_size:
        return share - share % batch_size
    return max(share, min(16, batch_size))


def first_images(batches: Batches, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The first `count` images and labels of some batches, the last batch cut to that.

    >>> import torch
    >>> batches = lambda: [(torch.zeros(4, 3, 8, 8), torch.zeros(4))] * 3
    >>> [len(images) for images, _ in first_images(batches, 6)]
    [4, 2]
    """
    for images, labels in batches():
        yield images[:count], labels[:count]
        count -= len(labels)
        if count <= 0:
            return


def is_due(every: int, epoch: int) -> bool:
    """Whether a measure with an interval in epochs (0: never) is due after an epoch.

    >>> [is_due(2, epoch) for epoch in range(4)], is_due(0, 0)
    ([False, True, False, True], False)
    """
    return every > 0 and (epoch + 1) % every == 0


def operation_counts(genotype: Genotype) -> dict[str, Any]:
    """How often each operation is in the cells; skip connections and poolings have own entries.

    >>> from genotypes import load_genotype
    >>> counts = operation_counts(load_genotype("pcdarts_cifar10"))
    >>> counts["normal_skips"], counts["operation_counts"]["reduce"]
    (1, {'sep_conv_5x5': 3, 'max_pool_3x3': 1, 'sep_conv_3x3': 4})
    """
    found: dict[str, Any] = {"operation_counts": {}}
    for kind in genotype.kinds:
        names = [name for node in genotype.cell(kind)[0] for name, _ in node]
        found["operation_counts"][kind] = dict(Counter(names))
        found[f"{kind}_skips"] = count_family(names, SKIP)
        found[f"{kind}_pools"] = count_family(names, POOL)
    return found


def cell_distance(before: Genotype, now: Genotype) -> dict[str, int]:
    """How far two genotypes of a space are apart, over all kinds of cell.

    >>> from genotypes import load_genotype
    >>> one, other = load_genotype("darts_v1"), load_genotype("darts_v2")
    >>> cell_distance(one, one), cell_distance(one, other)
    ({'edge_changes': 0, 'operation_changes': 0}, {'edge_changes': 2, 'operation_changes': 3})

    Returns:
        `edge_changes`, the number of kept edges that the other one does not keep, and
        `operation_changes`, the number of edges that both keep with different operations.
    """
    edges = _larger_difference(_edges(before), _edges(now))
    both = _larger_difference(_edges(before, named=True), _edges(now, named=True))
    return {"edge_changes": edges, "operation_changes": both - edges}


def _edges(genotype: Genotype, *, named: bool = False) -> Counter[tuple[Any, ...]]:
    """The kept edges of all cells: (kind, target, source), and the operation if wanted."""
    return Counter(
        (kind, target, source, *([name] if named else []))
        for kind in genotype.kinds
        for target, node in enumerate(genotype.cell(kind)[0], start=genotype.rules.inputs)
        for name, source in node
    )


def _larger_difference(one: Counter[Any], other: Counter[Any]) -> int:
    return max((one - other).total(), (other - one).total())


def notes_of(genotype: Genotype, measured: Mapping[str, Any]) -> dict[str, str]:
    """What the progress line shows of the measures."""
    edges = len(kept_operations(genotype, "normal"))
    notes = {
        "skips": f"{measured['normal_skips']} of {edges}",
        "pools": f"{measured['normal_pools']} of {edges}",
    }
    if "normal_entropy" in measured:
        notes["entropy"] = f"{measured['normal_entropy']:.2f}"
    notes["gap"] = f"{measured['discretisation_gap']:.1f} %"
    if EIGENVALUE in measured:
        notes[EIGENVALUE] = f"{measured[EIGENVALUE]:.3g}"
    return notes
