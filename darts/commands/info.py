"""Commands that show information: `genotypes`, `draw` and `datasets`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from darts.commands.shared import Arguments, print_table
from darts.errors import UserError

if TYPE_CHECKING:
    from genotypes import Genotype


_FORMS = ("text", "python", "json", "yaml", "string")


def genotypes_command(arguments: Sequence[str], prog: str) -> None:
    """List the published genotypes, print genotypes in another form, or write random ones."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="List the published genotypes, print some in another form, or sample random "
        "ones.",
        examples=[
            ("", "all published genotypes"),
            ("--as text", "their cells"),
            ("pcdarts_cifar10 --as python", "one as papers print it"),
        ],
    )
    parser.add_argument(
        "genotype",
        nargs="*",
        help="genotypes to print: published name, file, FILE:NAME, written genotype, or cell of "
        "NAS-Bench-201",
    )
    parser.add_argument(
        "--as",
        dest="form",
        choices=_FORMS,
        help="print as text (a line for each cell), python (Genotype(normal=…), as papers do), "
        "json, yaml, or as the string of NAS-Bench-201; without names, all published genotypes",
    )
    parser.add_argument(
        "--random", type=int, metavar="N", help="write N random genotypes instead of the list"
    )
    parser.add_argument(
        "--nodes", type=int, help="inner nodes of each random genotype; by default 4"
    )
    parser.add_argument(
        "--space", default="darts", help="space of the random genotypes: a name or a YAML file"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random genotypes")
    parser.add_argument("-o", "--output", type=Path, default=Path("."), help="directory")
    parsed = parser.parse_args(arguments)
    if parsed.random is not None:
        if parsed.genotype or parsed.form is not None:
            raise UserError("--random: it writes files; leave names and --as out.")
        _write_random(parsed.random, parsed.nodes, parsed.seed, parsed.output, parsed.space)
        return
    from genotypes import list_genotypes, load_genotype

    found = [load_genotype(name) for name in parsed.genotype or list_genotypes()]
    if parsed.form is not None or parsed.genotype:
        print(_in_form(found, parsed.form or "yaml"))
        return
    rows = [("name", "searched on", "nodes", "source")]
    for genotype in found:
        provenance = genotype.provenance
        source = str(provenance.get("source", ""))
        searched_on = str(provenance.get("searched_on", ""))
        rows.append((genotype.name, searched_on, str(genotype.nodes), source))
    print_table(rows)


def _in_form(found: Sequence[Genotype], form: str) -> str:
    """The text of genotypes: a form that `load_genotype` reads, or one for the eye."""
    from darts.report.cell_text import cell_lines
    from genotypes import format_genotype, format_python
    from genotypes.nasbench201 import arch_string

    if form == "text":
        return "\n".join(
            line for one in found for line in (one.name, *(f"  {x}" for x in cell_lines(one)))
        )
    if form == "string":
        return "\n".join(arch_string(genotype) for genotype in found)
    one = len(found) == 1
    if form == "yaml":
        if not one:
            raise UserError("--as yaml: a YAML file holds one genotype; give one name.")
        return format_genotype(found[0]).rstrip("\n")
    if form == "json":
        values = {genotype.name: genotype.as_dict() for genotype in found}
        return json.dumps(found[0].as_dict() if one else values, indent=1, ensure_ascii=False)
    if one:
        return format_python(found[0])
    return "\n".join(f"{_identifier(one.name)} = {format_python(one)}" for one in found)


def _identifier(name: str) -> str:
    """A name that Python accepts on the left of an assignment.

    >>> _identifier("nb201-1462")
    'nb201_1462'
    """
    word = re.sub(r"\W", "_", name, flags=re.ASCII)
    return word if word.isidentifier() else f"_{word}"


def _write_random(
    count: int, nodes: int | None, seed: int, directory: Path, name_or_path: str
) -> None:
    from darts.system.randomness import RandomStreams
    from genotypes import find_space, random_genotype, save_genotype

    space = find_space(name_or_path)
    nodes = nodes or space.nodes or 4
    generator = RandomStreams(seed, ["genotypes"])["genotypes"]
    for number in range(count):
        genotype = random_genotype(nodes, generator, f"random-{seed}-{number}", space)
        path = directory / f"{genotype.name}.yaml"
        save_genotype(genotype, path)
        print(path)


def draw_command(arguments: Sequence[str], prog: str) -> None:
    """Draw the cells of a genotype, or the stages of a network; print the paths of the files."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="Draw the cells of a genotype, or the stages of a network.",
        examples=[
            ("pcdarts_cifar10 -o cells", "both cells as pictures"),
            ("regnetx_400mf -o net", "the stages of a network"),
        ],
    )
    parser.add_argument(
        "model",
        help="genotype: published name, file, FILE:NAME, written genotype, or cell of "
        "NAS-Bench-201; or a network: regnety_1.6gf, efficientnet_b0, resnet50, fbnetv3_g …",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("."), help="directory")
    parser.add_argument("--formats", nargs="+", default=["svg", "png"], help="by default svg png")
    parser.add_argument(
        "--resolution", type=int, help="side of the image in pixels, in a network's picture"
    )
    parsed = parser.parse_args(arguments)
    from darts.models.registry import find_model
    from genotypes import Genotype, load_genotype

    # A FILE:NAME is a genotype's; other names may be those of networks.
    found = load_genotype(parsed.model) if ":" in parsed.model else find_model(parsed.model)
    if isinstance(found, Genotype):
        from darts.report.draw import draw_genotype

        for path in draw_genotype(found, parsed.output, parsed.formats):
            print(path)
        return
    from darts.costs.network_drawing import draw_network

    name = Path(parsed.model).stem if Path(parsed.model).is_file() else parsed.model
    for path in draw_network(
        name, found, parsed.output, parsed.formats, resolution=parsed.resolution
    ):
        print(path)


def datasets_command(arguments: Sequence[str], prog: str) -> None:
    """List all data sets that have a name."""
    parser = Arguments(prog=prog, description="List the data sets and where they are.")
    parser.add_argument("--data-dir", help="directory of the data sets")
    parser.add_argument("--json", action="store_true")
    parsed = parser.parse_args(arguments)
    from darts.data.catalogue import list_datasets

    listed = list_datasets(parsed.data_dir)
    if parsed.json:
        print(json.dumps([asdict(row) for row in listed]))
        return
    rows = [("name", "present", "train", "test", "classes", "pixels", "where")]
    rows += [
        (
            row.name,
            "yes" if row.present else "no",
            f"{row.train_images:,}",
            f"{row.test_images:,}",
            str(row.classes),
            str(row.size or "any"),
            row.where,
        )
        for row in listed
    ]
    rows.append(("folder:PATH", "", "", "", "", "any", "train/CLASS/* and val/CLASS/*"))
    rows.append(("csv:FILE", "", "", "", "", "any", "a column of image files, one of labels"))
    rows.append(("array:FILE.npz", "", "", "", "", "any", "x_train, y_train, x_test, y_test"))
    print_table(rows)
