"""Costs of derived networks in closed form: without building them.

A layer on C channels costs a·C² + b·C an output pixel (and as many parameters), whatever it is.
`darts.costs.count` counts each operation at two numbers of channels, which gives a and b; all the
rest is a sum over cells. Tests hold it to `darts.costs.count.count` of the whole network.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

from cells.skeleton import CellPlace, Skeleton
from cells.topology import Topology
from darts.costs.count import Cost, count, operation_cost
from darts.models.derived import SETTINGS
from darts.models.stems import Stem, check_image_size, create_network_stem
from genotypes import Genotype

# Numbers of channels that every operation can have, and the side of its output.
_FEW, _PIXELS = 8, 4


def network_cost(
    genotype: Genotype,
    *,
    channels: int,
    layers: int,
    stem: str,
    resolution: int | None = None,
    num_classes: int | None = None,
) -> Cost:
    """The cost of a network of `darts.models.derived.Network`, without an auxiliary head.

    Args:
        channels: C of the first cell; an even number.
        resolution, num_classes: By default what the stem is meant for.

    Raises:
        UserError: There is no such stem, or the resolution does not come out even.
    """
    small_stem = _small_stem(stem)
    resolution = SETTINGS[stem].resolution if resolution is None else resolution
    num_classes = SETTINGS[stem].num_classes if num_classes is None else num_classes
    inputs = channels * small_stem.out_channels1 // 2
    skeleton = Skeleton.of(
        layers=layers,
        channels=channels,
        stem=(inputs, inputs),
        width=lambda kind: len(genotype.cell(kind)[1]),
        stem_reduces=small_stem.reduces,
    )
    check_image_size(resolution, resolution, small_stem.multiple * skeleton.shrinkage)
    size = resolution // small_stem.multiple
    total = _stem_cost(stem, channels, resolution)
    priced: dict[CellPlace, Cost] = {}  # Most cells of a stack are alike.
    for place in skeleton.cells:
        alike = replace(place, index=0)
        if alike not in priced:
            priced[alike] = _cell_cost(genotype, place, size)
        total += priced[alike]
    classifier = skeleton.out_channels * num_classes
    return total + Cost(params=classifier + num_classes, linear_macs=classifier)


def _cell_cost(genotype: Genotype, place: CellPlace, stem_size: int) -> Cost:
    """The cost of a cell behind a stem whose output is `stem_size` pixels wide."""
    size, smaller = stem_size // place.shrinkage, place.output_size(stem_size)
    # A factorised reduction reads four times the pixels that it puts out.
    pixels_read = 4 if place.previous_reduction else 1
    total = _pointwise_cost(place.before_previous, place.channels, size, pixels_read)
    total += _pointwise_cost(place.previous, place.channels, size, 1)
    nodes, _ = genotype.cell(place.kind)
    stride = Topology(genotype.nodes).stride
    for node in nodes:
        for operation, source in node:
            few, twice = _operation_costs(operation, stride(source, place.reduction))
            total += _through(few, twice, place.channels, smaller)
    return total


@cache
def _operation_costs(name: str, stride: int) -> tuple[Cost, Cost]:
    """The cost of an operation on few channels, and on twice as many."""
    small, large = (
        operation_cost(name, channels, stride, stride * _PIXELS) for channels in (_FEW, 2 * _FEW)
    )
    return small, large


def _through(small: Cost, large: Cost, channels: int, size: int) -> Cost:
    """The cost on `channels` channels that put out size x size pixels, from those on few."""
    values = {}
    for field in fields(Cost):
        one, other = getattr(small, field.name), getattr(large, field.name)
        # a·C² + b·C through (few, one) and (2 · few, other): whole numbers to the end.
        value = (other - 2 * one) * channels * (channels - _FEW) // (2 * _FEW**2)
        value += one * channels // _FEW
        values[field.name] = value if field.name == "params" else value * size**2 // _PIXELS**2
    return Cost(**values)


def _pointwise_cost(c_in: int, c_out: int, size: int, pixels_read: int) -> Cost:
    """ReLU, 1x1 convolution and norm (or a factorised reduction) that put out size x size."""
    weights, pixels = c_in * c_out, size**2
    return Cost(
        params=weights + 2 * c_out,
        conv_macs=weights * pixels,
        activations=c_out * pixels,
        norm_elements=c_out * pixels,
        relu_elements=c_in * pixels * pixels_read,
    )


@cache
def _small_stem(stem: str) -> Stem:
    """The stem of a network of two channels."""
    return create_network_stem(stem, 2)


@cache
def _stem_cost(stem: str, channels: int, resolution: int) -> Cost:
    """Counted on the smallest image: everything but the parameters grows with the pixels."""
    module = create_network_stem(stem, channels)
    counted = count(module, module.multiple)
    pixels = (resolution // module.multiple) ** 2
    scaled = {field.name: getattr(counted, field.name) * pixels for field in fields(Cost)}
    return Cost(**{**scaled, "params": counted.params})
