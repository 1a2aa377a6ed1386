"""Studies of design spaces and populations (RegNet): `space list`, `rank` and `latency`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from darts.commands.shared import Arguments, print_table
from darts.run_files import RunFiles


def space_list_command(arguments: Sequence[str], prog: str) -> None:
    """List the design spaces with their dimensions and sizes."""
    parser = Arguments(
        prog=prog,
        description="List the design spaces as Table 1 of RegNet does: free parameters and size.",
    )
    parser.add_argument("--all", action="store_true", help="also with blocks Y, R, V and VR")
    parser.add_argument("--stages", type=int, default=4, help="number of stages")
    parser.add_argument("--json", action="store_true", help="print one JSON object per space")
    parsed = parser.parse_args(arguments)
    from darts.design_space.spaces import create_space, list_spaces

    names = [
        name for name in list_spaces() if parsed.all or name.startswith(("anynetx_", "regnetx"))
    ]
    spaces = {name: create_space(name, stages=parsed.stages) for name in names}
    if parsed.json:
        for name, space in spaces.items():
            print(json.dumps({"name": name, "dimensions": space.dimensions, "size": space.size}))
        return
    rows = [("space", "dimensions", "networks")]
    rows += [(name, str(space.dimensions), f"{space.size:.2e}") for name, space in spaces.items()]
    print_table(rows)


def space_rank_command(arguments: Sequence[str], prog: str) -> None:
    """Correlate early epochs, and other schedules, with the last epoch of a population."""
    parser = Arguments(
        prog=prog,
        description="Do short trainings rank networks as long ones do? Rank correlations of each "
        "epoch with the last one, and with the same networks trained by other schedules.",
    )
    parser.add_argument(
        "directory", type=Path, nargs="+",
        help="--out of space train: the judged population, then others of the same space and seed",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="seed of the bootstrap")
    parser.add_argument(
        "-o", "--output", type=Path, help="directory; by default DIRECTORY/ranks of the first one"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parsed = parser.parse_args(arguments)
    from darts import api

    folder = parsed.output or parsed.directory[0] / "ranks"
    command = f"{prog} {shlex.join(arguments)}"
    study = api.rank_schedules(parsed.directory, output=folder, seed=parsed.seed, command=command)
    if parsed.json:
        print(json.dumps(study.as_dict()))
        return
    print_table(study.rows())
    print(f"\n{study.sentence()}\nreport  {RunFiles(folder).report}")


def space_latency_command(arguments: Sequence[str], prog: str) -> None:
    """Measure the latency of all networks of a population, and fit it."""
    parser = Arguments(
        prog=prog,
        description="Time a forward pass of all networks of a population, and fit the latency by "
        "multiply-adds and by activations: linearly, by the square root, and by both.",
    )
    parser.add_argument("directory", type=Path, help="--out of space train")
    parser.add_argument("--batch", type=int, default=1, help="images of a pass; by default 1")
    parser.add_argument("--resolution", type=int, help="side of the images in pixels")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 …")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: torch decides")
    parser.add_argument("-o", "--output", type=Path, help="directory; by default DIRECTORY/latency")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parsed = parser.parse_args(arguments)
    from darts import api

    folder = parsed.output or parsed.directory / "latency"
    study = api.time_population(
        parsed.directory,
        batch=parsed.batch,
        resolution=parsed.resolution,
        device=parsed.device,
        threads=parsed.threads,
        output=folder,
        command=f"{prog} {shlex.join(arguments)}",
    )
    if parsed.json:
        print(json.dumps(study.as_dict()))
        return
    print_table(study.rows())
    print(f"\n{study.sentence()}\nreport  {folder / f'latency-{study.batch}.html'}")
