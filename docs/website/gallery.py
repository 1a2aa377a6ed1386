"""The gallery of genotypes: every cell of the zoo, drawn, with its costs and published figures."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from darts.costs.models import cost_of_model
from darts.report.draw import render_cell
from darts.report.style import cell_title
from docs.website.tables import millions, table
from genotypes import Genotype, format_genotype, format_python, list_genotypes, load_genotype

_INTRO = """\
# Genotypes of the zoo

Every command takes these names: `python evaluate.py --genotype NAME`,
`python -m darts draw NAME -o DIR`, `darts.load_genotype("NAME")`. Networks have
[their own gallery](models.md).

Costs are those of the papers' networks, as `python -m darts cost NAME --setting SETTING` prints
them, without the auxiliary head: *cifar* has 20 cells of 36 channels and ten classes, *imagenet* 14
cells of 48 channels, images of 224 pixels and 1,000 classes. Published figures are those of the
files in `genotypes/`, which name their sources. **None was measured here.** `make docs` writes this
page.
"""
_SETTINGS = ("cifar", "imagenet")
_OVERVIEW = (
    "name",
    "CIFAR-10 error, %",
    "parameters",
    "ImageNet top-1 error, %",
    "parameters",
    "multiply-adds",
)
_NAMES = {
    "test_error_percent": "test error, %",
    "top1_error_percent": "top-1 error, %",
    "top5_error_percent": "top-5 error, %",
    "parameters_millions": "parameters, millions",
    "multiply_adds_millions": "multiply-adds, millions",
    "search_gpu_days": "search, GPU-days",
}


def pages() -> dict[str, str | bytes]:
    """The page and its pictures, by path."""
    found: dict[str, str | bytes] = {}
    zoo = [load_genotype(name) for name in list_genotypes()]
    costs = {one.name: {name: _costs(one, name) for name in _SETTINGS} for one in zoo}
    rows = []
    for one in zoo:
        published = one.provenance.get("published", {})
        small, large = costs[one.name]["cifar"], costs[one.name]["imagenet"]
        rows.append(
            (
                f"[{one.name}](#{one.name})",
                _error(published.get("cifar10", {}), "test_error"),
                millions(small["params"]),
                _error(published.get("imagenet", {}), "top1_error"),
                millions(large["params"]),
                millions(large["macs"]),
            )
        )
    text = f"{_INTRO}\n{table(_OVERVIEW, rows)}"
    for one in zoo:
        for kind in one.kinds:
            found[f"gallery/genotypes/{one.name}-{kind}.svg"] = render_cell(one, kind)
        text += _entry(one, costs[one.name])
    return found | {"gallery/genotypes.md": text}


def _entry(genotype: Genotype, costs: Mapping[str, Mapping[str, Any]]) -> str:
    """The section of one genotype."""
    name, origin = genotype.name, genotype.provenance
    source = re.sub(
        r"arXiv (\d{4}\.\d{4,5})", r"[arXiv \1](https://arxiv.org/abs/\1)", str(origin["source"])
    )
    lines = [f"\n## {name}\n", f"{source}. Searched on {origin['searched_on']}.\n"]
    if "note" in origin:
        lines.append(f"*{' '.join(str(origin['note']).split())}*\n")
    for kind in genotype.kinds:
        picture = f"genotypes/{name}-{kind}.svg"
        lines.append(f"![{cell_title(kind)} of {name}]({picture})\n")
    rows = [
        (
            setting,
            f"{cost['params']:,}",
            f"{cost['macs']:,}",
            f"{cost['published rule']:,}",
            f"{cost['activations']:,}",
        )
        for setting, cost in costs.items()
    ]
    heads = ("computed", "parameters", "multiply-adds", "by the papers' rule", "activations")
    lines.append(table(heads, rows))
    if published := origin.get("published"):
        lines.append(_published(published))
    lines.append('??? note "As text"\n')
    for language, form in (("python", format_python(genotype)), ("yaml", _rules(genotype))):
        block = f"```{language}\n{form.rstrip()}\n```"
        lines.append("".join(f"    {line}".rstrip() + "\n" for line in block.splitlines()))
    return "\n".join(lines)


def _published(published: Mapping[str, Mapping[str, Any]]) -> str:
    names = [name for name in _NAMES if any(name in figures for figures in published.values())]
    rows = []
    for data, figures in published.items():
        values = [f"{figures[name]:,}" if name in figures else "" for name in names]
        rows.append((data, *values))
    return table(("published", *(_NAMES[name] for name in names)), rows)


def _error(figures: Mapping[str, Any], name: str) -> str:
    if f"{name}_percent" not in figures:
        return ""
    deviation = figures.get(f"{name}_deviation")
    return f"{figures[f'{name}_percent']:.2f}" + (f" ± {deviation}" if deviation else "")


def _costs(genotype: Genotype, setting: str) -> dict[str, Any]:
    cost = cost_of_model(genotype.name, setting=setting)
    return cost.table | {"published rule": cost.notes["macs by the published rule"]}


def _rules(genotype: Genotype) -> str:
    """The YAML of the cells, without where they come from."""
    return format_genotype(genotype).split("\nprovenance:")[0]
