"""The command `spaces`: the search spaces of cells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from darts.commands.shared import Arguments, print_table

if TYPE_CHECKING:
    from genotypes import SearchSpace


def spaces_command(arguments: Sequence[str], prog: str) -> None:
    """List search spaces of cells: operations, edges, genotypes, parameters of the supernet."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="List the search spaces of cells, with the parameters of their supernets for "
        "10 classes.",
    )
    parser.add_argument(
        "space", nargs="*", help="names or YAML files; by default all spaces with a name"
    )
    parser.add_argument("--nodes", type=int, help="inner nodes, where a space leaves them open")
    parser.add_argument("--channels", type=int, default=16, help="channels of the first cell")
    parser.add_argument("--layers", type=int, help="cells; by default 8, or 15 in three stages")
    parser.add_argument("--k", type=int, default=1, help="1/K of the channels are processed")
    parser.add_argument("--json", action="store_true")
    parsed = parser.parse_args(arguments)
    from genotypes import SPACES, find_space

    spaces = [find_space(name) for name in parsed.space or SPACES]
    sizes = {name: getattr(parsed, name) for name in ("nodes", "channels", "layers", "k")}
    listed = [_described(space, **sizes) for space in spaces]
    if parsed.json:
        print(json.dumps(listed))
        return
    rows = [("name", "nodes", "edges", "operations", "genotypes", "supernet", "about")]
    for one in listed:
        parameters = one["supernet_parameters"]
        rows.append(
            (
                one["name"],
                str(one["nodes"]),
                str(one["number_of_edges"]),
                str(len(one["operations"])),
                _shortened(one["genotypes"]),
                "–" if parameters is None else f"{parameters:,}",
                one["about"],
            )
        )
    print_table(rows)


def _described(space: SearchSpace, **sizes: Any) -> dict[str, Any]:
    """A space as plain values, with its number of genotypes and its supernet's parameters."""
    from dataclasses import replace

    from cells.topology import Topology
    from darts.costs.supernet import supernet_parameters, usual_size
    from ops.partial import ChannelError

    given = {name: value for name, value in sizes.items() if value is not None}
    if space.nodes is not None:
        given.pop("nodes", None)
    size = replace(usual_size(space), **given)
    try:
        parameters = supernet_parameters(space, size)
    except ChannelError:
        raise
    except ValueError:  # An operation of the user's that is not registered here.
        parameters = None
    return {
        **space.as_mapping(),
        "nodes": size.nodes,
        "number_of_edges": len(Topology(size.nodes, space.inputs).edges),
        "genotypes": space.size(size.nodes),
        "supernet_parameters": parameters,
        "channels": size.channels,
        "layers": size.layers,
        "k": size.k,
    }


def _shortened(number: int) -> str:
    return f"{number:,}" if number < 10**9 else f"{number:.1e}"
