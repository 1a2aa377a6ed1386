"""The strongest cell within ceilings: derivation as an integer program.

The derivation of DARTS maximises the sum of log strengths over the kept operations, separately for
each node. Ceilings on sums of costs couple the nodes, and the maximum becomes a small integer
program with one binary variable x for each edge and operation of each cell:

    maximise  sum of x · log strength
    subject to  base + sum of x · cost <= ceiling  for each ceiling,
                the number of kept edges per node, and at most one operation per edge

Branch and bound (HiGHS, through scipy) finds the optimum in milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cells.topology import Topology
from darts.costs.tables import CostTable
from genotypes import Node, SearchSpace

_ATTEMPTS = 100
_FloatArray = NDArray[np.float64]


def strongest_cells(
    log_strengths: Mapping[str, Tensor],
    topology: Topology,
    space: SearchSpace,
    ceilings: Sequence[tuple[CostTable, float]],
) -> dict[str, tuple[Node, ...]] | None:
    """The nodes of each kind of cell with the largest sum of log strengths within all ceilings.

    Args:
        log_strengths: For each kind of cell, log strengths `[E, O]`.
        topology: Nodes and edges of the cells.
        space: The rules of the search space.
        ceilings: Cost tables, each with its ceiling.

    Returns:
        For each kind of cell its nodes as in a `Genotype`, stronger edge first; None if no cell
        fits.
    """
    allowed = _allowed(topology, space)
    kinds = space.kinds
    values = np.where(allowed, _stacked(log_strengths, kinds), 0.0)
    costs = np.stack([_stacked(table.operations, kinds) for table, _ in ceilings])
    room = np.array([ceiling - table.base for table, ceiling in ceilings])
    numbers = [space.kept_edges(len(topology.incoming(node))) for node in topology.inner]
    kept = _solve(values, costs, room, topology, allowed, numbers)
    return None if kept is None else _nodes(kept, values, topology, space)


def _allowed(topology: Topology, space: SearchSpace) -> NDArray[np.bool_]:
    """`[kinds, E, O]`: which operations a genotype may have on which edge."""
    rows = [
        [name in space.choices(kind, edge.source, edge.target) for name in space.operations]
        for kind in space.kinds
        for edge in topology.edges
    ]
    return np.array(rows).reshape(len(space.kinds), len(topology.edges), len(space.operations))


def _stacked(tables: Mapping[str, Tensor], kinds: tuple[str, ...]) -> _FloatArray:
    """`[kinds, E, O]`, the normal cell first."""
    return np.stack([tables[kind].detach().double().cpu().numpy() for kind in kinds])


def _solve(
    values: _FloatArray,
    costs: _FloatArray,
    room: _FloatArray,
    topology: Topology,
    allowed: NDArray[np.bool_],
    numbers: list[int],
) -> NDArray[np.bool_] | None:
    """The kept variables `[kinds, E, O]`: largest values; costs `[M, kinds, E, O]` in `room`."""
    # Imported here because it takes a second, and most searches have no ceiling.
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    number = np.arange(values.size).reshape(values.shape)
    groups = [number[kind, edge.index] for kind in range(len(values)) for edge in topology.edges]
    nodes = [
        number[kind, [edge.index for edge in topology.incoming(node)]].ravel()
        for kind in range(len(values))
        for node in topology.inner
    ]

    def sums(sets: Sequence[NDArray[np.intp]]) -> csr_array:
        rows = np.repeat(np.arange(len(sets)), [len(one) for one in sets])
        return csr_array(
            (np.ones(len(rows)), (rows, np.concatenate(sets))), shape=(len(sets), values.size)
        )

    structure = [
        LinearConstraint(sums(groups), -np.inf, 1),
        LinearConstraint(sums(nodes), len(values) * numbers, len(values) * numbers),
    ]
    # The solver has absolute tolerances of 1e-6, so all numbers are scaled up.
    costs = costs.reshape(len(costs), -1)
    scale = 1e4 / np.maximum(np.abs(room), costs.max(axis=1))
    within = LinearConstraint(costs * scale[:, None], -np.inf, room * scale)
    constraints = [*structure, within]
    for _ in range(_ATTEMPTS):
        answer = milp(
            -1e3 * values.ravel(),
            integrality=np.ones(values.size),
            bounds=Bounds(0, allowed.ravel().astype(float)),
            constraints=constraints,
            options={"mip_rel_gap": 0.0},
        )
        if answer.x is None:
            return None
        kept = answer.x > 0.5
        if np.all(costs[:, kept].sum(axis=1) <= room):
            return kept.reshape(values.shape)
        # This cell is above a ceiling within the tolerance: exclude it and solve again.
        constraints.append(LinearConstraint(kept[None].astype(float), -np.inf, kept.sum() - 1))
    return None


def _nodes(
    kept: NDArray[np.bool_], values: _FloatArray, topology: Topology, space: SearchSpace
) -> dict[str, tuple[Node, ...]]:
    cells = {}
    for number, kind in enumerate(space.kinds):
        nodes = []
        for node in topology.inner:
            found = [
                (-values[number, edge.index, column], edge.source, space.operations[column])
                for edge in topology.incoming(node)
                for column in np.flatnonzero(kept[number, edge.index])
            ]
            ranked = found if space.kept is None else sorted(found)
            nodes.append(tuple((name, source) for _, source, name in ranked))
        cells[kind] = tuple(nodes)
    return cells
