"""The gallery of models: every named network, drawn, with its costs and published errors."""

from __future__ import annotations

import re
from collections.abc import Sequence

from darts.costs.network_drawing import picture_of
from darts.costs.outline import NetworkOutline, outline_of
from darts.design_space.published import PublishedModel, published_models
from darts.models.registry import FAMILIES, find_model
from darts.models.staged_config import StagedConfig
from darts.report.cell_svg import svg_of
from docs.website.tables import millions, table

_INTRO = """\
# Networks by name

Every command takes these names: `python evaluate.py --model NAME`, `python -m darts cost NAME`,
`darts.create_network("NAME")`. Genotypes have [their own gallery](genotypes.md).

Costs are computed by the toolkit for one image of the size given and 1,000 classes; activations are
the outputs of convolutions. Published errors are the RegNet paper's (arXiv 2003.13678, Tables 3 and
4, Figures 15 and 16): ImageNet, mean and deviation of five trainings of 100 epochs. **None was
measured here.** `make docs` writes this page.
"""
_TITLES = {
    "regnetx": "RegNetX",
    "regnety": "RegNetY",
    "resnet": "ResNet",
    "resnext": "ResNeXt",
    "efficientnet": "EfficientNet",
    "fbnetv3": "FBNetV3",
    "mobilenet": "MobileNet",
}
_HEADS = ("name", "pixels", "parameters", "multiply-adds", "activations", "published error, %")


def pages() -> dict[str, str | bytes]:
    """The page and its pictures, by path."""
    published = {one.model: one for one in published_models()}
    groups: dict[str, list[NetworkOutline]] = {}
    for name in (name for family in FAMILIES for name in family.names()):
        config = find_model(name)
        assert isinstance(config, StagedConfig)
        prefix = re.split(r"[_\d]", name)[0] if not name.startswith("fbnet") else "fbnetv3"
        groups.setdefault(prefix, []).append(outline_of(name, config))
    found: dict[str, str | bytes] = {}
    text = _INTRO
    for prefix, outlines in groups.items():
        text += f"\n## {_TITLES.get(prefix, prefix)}\n\n{_overview(outlines, published)}"
        for one in outlines:
            found[f"gallery/models/{one.name}.svg"] = svg_of(picture_of(one))
            text += f"\n### {one.name}\n\n![Stages of {one.name}](models/{one.name}.svg)\n"
    return found | {"gallery/models.md": text}


def _overview(outlines: Sequence[NetworkOutline], published: dict[str, PublishedModel]) -> str:
    rows = []
    for one in outlines:
        known = published.get(one.name)
        error = f"{known.top1_error:.1f} ± {known.deviation:.2f}" if known else ""
        anchor = re.sub(r"[^\w -]", "", one.name)
        costs = (one.params, one.macs, one.activations)
        rows.append((f"[{one.name}](#{anchor})", str(one.resolution), *map(millions, costs), error))
    # A column that says nothing is left out.
    shown = len(_HEADS) - (not any(row[-1] for row in rows))
    return table(_HEADS[:shown], [row[:shown] for row in rows])
