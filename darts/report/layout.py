"""A layered layout of a small directed graph, for pictures that read from left to right.

The method of Sugiyama, Tagawa and Toda (1981): long edges get a waypoint in every column that they
pass, columns are reordered to reduce crossings, and vertical positions are chosen so that edges are
as straight as possible.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf
from typing import Any, TypeAlias

Key: TypeAlias = Any
"""A hashable name of a box."""
Point = tuple[float, float]
Columns = list[list[Key]]


@dataclass(frozen=True)
class Layout:
    """Positions of boxes and edges.

    A route bends only between columns: it leaves the column of its source, enters and leaves each
    column in between, and enters the column of its target, horizontal at each of its points.

    Attributes:
        centres: Centre of each box.
        routes: Points of each edge.
        width: Total width.
        height: Total height.
    """

    centres: Mapping[Key, Point]
    routes: Sequence[Sequence[Point]]
    width: float
    height: float

    def mirrored(self) -> Layout:
        """The layout, flipped upside down."""

        def turn(points: Iterable[Point]) -> list[Point]:
            return [(x, self.height - y) for x, y in points]

        centres = dict(zip(self.centres, turn(self.centres.values()), strict=True))
        return replace(self, centres=centres, routes=[turn(route) for route in self.routes])


@dataclass(frozen=True, eq=False)  # Each is made once; equality would cost half of the time.
class _Waypoint:
    edge: int
    column: int


def layered_layout(
    sizes: Mapping[Key, tuple[float, float]],
    columns: Mapping[Key, int],
    edges: Sequence[tuple[Key, Key]],
    gap_x: float,
    gap_y: float,
) -> Layout:
    """Place boxes of the given sizes (width, height) in their columns; y grows upwards.

    Args:
        sizes: Width and height of each box.
        columns: Column of each box, from 0; every edge leads to a later column.
        edges: Pairs (source, target) of boxes.
        gap_x: Space between columns, where edges bend.
        gap_y: Space between boxes of a column.

    >>> boxes = {"a": (10, 4), "b": (10, 4)}
    >>> layout = layered_layout(boxes, {"a": 0, "b": 1}, [("a", "b")], gap_x=20, gap_y=5)
    >>> layout.width, layout.centres["b"]
    (40.0, (35.0, 2.0))
    """
    ways = [
        [_Waypoint(index, column) for column in range(columns[source] + 1, columns[target])]
        for index, (source, target) in enumerate(edges)
    ]
    chains = [[edge[0], *way, edge[1]] for edge, way in zip(edges, ways, strict=True)]
    links = [pair for chain in chains for pair in pairwise(chain)]
    stacks: Columns = [[] for _ in range(max(columns.values()) + 1)]
    for key, column in columns.items():
        stacks[column].append(key)
    for point in (point for way in ways for point in way):
        stacks[point.column].append(point)
    neighbours = _neighbours(links)
    stacks = _untangle(stacks, links, neighbours)
    heights = {key: size[1] for key, size in sizes.items()}
    y = _heights(stacks, neighbours, heights, gap_y)
    for way in ways:
        _straighten(way, stacks, y, heights, gap_y)

    left, spans = 0.0, []
    for stack in stacks:
        width = max(sizes[key][0] for key in stack if key in sizes)
        spans.append((left, left + width))
        left += width + gap_x
    bottom = min(y[key] - heights.get(key, 0) / 2 for key in y)
    top = max(y[key] + heights.get(key, 0) / 2 for key in y)
    centres = {key: (sum(spans[columns[key]]) / 2, y[key] - bottom) for key in sizes}

    def route(edge: tuple[Key, Key], way: Sequence[_Waypoint]) -> list[Point]:
        (source, target), (left, right) = edge, (spans[columns[key]] for key in edge)
        (x0, y0), (x1, y1) = centres[source], centres[target]
        start = [(x0 + sizes[source][0] / 2, y0), (left[1], y0)]
        passes = [(x, y[point] - bottom) for point in way for x in spans[point.column]]
        end = [(right[0], y1), (x1 - sizes[target][0] / 2, y1)]
        # Rounded, so that coinciding points are equal and appear once.
        points = ((round(x, 6), round(height, 6)) for x, height in (*start, *passes, *end))
        return list(dict.fromkeys(points))

    routes = [route(edge, way) for edge, way in zip(edges, ways, strict=True)]
    return Layout(centres, routes, spans[-1][1], top - bottom)


def _neighbours(links: Sequence[tuple[Key, Key]]) -> dict[Key, list[Key]]:
    neighbours: dict[Key, list[Key]] = {}
    for source, target in links:
        neighbours.setdefault(source, []).append(target)
        neighbours.setdefault(target, []).append(source)
    return neighbours


def _untangle(
    stacks: Columns, links: Sequence[tuple[Key, Key]], neighbours: Mapping[Key, Sequence[Key]]
) -> Columns:
    """Reorder columns by barycentres, back and forth; keep the order with the fewest crossings."""
    gaps = _gaps(stacks, links)
    best, fewest = [list(stack) for stack in stacks], _crossings(stacks, gaps)
    for sweep in range(24):
        order = range(len(stacks)) if sweep % 2 == 0 else range(len(stacks) - 1, -1, -1)
        for column in order:
            before = column - 1 if sweep % 2 == 0 else column + 1
            if not 0 <= before < len(stacks):
                continue
            place = {key: index for index, key in enumerate(stacks[before])}
            own = {key: index for index, key in enumerate(stacks[column])}

            def barycentre(key: Key, place: dict = place, own: dict = own) -> float:
                known = [place[other] for other in neighbours.get(key, ()) if other in place]
                return sum(known) / len(known) if known else own[key]

            # Ties keep their order in one sweep and reverse it in another: else they get stuck.
            stack = stacks[column] if sweep % 4 < 2 else stacks[column][::-1]
            stacks[column] = sorted(stack, key=barycentre)
        crossings = _crossings(stacks, gaps)
        if crossings < fewest:
            best, fewest = [list(stack) for stack in stacks], crossings
    return _sift(best, links)


def _sift(stacks: Columns, links: Sequence[tuple[Key, Key]]) -> Columns:
    """Move single entries within their column while that removes crossings."""
    gaps, improved = _gaps(stacks, links), True
    while improved:
        improved = False
        for column, stack in enumerate(stacks):
            # Only the gaps on both sides of a column see the order of its entries.
            before = gaps[column - 1] if column else []
            behind = gaps[column] if column < len(gaps) else []
            left = _places(stacks[column - 1]) if column else {}
            right = _places(stacks[column + 1]) if behind else {}

            def around(
                trial: list[Key],
                before: list = before,
                behind: list = behind,
                left: dict = left,
                right: dict = right,
            ) -> int:
                here = _places(trial)
                return _inversions(before, left, here) + _inversions(behind, here, right)

            fewest = around(stacks[column])
            for key in list(stack):
                others = [other for other in stacks[column] if other != key]
                for place in range(len(stack)):
                    trial = [*others[:place], key, *others[place:]]
                    crossings = around(trial)
                    if crossings < fewest:
                        stacks[column], fewest, improved = trial, crossings, True
    return stacks


def _gaps(stacks: Columns, links: Sequence[tuple[Key, Key]]) -> list[list[tuple[Key, Key]]]:
    """The links behind each column; a link leads to the next column."""
    column = {key: index for index, stack in enumerate(stacks) for key in stack}
    gaps: list[list[tuple[Key, Key]]] = [[] for _ in range(len(stacks) - 1)]
    for source, target in links:
        gaps[column[source]].append((source, target))
    return gaps


def _places(stack: Sequence[Key]) -> dict[Key, int]:
    return {key: index for index, key in enumerate(stack)}


def _crossings(stacks: Columns, gaps: Sequence[Sequence[tuple[Key, Key]]]) -> int:
    places = [_places(stack) for stack in stacks]
    return sum(_inversions(gap, places[i], places[i + 1]) for i, gap in enumerate(gaps))


def _inversions(
    gap: Sequence[tuple[Key, Key]], left: Mapping[Key, int], right: Mapping[Key, int]
) -> int:
    """The number of pairs of links that cross, given the places of their ends."""
    seen: list[int] = []
    total = 0
    for _, end in sorted((left[source], right[target]) for source, target in gap):
        place = bisect_right(seen, end)
        total += len(seen) - place
        seen.insert(place, end)
    return total


def _heights(
    stacks: Columns,
    neighbours: Mapping[Key, Sequence[Key]],
    sizes: Mapping[Key, float],
    gap: float,
) -> dict[Key, float]:
    """Vertical positions near the mean of the neighbours, without overlaps."""
    y: dict[Key, float] = {}
    for stack in stacks:
        for index, key in enumerate(stack):
            y[key] = (index - (len(stack) - 1) / 2) * gap * 2
    # Bends within a long edge look worse than bends at a box: weight them more.
    pulls = {
        key: [
            (other, 4 if isinstance(key, _Waypoint) and isinstance(other, _Waypoint) else 1)
            for other in neighbours.get(key, ())
        ]
        for key in y
    }
    weights = {key: sum(weight for _, weight in pull) for key, pull in pulls.items()}
    spaces = [
        [(sizes.get(a, 0) + sizes.get(b, 0)) / 2 + gap for a, b in pairwise(stack)]
        for stack in stacks
    ]
    columns = list(zip(stacks, spaces, strict=True))
    for sweep in range(60):
        for stack, between in columns if sweep % 2 == 0 else reversed(columns):
            # An input that no operation reads stays.
            wanted = [
                sum(weight * y[other] for other, weight in pulls[key]) / weights[key]
                if pulls[key]
                else y[key]
                for key in stack
            ]
            y.update(zip(stack, separate(wanted, between), strict=True))
    return y


def _straighten(
    way: Sequence[_Waypoint],
    stacks: Columns,
    y: dict[Key, float],
    sizes: Mapping[Key, float],
    gap: float,
) -> None:
    """Level the waypoints of one edge, in as few runs as the other boxes allow."""
    start = 0
    while start < len(way):
        end, low, high = start, -inf, inf
        while end < len(way):
            room = _room(way[end], stacks[way[end].column], y, sizes, gap)
            if max(low, room[0]) > min(high, room[1]):
                break
            low, high, end = max(low, room[0]), min(high, room[1]), end + 1
        run = way[start:end]
        wanted = sum(y[point] for point in run) / len(run)
        y.update(dict.fromkeys(run, min(max(wanted, low), high)))
        start = end


def _room(
    point: Key, stack: list[Key], y: Mapping[Key, float], sizes: Mapping[Key, float], gap: float
) -> tuple[float, float]:
    """Lowest and highest position of a waypoint between its neighbours in the column."""
    index = stack.index(point)
    below, above = stack[:index][-1:], stack[index + 1 :][:1]
    low = max((y[key] + sizes.get(key, 0) / 2 + gap for key in below), default=-inf)
    high = min((y[key] - sizes.get(key, 0) / 2 - gap for key in above), default=inf)
    # Rounding errors may put the current position slightly outside.
    return min(low, y[point]), max(high, y[point])


def separate(wanted: Sequence[float], spaces: Sequence[float]) -> list[float]:
    """The positions nearest to `wanted` (least squares) that keep `spaces` between neighbours.

    Isotonic regression by pooling adjacent violators.

    >>> separate([0.0, 0.0], [2.0])
    [-1.0, 1.0]
    """
    offsets = [sum(spaces[:index]) for index in range(len(wanted))]
    blocks: list[tuple[float, int]] = []
    for value, offset in zip(wanted, offsets, strict=True):
        mean, count = value - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, number = blocks.pop()
            mean = (mean * count + other * number) / (count + number)
            count += number
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
