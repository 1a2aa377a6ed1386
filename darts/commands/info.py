"""Commands that show information: `genotypes`, `draw`, `cost` and `datasets`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from darts.commands.shared import Arguments, print_hint, print_table
from darts.errors import UserError

if TYPE_CHECKING:
    from genotypes import Genotype


_FORMS = ("python", "json", "yaml", "string")


def genotypes_command(arguments: Sequence[str], prog: str) -> None:
    """List the published genotypes, print genotypes in another form, or write random ones."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="List the published genotypes, print some in another form, or sample random "
        "ones.",
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
        help="print as python (Genotype(normal=…), as papers do), json, yaml, or as the string of "
        "NAS-Bench-201; without names, all published genotypes",
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
    """The text of genotypes in a form that `load_genotype` reads."""
    from genotypes import format_genotype, format_python
    from genotypes.nasbench201 import arch_string

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
    """Draw the cells of a genotype and print the paths of the files."""
    parser = Arguments(uses_files=True, prog=prog, description="Draw the cells of a genotype.")
    parser.add_argument(
        "genotype",
        help="published name, file, FILE:NAME, written genotype, or cell of NAS-Bench-201",
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("."), help="directory")
    parser.add_argument("--formats", nargs="+", default=["svg", "png"], help="by default svg png")
    parsed = parser.parse_args(arguments)
    from darts.report.draw import draw_genotype
    from genotypes import load_genotype

    for path in draw_genotype(load_genotype(parsed.genotype), parsed.output, parsed.formats):
        print(path)
    print_hint(parsed.formats)


def cost_command(arguments: Sequence[str], prog: str) -> None:
    """Print parameters, multiply-adds and activations of a network."""
    parser = Arguments(
        uses_files=True, prog=prog, description="Count the cost of a model for one image."
    )
    parser.add_argument(
        "model",
        help="genotype (published name, YAML file, or cell of NAS-Bench-201), or a network: "
        "regnetx_400mf",
    )
    parser.add_argument("--setting", choices=("cifar", "imagenet"), help="stem and sizes")
    parser.add_argument("--channels", type=int, help="channels of a genotype's network")
    parser.add_argument("--layers", type=int, help="cells of a genotype's network")
    parser.add_argument("--classes", type=int, help="number of classes")
    parser.add_argument("--resolution", type=int, help="side of the image in pixels")
    parser.add_argument(
        "--auxiliary", action="store_true", help="add the parameters of the auxiliary head"
    )
    parser.add_argument("--json", action="store_true")
    parsed = parser.parse_args(arguments)
    import torch

    from darts.costs.count import count
    from darts.models.registry import create_network, family_of
    from darts.models.staged_network import StagedNetwork
    from darts.models.stages import StagesNetwork

    with torch.device("meta"):
        network = create_network(
            parsed.model,
            num_classes=parsed.classes,
            channels=parsed.channels,
            layers=parsed.layers,
            stem=parsed.setting,
            auxiliary=parsed.auxiliary,
        )
    resolution, made = parsed.resolution or network.resolution, network.description
    counted = count(network, resolution, auxiliary=parsed.auxiliary)
    table = {
        "model": parsed.model,
        "params": counted.params,
        "macs": counted.macs,
        "activations": counted.activations,
        "resolution": resolution,
    }
    if isinstance(network, StagedNetwork):
        closed = family_of(network.config).cost(
            network.config, resolution=resolution, num_classes=made["num_classes"]
        )
        notes = closed.published
    else:
        table |= {"channels": made["channels"], "layers": made["layers"]}
        table["auxiliary"] = parsed.auxiliary
        notes = {"macs by the published rule": counted.published_macs}
        if isinstance(network, StagesNetwork):
            # NAS-Bench-201 also counts the additions of the classifier's biases.
            table["flops"] = counted.macs + made["num_classes"]
    if parsed.json:
        print(json.dumps(table))
        return
    print_table(
        [
            (name, f"{value:,}" if type(value) is int else str(value))
            for name, value in {**table, **notes}.items()
        ]
    )


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
