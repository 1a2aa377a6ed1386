"""The rules that every genotype obeys. Each error message names file, key and choices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from genotypes.errors import GenotypeError
from genotypes.search_space import SearchSpace
from genotypes.spaces import SPACES, space_of

_OPTIONAL = ("space", "provenance")


def check_genotype(value: Any, where: str) -> None:
    """Check that `value` is a genotype in plain form (see `Genotype.as_dict`).

    Apart from types and ranges, the rules are those of the genotype's search space: the number of
    inputs of a node, their sources, and the operations. Both cells have the same number of nodes,
    and a concat list names inner nodes, each once.

    >>> check_genotype({"name": "empty"}, "x.yaml")
    Traceback (most recent call last):
        ...
    genotypes.errors.GenotypeError: x.yaml: missing key 'normal', 'normal_concat', 'reduce', \
'reduce_concat'

    Args:
        value: The plain form, e.g. a parsed YAML file.
        where: Name of the source for error messages.

    Raises:
        GenotypeError: A rule is broken.
    """
    if not isinstance(value, Mapping):
        raise GenotypeError(f"{where}: a genotype is a mapping of keys, not {_kind(value)}")
    space = space_of(value.get("space", "darts"), f"{where}: space")
    _check_keys(value, space, where)
    if not isinstance(value["name"], str) or not value["name"].strip():
        raise GenotypeError(f"{where}: name: must be a text that is not empty")
    for kind in space.kinds:
        _check_nodes(value[kind], space, kind, f"{where}: {kind}")
        _check_concat(value[f"{kind}_concat"], len(value[kind]), space, f"{where}: {kind}_concat")
    counts = [len(value[kind]) for kind in space.kinds]
    if len(set(counts)) > 1:
        numbers = " and ".join(map(str, counts))
        raise GenotypeError(f"{where}: normal and reduce need equally many nodes, not {numbers}")
    provenance = value.get("provenance")
    if provenance is not None and not isinstance(provenance, Mapping):
        raise GenotypeError(f"{where}: provenance: must be a mapping, not {_kind(provenance)}")


def _check_keys(mapping: Mapping[Any, Any], space: SearchSpace, where: str) -> None:
    cells = [key for kind in space.kinds for key in (kind, f"{kind}_concat")]
    required = ["name", *cells]
    known = (*required, *_OPTIONAL)
    for key in mapping:
        if key not in known:
            raise GenotypeError(f"{where}: unknown key {key!r} {_choices(known)}")
    missing = [key for key in required if key not in mapping]
    if missing:
        raise GenotypeError(f"{where}: missing key {', '.join(map(repr, missing))}")


def _check_nodes(nodes: Any, space: SearchSpace, kind: str, where: str) -> None:
    if not _is_list(nodes) or not nodes:
        raise GenotypeError(f"{where}: must be a list of at least one node, not {_kind(nodes)}")
    if space.nodes not in (None, len(nodes)):
        raise GenotypeError(
            f"{where}: a cell of the space {space.name!r} has {space.nodes} nodes, not {len(nodes)}"
        )
    for number, node in enumerate(nodes):
        _check_node(node, number, space, kind, f"{where}, node {number}")


def _check_node(node: Any, number: int, space: SearchSpace, kind: str, where: str) -> None:
    if not _is_list(node):
        raise GenotypeError(f"{where}: must be a list of inputs, not {_kind(node)}")
    target = space.inputs + number
    least, most = space.fewest_edges(target), space.kept_edges(target)
    if not least <= len(node) <= most:
        wanted = str(most) if least == most else f"{least} to {most}"
        raise GenotypeError(f"{where}: needs {wanted} inputs, not {len(node)}")
    for pair in node:
        if not _is_list(pair) or len(pair) != 2:
            raise GenotypeError(f"{where}: an input is a pair [operation, source], not {pair!r}")
        _check_source(pair[1], number, space, where)
        _check_operation(pair[0], space.choices(kind, pair[1], target), space, where)
    sources = [source for _, source in node]
    repeated = [source for source in sources if sources.count(source) > 1]
    if space.distinct_sources and repeated:
        raise GenotypeError(
            f"{where}: two inputs come from source {repeated[0]}; the inputs of a node in the "
            f"space {space.name!r} must have different sources{_lenient_spaces()}"
        )


def _check_operation(
    operation: Any, choices: Sequence[str], space: SearchSpace, where: str
) -> None:
    if space.zero is not None and operation == space.zero:
        raise GenotypeError(
            f"{where}: {space.zero!r} is an absent edge and cannot be part of a genotype"
        )
    if operation not in choices:
        raise GenotypeError(
            f"{where}: unknown operation {operation!r} {_choices(choices)}; an operation of your "
            "own needs a space that lists it, and its Python file with --use"
        )


def _lenient_spaces() -> str:
    names = [repr(name) for name, space in SPACES.items() if not space.distinct_sources]
    return f" (spaces that allow one source twice: {', '.join(names)})" if names else ""


def _check_source(source: Any, number: int, space: SearchSpace, where: str) -> None:
    if not _is_integer(source):
        raise GenotypeError(f"{where}: a source is a state number, not {source!r}")
    before = space.inputs + number
    if not 0 <= source < before:
        raise GenotypeError(
            f"{where}: source {source} does not come before the node; the states 0 to "
            f"{before - 1} do ({_input_states(space)}, {space.inputs} is node 0)"
        )


def _input_states(space: SearchSpace) -> str:
    if space.inputs == 1:
        return "0 is the cell's input"
    return f"{' and '.join(map(str, range(space.inputs)))} are the cell's inputs"


def _check_concat(concat: Any, nodes: int, space: SearchSpace, where: str) -> None:
    if not _is_list(concat) or not concat:
        raise GenotypeError(f"{where}: must be a list of at least one state, not {_kind(concat)}")
    inner = space.inner_states(nodes)
    for state in concat:
        if not _is_integer(state) or state not in inner:
            raise GenotypeError(
                f"{where}: {state!r} is no inner node; their states are {inner[0]} to {inner[-1]}"
            )
    if space.output == "last" and list(concat) != [inner[-1]]:
        raise GenotypeError(
            f"{where}: a cell of the space {space.name!r} returns its last node, {inner[-1]}, not "
            f"{list(concat)}"
        )
    if len(set(concat)) != len(concat):
        raise GenotypeError(f"{where}: a state is listed twice in {list(concat)}")


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
