"""Correspondence between the tensors of the fused supernet and those of the literal one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

from cells.stacked import stacked_operations
from cells.topology import EdgeWeights, Topology
from darts.searching.stages_supernet import StagesSupernet
from darts.searching.supernet import Supernet
from tests.reference.stages import LiteralStages
from tests.reference.supernet import ReferenceSupernet

_SEPARABLE = {
    "first.depthwise": "depthwise1",
    "first.pointwise": "pointwise1",
    "norm1": "norm1",
    "second.depthwise": "depthwise2",
    "second.pointwise": "pointwise2",
    "norm2": "norm2",
}
_DILATED = {"conv.depthwise": "depthwise", "conv.pointwise": "pointwise", "norm": "norm"}
_REDUCE = {"conv1": "conv1", "conv2": "conv2", "norm": "norm"}


def parts(
    fused: Supernet, literal: ReferenceSupernet, tables: Mapping[str, EdgeWeights] | None = None
) -> Iterator[tuple[nn.Module, list]]:
    """Pairs of a fused layer and the list of literal layers, one per edge, that it stacks.

    Edges share the statistics of a pool. They are compared with those of the first edge; with
    `tables`, the first edge on which these compute the pool.
    """
    yield fused.stem, [literal.stem]
    yield fused.classifier, [literal.classifier]
    for ours, theirs in zip(fused.cells, literal.cells, strict=True):
        yield ours.preprocess0, [theirs.preprocess0]
        yield ours.preprocess1, [theirs.preprocess1]
        topology: Topology = ours.topology
        for source, fan_out in enumerate(ours.fan_outs):
            rows = [edge.index for edge in topology.outgoing(source)]
            active = tables[ours.place.kind].active if tables else None
            for name, branch in fan_out.shared.items():
                members, column = fan_out.holders[name], fan_out.columns[name]
                used = [e for e in members if active is None or column in active[rows[e]]]
                layers = _layers(theirs, [rows[e] for e in used or members], column, "norm")
                yield branch.norm, layers[:1]
            for name, branch in fan_out.rectified.items():
                names = {"sep": _SEPARABLE, "dil": _DILATED, "ski": _REDUCE, "aux": _REDUCE}[
                    name[:3]
                ]
                own = [rows[edge] for edge in fan_out.holders[name]]
                for ours_at, theirs_at in names.items():
                    layers = _layers(theirs, own, fan_out.columns[name], theirs_at)
                    yield branch.get_submodule(ours_at), layers


def _layers(cell: nn.Module, rows: list[int], column: int, layer: str) -> list:
    return [cell.edges[row].operation(column).get_submodule(layer) for row in rows]


def pairs(
    fused: Supernet,
    literal: ReferenceSupernet,
    read: Callable[[Tensor], Tensor] = lambda t: t,
    tables: Mapping[str, EdgeWeights] | None = None,
) -> Iterator[tuple[str, Tensor, Tensor]]:
    """Name, fused tensor and stacked literal tensor of every parameter and running statistic."""
    for ours, theirs in parts(fused, literal, tables):
        for name, tensor in [*ours.named_parameters(), *ours.named_buffers()]:
            if tensor.is_floating_point():
                stacked = [
                    read(
                        layer.get_parameter(name)
                        if isinstance(tensor, nn.Parameter)
                        else layer.get_buffer(name)
                    )
                    for layer in theirs
                ]
                yield f"{type(ours).__name__}.{name}", tensor, torch.cat(stacked)


@torch.no_grad()
def copy_weights(literal: ReferenceSupernet, fused: Supernet) -> None:
    """Copy weights and statistics of the literal supernet to the fused one."""
    for _, ours, theirs in pairs(fused, literal):
        ours.copy_(theirs)


def stage_pairs(
    net: StagesSupernet, literal: LiteralStages
) -> list[tuple[Callable, Tensor, Tensor]]:
    """(view of a tensor of the shape of ours, our parameter, the literal one) of all weights."""
    outside = [(net.stem, literal.stem), (net.head[0], literal.norm)]
    outside += [(net.classifier, literal.classifier)]
    for ours, theirs in zip(net.reductions, literal.reductions, strict=True):
        outside += [(ours.main[1], theirs.conv1), (ours.main[2], theirs.norm1)]
        outside += [(ours.main[4], theirs.conv2), (ours.main[5], theirs.norm2)]
        outside += [(ours.shortcut[1], theirs.shortcut)]
    found: list[tuple[Callable, Tensor, Tensor]] = []
    for ours, theirs in outside:
        same = zip(ours.parameters(), theirs.parameters(), strict=True)
        found += [(lambda t: t, one, other) for one, other in same]
    for stacked in stacked_operations(net.search_cells):
        for place, row in enumerate(stacked.edges):
            operation = literal.cells[stacked.cell].edges[row].operation(stacked.column)
            for one, other in zip(stacked.parameters, operation.parameters(), strict=True):
                found.append((lambda t, place=place, by=stacked.by_edge: by(t)[place], one, other))
    return found
