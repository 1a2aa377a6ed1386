"""Draw which package imports which: `make docs-pictures` writes docs/images/rooms.gv and .svg.

Each row is a layer of the contract in setup.cfg. An arrow means "imports"; an arrow that follows
from two others is left out. A test compares rooms.gv with the code.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import grimp

CHECKOUT = Path(__file__).parents[1]
PICTURE = CHECKOUT / "docs" / "images" / "rooms.gv"
PACKAGES = ("ops", "cells", "genotypes", "darts")
HEADER = """\
// Written by docs/rooms.py (make docs-pictures). Do not edit.
digraph rooms {
  rankdir=TB; ranksep=0.35; nodesep=0.3; bgcolor="white";
  node [shape=box, style="rounded,filled", fillcolor="#eef3fa", color="#4a6fa5",
        fontname="Helvetica", fontsize=12, height=0.35];
  edge [color="#8795a8", arrowsize=0.6];
"""


def layers() -> list[list[str]]:
    """The rooms of each layer of `darts`, top first."""
    settings = ConfigParser()
    settings.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    lines = settings["importlinter:contract:darts"]["layers"].split("\n")
    return [re.split(r"\s*[|:]\s*", line) for line in lines if line.strip()]


def imports() -> dict[str, set[str]]:
    """For each room, the rooms that its modules import directly."""
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    found: dict[str, set[str]] = {}
    for module in sorted(graph.modules - {"darts"}):
        targets = found.setdefault(_room(module), set())
        targets |= {_room(name) for name in graph.find_modules_directly_imported_by(module)}
    return {room: targets - {room, "darts"} for room, targets in found.items()}


def without_detours(edges: dict[str, set[str]]) -> dict[str, set[str]]:
    """The transitive reduction: no arrow to what another arrow's target reaches.

    >>> without_detours({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    {'a': {'b'}, 'b': {'c'}, 'c': set()}
    """

    def reached(room: str, seen: set[str]) -> set[str]:
        for target in edges[room] - seen:
            seen.add(target)
            reached(target, seen)
        return seen

    return {
        room: {to for to in targets if not any(to in reached(by, set()) for by in targets - {to})}
        for room, targets in edges.items()
    }


def source() -> str:
    """The picture in graphviz's language."""
    rows = layers()
    lines = [f"{{rank=same; {'; '.join(row)}}}" for row in rows]
    lines.append(" -> ".join(row[0] for row in rows) + " [style=invis, weight=0]")
    lines.append('{node [fillcolor="#f6f1e4", color="#a08b4f"] cells; ops; genotypes}')
    for room, targets in sorted(without_detours(imports()).items()):
        lines += [f"{room} -> {target}" for target in sorted(targets)]
    return HEADER + "".join(f"  {line};\n" for line in lines) + "}\n"


def main() -> None:
    """Write the graphviz source, and the SVG if graphviz is installed."""
    PICTURE.write_text(source(), encoding="utf-8")
    if shutil.which("dot"):
        output = PICTURE.with_suffix(".svg")
        subprocess.run(["dot", "-Tsvg", str(PICTURE), "-o", str(output)], check=True)
    else:
        print("dot is not installed: rooms.svg was not redrawn (install graphviz)", file=sys.stderr)


def _room(module: str) -> str:
    top, *rest = module.split(".")
    return rest[0] if top == "darts" and rest else top


if __name__ == "__main__":
    main()
