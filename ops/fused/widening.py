"""Widening of a fan-out: the same operations on more channels, which are copies of the old ones.

A wider supernet continues from the weights of a narrower one. Its additional channels are copies
of old channels. If the input has the same copies, every operation computes the old output with the
same copies: exactly, where the weights that read a channel are divided by its number of copies, and
up to the scale of each channel otherwise, which the batch norms absorb in part.

Source: Net2WiderNet (Chen et al. 2016, arXiv 1511.05641, §2.3); DrNAS (arXiv 2006.10355, §3.3),
whose code does not divide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ops.fused import branches as forms
from ops.fused.fan_out import FanOut

CopyRule = Callable[[Tensor], Tensor]
"""The tensor of a narrow operation -> that of the wide one."""


def copied_channels(old: int, new: int, generator: torch.Generator, *, halves: bool) -> Tensor:
    """For each channel of the wide operations the old channel that it copies, int64 `[new]`.

    The additional channels copy old ones that are drawn with replacement.

    >>> copied_channels(2, 3, torch.Generator().manual_seed(0), halves=False)[:2].tolist()
    [0, 1]

    Args:
        old: Number of old channels.
        new: Number of new channels, at least as many.
        generator: The source of the draws.
        halves: Whether each half of the new channels copies the same half of the old ones, as
            factorised reductions need it.
    """
    if halves:
        parts = [copied_channels(old // 2, new // 2, generator, halves=False) for _ in range(2)]
        return torch.cat([parts[0], old // 2 + parts[1]])
    drawn = torch.randint(old, (new - old,), generator=generator)
    return torch.cat([torch.arange(old), drawn])


@dataclass(frozen=True)
class CopiedChannels:
    """How one fan-out becomes a wider one.

    Attributes:
        channels: For each new channel the old channel that it copies, `[C']`.
        divide: Whether weights are divided by the number of copies of the channel that they read.
    """

    channels: Tensor
    divide: bool

    def _read(self, block: Tensor) -> Tensor:
        """Widen dimension 2, the channels that a convolution reads, of `[E, outputs, C, …]`."""
        wide = block[:, :, self.channels.to(block.device)]
        if not self.divide:
            return wide
        copies = self.channels.bincount()[self.channels].to(block)
        return wide / copies.view(-1, *[1] * (block.dim() - 3))

    def tensors(
        self, narrow: FanOut, wide: FanOut, name: str
    ) -> Iterator[tuple[Tensor, Tensor, CopyRule]]:
        """For each parameter and statistic of an operation: old, new, and how old becomes new."""
        old, new = narrow.branch(name), wide.branch(name)
        positions = [narrow.holders[name].index(edge) for edge in wide.holders[name]]
        edges = len(narrow.holders[name])
        modules = dict(new.named_modules())
        for path, module in old.named_modules():
            other = modules[path]
            if isinstance(module, nn.Conv2d):
                assert isinstance(other, nn.Conv2d)
                half = isinstance(old, forms.FactorizedReduceFan) and (0 if path == "conv1" else 1)
                yield (
                    module.weight,
                    other.weight,
                    self._convolution(edges, positions, narrow.channels, half),
                )
            elif isinstance(module, forms.WeightedNorm):
                assert isinstance(other, forms.WeightedNorm)
                shared = name in narrow.shared
                transform = self._statistics(1 if shared else edges, [0] if shared else positions)
                yield module.running_mean, other.running_mean, transform
                yield module.running_var, other.running_var, transform

    def _convolution(
        self, edges: int, positions: list[int], channels: int, half: int | bool
    ) -> CopyRule:
        """The transform of a convolution's weight `[E·outputs, inputs, k, k]`.

        Args:
            edges: Number of edges that the weight has.
            positions: The edges that the wide one has, among these.
            channels: Number of old channels.
            half: Which half of the output channels it computes; False if all.
        """

        def transform(weight: Tensor) -> Tensor:
            blocks = weight.unflatten(0, (edges, -1))[positions]
            outputs = self.channels.to(weight.device)
            if half is not False:
                part = len(outputs) // 2
                outputs = outputs[half * part : (half + 1) * part] - half * (channels // 2)
            blocks = blocks[:, outputs]
            # A depthwise convolution reads the channel that it writes.
            return (blocks if weight.shape[1] == 1 else self._read(blocks)).flatten(0, 1)

        return transform

    def _statistics(self, edges: int, positions: list[int]) -> CopyRule:
        def transform(values: Tensor) -> Tensor:
            blocks = values.unflatten(0, (edges, -1))[positions]
            return blocks[:, self.channels.to(values.device)].flatten()

        return transform


def widen(
    narrow: FanOut, wide: FanOut, generator: torch.Generator, *, divide: bool = False
) -> Iterator[tuple[Tensor, Tensor, CopyRule]]:
    """How each parameter and statistic of a fan-out becomes that of a wider one.

    The wide fan-out may lack operations and edges of operations. Operations without a fused form
    are left out: they keep the initial values of the wide one.

    >>> narrow, wide = (FanOut(("dil_conv_3x3",), size, 2, 1) for size in (4, 6))
    >>> for old, new, transform in widen(narrow, wide, torch.Generator().manual_seed(0)):
    ...     assert transform(old).shape == new.shape

    Args:
        narrow: The old fan-out.
        wide: The new one, with as many edges.
        generator: The source of the channels that are copied.
        divide: Whether weights are divided by the number of copies of the channel that they read;
            then the function is preserved exactly.

    Returns:
        Triples of the old tensor, the new tensor, and the transform from one to the other.
    """
    channels = copied_channels(narrow.channels, wide.channels, generator, halves=narrow.stride == 2)
    widening = CopiedChannels(channels, divide)
    for name in (*wide.shared, *wide.rectified):
        yield from widening.tensors(narrow, wide, name)
