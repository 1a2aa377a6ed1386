"""A summary of the network that is about to be trained; it needs no data."""

from __future__ import annotations

import shlex

import torch

from darts.costs.count import count
from darts.data.sources import classes_and_size
from darts.models.registry import Model
from darts.report.style import cell_title
from darts.settings.options import PHOTOGRAPH_SIZE
from darts.training.network import create_trainee
from darts.training.options import TrainingOptions, imagenet_recipe
from darts.training.pretrained import described_origin
from genotypes import Genotype


def network_card(options: TrainingOptions, model: Model) -> str:
    """The network's cost for one image; for a genotype also its cells, and both counting rules.

    Raises:
        UserError: Own data are missing or faulty, or the network cannot take their images.
    """
    classes, size = classes_and_size(options)
    with torch.device("meta"):
        network = create_trainee(options, model, classes, size)
    cost = count(network, size)
    rows = [("parameters", f"{cost.params:,}")]
    if isinstance(model, Genotype):
        made = network.description
        rows.insert(0, ("size", f"{made['channels']} channels, {made['layers']} cells"))
        if made["auxiliary"]:
            more = count(network, size, auxiliary=True).params - cost.params
            rows.append(("auxiliary head", f"{more:,} more, in training only"))
        published = (
            f"{cost.published_macs:,} with batch norms and ReLUs, the rule behind published figures"
        )
        rows.append(("multiply-adds", f"{cost.macs:,} of convolutions and linear layers"))
        rows.append(("", published))
    else:
        rows.append(("multiply-adds", f"{cost.macs:,}"))
    rows.append(("activations", f"{cost.activations:,}"))
    if options.pretrained is not None and options.resume is None:
        origin = described_origin(options.pretrained, options.pretrained_as)
        rows.append(("weights", f"{origin.file}: {origin.of}, SHA-256 {origin.sha256}"))
    why = ""
    if not isinstance(model, Genotype) and size >= PHOTOGRAPH_SIZE and size == model.resolution:
        why = ", the size it was published for"
    rows.append(("for", f"images of {size}x{size} pixels{why}, {classes:,} classes"))
    if options.dataset == "imagenet":
        recipe = imagenet_recipe(options.model)
        rows.append(("recipe", f"{recipe}, where no preset, flag or file says otherwise"))
    lines = [f"{name:15} {value}" for name, value in rows]
    if isinstance(model, Genotype):
        drawn = f"python -m darts draw {shlex.quote(options.genotype or model.name)} -o DIR"
        lines = [model.name, *_cell_lines(model), f"{'to draw them':15} {drawn}", *lines]
    else:
        lines = [options.model or "network", *lines]
    return "\n".join(lines)


def _cell_lines(genotype: Genotype) -> list[str]:
    """The cells as sums; c[k-2] and c[k-1] are the outputs of the two previous cells.

    Nodes are numbered from 0, as in drawings and genotype files.
    """
    inputs = genotype.rules.inputs
    names = [f"c[k-{inputs - number}]" for number in range(inputs)]
    names += [str(number) for number in range(genotype.nodes)]
    lines = []
    for kind in genotype.kinds:
        nodes, concat = genotype.cell(kind)
        lines.append(cell_title(kind))
        for number, pairs in enumerate(nodes):
            terms = " + ".join(f"{operation}({names[source]})" for operation, source in pairs)
            lines.append(f"  {number:>3} = {terms}")
        output = ", ".join(names[state] for state in concat)
        lines.append(f"  out = {'concatenation of ' if len(concat) > 1 else ''}{output}")
    return lines
