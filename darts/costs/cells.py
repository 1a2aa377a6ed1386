"""Costs of derived networks in closed form, without building them.

On C channels, every operation costs a·C² + b·C per output pixel, and its number of parameters has
the same form. `darts.costs.count` counts each operation at two numbers of channels, which
determines a and b. The cost of a network is a sum over its cells. Tests compare the result with
`darts.costs.count.count` of the complete network.
"""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

from cells.skeleton import CellPlace, Skeleton
from cells.topology import Topology
from darts.costs.count import Cost, count, operation_cost
from darts.models.genotype_network import check_operations, setting_of
from darts.models.stages import (
    StageReduction,
    cell_stages,
    check_stages_stem,
    create_stage_head,
    create_stage_stem,
)
from darts.models.stems import CellStem, check_image_size, create_network_stem
from genotypes import Genotype

# A number of channels that every operation accepts, and the height and width of its output.
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
    """The cost of a genotype's network without an auxiliary head.

    >>> from genotypes import load_genotype
    >>> cost = network_cost(
    ...     load_genotype("pcdarts_cifar10"), channels=36, layers=20, stem="cifar"
    ... )
    >>> round(cost.params / 1e6, 2)
    3.63

    Args:
        genotype: The cells.
        channels: C of the first cell; an even number.
        layers: Number of cells.
        stem: "cifar" or "imagenet".
        resolution: Height and width of the images; by default that of the stem or of the space.
        num_classes: Number of classes; by default in the same way.

    Raises:
        UserError: There is no such stem, or the network cannot divide the resolution.
    """
    check_operations(genotype)
    small_stem, setting = _small_stem(stem), setting_of(genotype.rules, stem)
    resolution = setting.resolution if resolution is None else resolution
    num_classes = setting.num_classes if num_classes is None else num_classes
    if genotype.rules.stack == "stages":
        check_stages_stem(stem)
        return _stages_cost(genotype, channels, layers, resolution, num_classes)
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
    priced: dict[CellPlace, Cost] = {}  # Most cells of a stack are equal.
    for place in skeleton.cells:
        alike = replace(place, index=0)
        if alike not in priced:
            priced[alike] = _cell_cost(genotype, place, size)
        total += priced[alike]
    return total + _classifier_cost(skeleton.out_channels, num_classes)


def _stages_cost(
    genotype: Genotype, channels: int, layers: int, resolution: int, num_classes: int
) -> Cost:
    """The cost of a `darts.models.stages.StagesNetwork`."""
    skeleton = cell_stages(layers, channels)
    check_image_size(resolution, resolution, skeleton.shrinkage)
    total = _scaled(count(create_stage_stem(channels), 1), resolution**2)
    for place in skeleton.cells:
        size = place.output_size(resolution)
        for node in genotype.cell(place.kind)[0]:
            for operation, _ in node:
                total += _through(*_operation_costs(operation, 1), place.channels, size)
    for factor in (1, 2):
        block = count(StageReduction(factor * channels), 2, channels=factor * channels)
        total += _scaled(block, (resolution // factor // 2) ** 2)
    last = skeleton.out_channels
    head = count(create_stage_head(last), 1, channels=last)
    total += _scaled(head, (resolution // skeleton.shrinkage) ** 2)
    return total + _classifier_cost(last, num_classes)


def _classifier_cost(channels: int, num_classes: int) -> Cost:
    weights = channels * num_classes
    return Cost(params=weights + num_classes, linear_macs=weights)


def _cell_cost(genotype: Genotype, place: CellPlace, stem_size: int) -> Cost:
    """The cost of a cell if the second state of the stem is `stem_size` x `stem_size`."""
    size, smaller = stem_size // place.shrinkage, place.output_size(stem_size)
    # A factorised reduction reads four pixels for each output pixel.
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
    """The cost of an operation on `_FEW` channels, and on twice as many."""
    small, large = (
        operation_cost(name, channels, stride, stride * _PIXELS) for channels in (_FEW, 2 * _FEW)
    )
    return small, large


def _through(small: Cost, large: Cost, channels: int, size: int) -> Cost:
    """Extrapolate the cost to `channels` channels and an output of size x size pixels."""
    values = {}
    for field in fields(Cost):
        one, other = getattr(small, field.name), getattr(large, field.name)
        # a·C² + b·C through (few, one) and (2 · few, other), in integer arithmetic.
        value = (other - 2 * one) * channels * (channels - _FEW) // (2 * _FEW**2)
        value += one * channels // _FEW
        values[field.name] = value if field.name == "params" else value * size**2 // _PIXELS**2
    return Cost(**values)


def _pointwise_cost(c_in: int, c_out: int, size: int, pixels_read: int) -> Cost:
    """The cost of ReLU, 1x1 convolution and batch norm, or of a factorised reduction.

    The output is size x size.
    """
    weights, pixels = c_in * c_out, size**2
    return Cost(
        params=weights + 2 * c_out,
        conv_macs=weights * pixels,
        activations=c_out * pixels,
        norm_elements=c_out * pixels,
        relu_elements=c_in * pixels * pixels_read,
    )


@cache
def _small_stem(stem: str) -> CellStem:
    """The stem of a network with two channels."""
    return create_network_stem(stem, 2)


@cache
def _stem_cost(stem: str, channels: int, resolution: int) -> Cost:
    """The cost of a stem: counted on the smallest image, scaled by the number of pixels."""
    module = create_network_stem(stem, channels)
    counted = count(module, module.multiple)
    return _scaled(counted, (resolution // module.multiple) ** 2)


def _scaled(cost: Cost, pixels: int) -> Cost:
    """A cost for one output pixel, times `pixels`, except the parameters."""
    scaled = {field.name: getattr(cost, field.name) * pixels for field in fields(Cost)}
    return Cost(**{**scaled, "params": cost.params})
