"""The rules that every genotype keeps, each with a message that names file, key and choices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from genotypes.spaces import NONE, SPACES

_REQUIRED = ("name", "normal", "normal_concat", "reduce", "reduce_concat")
_OPTIONAL = ("space", "provenance")
_CELL_INPUTS = 2
_NODE_INPUTS = 2


class GenotypeError(ValueError):
    """A genotype, or a file that should hold one, is wrong; the message says where and why."""


def check_genotype(value: Any, where: str) -> None:
    """Raise GenotypeError unless `value` is a genotype in plain form (see `Genotype.as_dict`).

    Beside types and ranges: each node has two inputs from states before it; `none` is no operation
    of a genotype; both cells have equally many nodes; a concat list names inner nodes, each once.
    Two inputs of a node may share their source only outside the space `darts`, whose derivation
    always keeps two distinct edges.
    """
    if not isinstance(value, Mapping):
        raise GenotypeError(f"{where}: a genotype is a mapping of keys, not {_kind(value)}")
    _check_keys(value, where)
    if not isinstance(value["name"], str) or not value["name"].strip():
        raise GenotypeError(f"{where}: name: must be a text that is not empty")
    space = value.get("space", "darts")
    if not isinstance(space, str) or space not in SPACES:
        raise GenotypeError(f"{where}: space: unknown space {space!r} {_choices(SPACES)}")
    for kind in ("normal", "reduce"):
        _check_nodes(value[kind], space, f"{where}: {kind}")
        _check_concat(value[f"{kind}_concat"], len(value[kind]), f"{where}: {kind}_concat")
    if len(value["normal"]) != len(value["reduce"]):
        counts = f"{len(value['normal'])} and {len(value['reduce'])}"
        raise GenotypeError(f"{where}: normal and reduce need equally many nodes, not {counts}")
    provenance = value.get("provenance")
    if provenance is not None and not isinstance(provenance, Mapping):
        raise GenotypeError(f"{where}: provenance: must be a mapping, not {_kind(provenance)}")


def _check_keys(mapping: Mapping[Any, Any], where: str) -> None:
    known = _REQUIRED + _OPTIONAL
    for key in mapping:
        if key not in known:
            raise GenotypeError(f"{where}: unknown key {key!r} {_choices(known)}")
    missing = [key for key in _REQUIRED if key not in mapping]
    if missing:
        raise GenotypeError(f"{where}: missing key {', '.join(map(repr, missing))}")


def _check_nodes(nodes: Any, space: str, where: str) -> None:
    if not _is_list(nodes) or not nodes:
        raise GenotypeError(f"{where}: must be a list of at least one node, not {_kind(nodes)}")
    for number, node in enumerate(nodes):
        _check_node(node, number, space, f"{where}, node {number}")


def _check_node(node: Any, number: int, space: str, where: str) -> None:
    if not _is_list(node):
        raise GenotypeError(f"{where}: must be a list of inputs, not {_kind(node)}")
    if len(node) != _NODE_INPUTS:
        raise GenotypeError(f"{where}: needs {_NODE_INPUTS} inputs, not {len(node)}")
    for pair in node:
        if not _is_list(pair) or len(pair) != 2:
            raise GenotypeError(f"{where}: an input is a pair [operation, source], not {pair!r}")
        _check_operation(pair[0], space, where)
        _check_source(pair[1], number, where)
    (_, first), (_, second) = node
    if space == "darts" and first == second:
        raise GenotypeError(
            f"{where}: both inputs come from source {first}; cells of the space 'darts' take two "
            "distinct sources a node (the space 'nasnet' allows one source twice)"
        )


def _check_operation(operation: Any, space: str, where: str) -> None:
    choices = [name for name in SPACES[space] if name != NONE]
    if operation == NONE:
        raise GenotypeError(f"{where}: 'none' is an absent edge and cannot stand in a genotype")
    if operation not in choices:
        raise GenotypeError(f"{where}: unknown operation {operation!r} {_choices(choices)}")


def _check_source(source: Any, number: int, where: str) -> None:
    if not _is_integer(source):
        raise GenotypeError(f"{where}: a source is a state number, not {source!r}")
    if not 0 <= source < _CELL_INPUTS + number:
        raise GenotypeError(
            f"{where}: source {source} does not come before the node; the states 0 to "
            f"{number + 1} do (0 and 1 are the cell's inputs, 2 is node 0)"
        )


def _check_concat(concat: Any, nodes: int, where: str) -> None:
    if not _is_list(concat) or not concat:
        raise GenotypeError(f"{where}: must be a list of at least one state, not {_kind(concat)}")
    for state in concat:
        if not _is_integer(state) or not _CELL_INPUTS <= state < _CELL_INPUTS + nodes:
            last = _CELL_INPUTS + nodes - 1
            raise GenotypeError(
                f"{where}: {state!r} is no inner node; their states are {_CELL_INPUTS} to {last}"
            )
    if len(set(concat)) != len(concat):
        raise GenotypeError(f"{where}: a state stands twice in {list(concat)}")


def _choices(names: Iterable[str]) -> str:
    return f"(choices: {', '.join(names)})"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, (Mapping, Sequence)) and not value:
        return "an empty one"
    if isinstance(value, str):
        return f"the text {value!r}"
    return "a mapping" if isinstance(value, Mapping) else f"{type(value).__name__} {value!r}"
