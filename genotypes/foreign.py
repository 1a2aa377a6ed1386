"""Genotypes as other programs write them, in the plain form of our own (`Genotype.as_dict`).

The authors' form lists the (operation, source) pairs of a cell one after the other, two for each
node:

    Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ...], normal_concat=range(2, 6),
             reduce=[...], reduce_concat=range(2, 6))

GDAS adds a weight to each pair, and some programs write a list for each node; both are read. NNI
writes one key for each operation and each source.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from genotypes.errors import GenotypeError
from genotypes.genotype import KINDS, Genotype, parse_genotype
from genotypes.literals import Call
from genotypes.synonyms import usual_name

FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")
"""The fields of the authors' `Genotype`, in their order."""

_SPACES = ("darts", "nasnet")  # In this order: the first one that has the cell.
_OPERATION = re.compile(r"(normal|reduce)/op_(\d{1,2})_(\d{1,2})", flags=re.ASCII)
_NODE = re.compile(r"(normal|reduce)_n(\d{1,2})_p(\d{1,2})", flags=re.ASCII)
_NODES_OF_NNI = 4


def genotype_from(value: Any, name: str, where: str) -> Genotype:
    """The genotype of a written value: the authors' form, NNI's, or ours.

    >>> cell = [("skip_connect", 0), ("sep_conv_3x3", 1)]
    >>> genotype_from({"normal": cell, "normal_concat": [2], "reduce": cell, "reduce_concat": [2]},
    ...               "example", "here").normal
    ((('skip_connect', 0), ('sep_conv_3x3', 1)),)

    Args:
        value: Result of `read_literal` or `read_json`.
        name: Name of the genotype, if the value has none.
        where: Name of the source for error messages.

    Raises:
        GenotypeError: It is no genotype, or one with an unknown operation.
    """
    if isinstance(value, Call):
        value = _fields_of(value, where)
    if not isinstance(value, Mapping):
        raise GenotypeError(
            f"{where}: a genotype is written as Genotype(normal=[…], normal_concat=…, reduce=[…], "
            f"reduce_concat=…), or as a dictionary with these keys, not as {_short(value)}"
        )
    if any(isinstance(key, str) and _OPERATION.fullmatch(key) for key in value):
        value = _from_slashes(value, where)
    elif any(isinstance(key, str) and _NODE.fullmatch(key) for key in value):
        value = _from_switches(value, where)
    plain = {"name": name, **value}
    for kind in KINDS:
        if kind in plain:
            plain[kind] = _nodes(plain[kind], f"{where}: {kind}")
        if isinstance(concat := plain.get(f"{kind}_concat"), tuple):
            plain[f"{kind}_concat"] = list(concat)
    if "space" in plain:
        return parse_genotype(plain, where)
    return _in_first_space(plain, where)


def is_genotype(value: Any) -> bool:
    """Whether a value has the keys of a genotype, rather than being a collection of several.

    >>> is_genotype({"normal": []}), is_genotype({"first": {"normal": []}})
    (True, False)
    """
    return not isinstance(value, Mapping) or any(
        key in FIELDS or (isinstance(key, str) and re.match(r"(normal|reduce)[_/]", key))
        for key in value
    )


def format_python(genotype: Genotype) -> str:
    """A genotype in the authors' form, on one line.

    >>> from genotypes import load_genotype
    >>> format_python(load_genotype("pcdarts_cifar10"))[:60]
    "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ("

    Raises:
        GenotypeError: The form has no place for the genotype: its cells are stages of
            NAS-Bench-201 or have no reduction cell.
    """
    if genotype.kinds != KINDS:
        raise GenotypeError(
            f"{genotype.name}: the form Genotype(normal=…, reduce=…) is for two kinds of cell; the "
            f"space {genotype.rules.name!r} has only {genotype.kinds[0]}"
        )
    fields = []
    for kind in KINDS:
        nodes, concat = genotype.cell(kind)
        flat = all(len(node) == 2 for node in nodes)
        pairs = [pair for node in nodes for pair in node] if flat else [list(n) for n in nodes]
        fields += [f"{kind}={pairs!r}", f"{kind}_concat={_concat(concat)}"]
    return f"Genotype({', '.join(fields)})"


def _concat(states: Sequence[int]) -> str:
    numbers = range(states[0], states[0] + len(states))
    if list(numbers) == list(states):
        return f"range({numbers.start}, {numbers.stop})"
    return str(list(states))


def _fields_of(call: Call, where: str) -> dict[str, Any]:
    if len(call.arguments) > len(FIELDS):
        raise GenotypeError(f"{where}: Genotype has the fields {', '.join(FIELDS)}, no more")
    fields = dict(zip(FIELDS, call.arguments, strict=False))
    if twice := [key for key in call.keywords if key in fields]:
        raise GenotypeError(f"{where}: the field {twice[0]!r} is given twice")
    return {**fields, **{key: v for key, v in call.keywords.items() if v is not None}}


def _nodes(value: Any, where: str) -> Any:
    """The nodes of a cell; a flat list of pairs is divided into nodes of two."""
    if not isinstance(value, (list, tuple)):
        return value
    items = [_pair(item) for item in value]
    if any(isinstance(item, str) for item in items):
        raise GenotypeError(
            f"{where}: a cell is a list of pairs (operation, source), not of {_short(value[0])}"
        )
    if not items or not _is_pair(items[0]):
        return [
            [_pair(pair) for pair in node] if isinstance(node, (list, tuple)) else node
            for node in items
        ]
    if len(items) % 2:
        raise GenotypeError(
            f"{where}: {len(items)} pairs (operation, source) do not make nodes of two inputs; "
            "write a list for each node if they have other numbers of inputs"
        )
    return [items[place : place + 2] for place in range(0, len(items), 2)]


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


def _pair(value: Any) -> Any:
    """A pair with our name of the operation, without the weight that GDAS adds as third entry."""
    if isinstance(value, (list, tuple)) and len(value) in (2, 3) and isinstance(value[0], str):
        if len(value) == 3 and not isinstance(value[2], float):
            return list(value)
        return [usual_name(value[0]), value[1]]
    return value


def _in_first_space(plain: Mapping[str, Any], where: str) -> Genotype:
    """The genotype in the first space that has it.

    Raises:
        GenotypeError: No space has it; the message is that of the widest.
    """
    problem: GenotypeError | None = None
    for space in _SPACES:
        try:
            return parse_genotype({**plain, "space": space}, where)
        except GenotypeError as error:
            problem = error
    assert problem is not None
    raise problem


def _from_slashes(value: Mapping[str, Any], where: str) -> dict[str, Any]:
    """NNI 2 and 3: `normal/op_2_0` is an operation and `normal/input_2_0` its source.

    Their DARTS space concatenates all four inner nodes. Cells with other numbers of nodes belong to
    NNI's other spaces, which concatenate the nodes that nothing reads, and are refused.
    """
    nodes: dict[tuple[str, int], dict[int, list[Any]]] = {}
    for key, operation in value.items():
        if not (found := _OPERATION.fullmatch(str(key))):
            continue
        kind, target, place = found[1], int(found[2]), int(found[3])
        source = value.get(f"{kind}/input_{target}_{place}")
        if isinstance(source, (list, tuple)) and len(source) == 1:
            source = source[0]
        if source is None:
            raise GenotypeError(f"{where}: missing key '{kind}/input_{target}_{place}'")
        nodes.setdefault((kind, target), {})[place] = [operation, source]
    return _of_nni(
        {key: [pairs[place] for place in sorted(pairs)] for key, pairs in nodes.items()}, where
    )


def _from_switches(value: Mapping[str, Any], where: str) -> dict[str, Any]:
    """NNI 1: `normal_n3_p0` is an edge's operation, `normal_n3_switch` names the kept edges."""
    nodes: dict[tuple[str, int], list[list[Any]]] = {}
    targets = {(f[1], int(f[2])) for key in value if (f := _NODE.fullmatch(str(key)))}
    for kind, target in targets:
        key = f"{kind}_n{target}_switch"
        kept = value.get(key)
        if not isinstance(kept, (list, tuple)):
            raise GenotypeError(f"{where}: {key!r} must be the list of the kept edges")
        nodes[kind, target] = [_edge(value, kind, target, item, f"{where}: {key}") for item in kept]
    return _of_nni(nodes, where)


def _edge(value: Mapping[str, Any], kind: str, target: int, item: Any, where: str) -> list[Any]:
    name = f"{kind}_n{target}_p{item}" if type(item) is int else item
    found = _NODE.fullmatch(name) if isinstance(name, str) else None
    if found is None or (found[1], int(found[2])) != (kind, target):
        raise GenotypeError(f"{where}: {item!r} is no edge of this node")
    operation = value.get(found[0])
    if not isinstance(operation, str):
        raise GenotypeError(
            f"{where}: {found[0]!r} has {operation!r} instead of the name of an operation; numbers "
            "refer to a list that is not in the file"
        )
    return [operation, int(found[3])]


def _of_nni(nodes: Mapping[tuple[str, int], Sequence[Any]], where: str) -> dict[str, Any]:
    expected: Iterable[int] = range(2, 2 + _NODES_OF_NNI)
    for kind in KINDS:
        targets = sorted(target for name, target in nodes if name == kind)
        if targets != list(expected):
            raise GenotypeError(
                f"{where}: a cell of NNI's DARTS has the nodes 2 to 5, but {kind} has "
                f"{', '.join(map(str, targets)) or 'none'}"
            )
    return {
        **{kind: [list(nodes[kind, target]) for target in expected] for kind in KINDS},
        **{f"{kind}_concat": list(expected) for kind in KINDS},
    }


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
