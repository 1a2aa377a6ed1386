"""The blocks of AnyNet: residual bottlenecks (X, Y, R) and plain 3x3 convolutions (V, VR).

Sources: RegNet (arXiv 2003.13678, §3.2, §3.4 and appendix D) and its code pycls. The bottleneck
follows ResNet 1.5 (the 3x3 convolution has the stride), squeeze-excitation follows arXiv
1709.01507. Convolutions have no biases except in squeeze-excitation. Every block maps
`[B, c_in, H, W]` to `[B, c_out, ceil(H / stride), ceil(W / stride)]`.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from ops.chains import ChainStage, run_chain, takes_chain
from ops.regularize import Noise, drop_path, path_mask


class StridedPointwise(nn.Conv2d):
    """A 1x1 convolution with a stride that subsamples the pixels before it multiplies.

    This avoids a bug: with fewer than 16 channels in channels_last, the backward pass of torch
    2.13's own strided convolution crashes with a segmentation fault on some CPUs.

    >>> import torch
    >>> StridedPointwise(4, 8, 1, stride=2, bias=False)(torch.zeros(1, 4, 7, 7)).shape
    torch.Size([1, 8, 4, 4])
    """

    def forward(self, x: Tensor) -> Tensor:
        down, right = self.stride
        return functional.conv2d(x[:, :, ::down, ::right], self.weight, groups=self.groups)


class ConvNorm(nn.Module):
    """Convolution (padded to keep the spatial size), batch norm and an optional ReLU.

    >>> import torch
    >>> ConvNorm(3, 8, 3, stride=2, relu=True)(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 8, 4, 4])

    Args:
        kernel: Kernel size; odd.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        relu: bool = False,
    ) -> None:
        super().__init__()
        make = StridedPointwise if kernel == 1 and stride > 1 else nn.Conv2d
        self.conv = make(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(c_out)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        stages = chain_of([self])
        if takes_chain(stages, x):
            return run_chain(stages, x, relu=isinstance(self.relu, nn.ReLU))
        return self.relu(self.norm(self.conv(x)))


def chain_of(layers: Sequence[ConvNorm]) -> tuple[ChainStage, ...]:
    """The stages of these layers, without the last one's ReLU.

    >>> [stage.relu for stage in chain_of([ConvNorm(3, 8, relu=True), ConvNorm(8, 8)])]
    [False, True]
    """
    relus = [False, *(isinstance(layer.relu, nn.ReLU) for layer in layers[:-1])]
    return tuple(
        ChainStage(layer.norm, (layer.conv,), relu)
        for layer, relu in zip(layers, relus, strict=True)
    )


class SqueezeExcite(nn.Module):
    """Squeeze-excitation: each channel is scaled by a gate computed from all channel means.

        y = x · gate(W2 · activation(W1 · mean(x) + b1) + b2)

    W1 reduces `channels` to `squeezed` channels and W2 expands them again. Shapes: `[B, C, H, W]`
    to `[B, C, H, W]`. Source: arXiv 1709.01507, §3.

    >>> import torch
    >>> SqueezeExcite(8, 2)(torch.ones(1, 8, 4, 4)).shape
    torch.Size([1, 8, 4, 4])

    Args:
        activation: The activation between both convolutions; by default a ReLU.
        gate: Maps real numbers to (0, 1); by default a sigmoid.
    """

    def __init__(
        self,
        channels: int,
        squeezed: int,
        activation: nn.Module | None = None,
        gate: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.activation = activation or nn.ReLU(inplace=True)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.gate = gate or nn.Sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean(dim=(2, 3), keepdim=True)
        return x * self.gate(self.expand(self.activation(self.reduce(means))))


class Residual(nn.Module):
    """Base class of a block with a shortcut: ReLU(closing layers(opened(x)) + shortcut(x)).

    The shortcut is the identity if input and output have the same shape, else a strided 1x1
    convolution and a batch norm.
    """

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        same = c_in == c_out and stride == 1
        self.shortcut = nn.Identity() if same else ConvNorm(c_in, c_out, stride=stride)
        self.relu = nn.ReLU(inplace=True)

    @property
    def closing(self) -> list[ConvNorm]:
        """The last layers of the residual branch; no ReLU follows them."""
        raise NotImplementedError

    def opened(self, x: Tensor) -> Tensor:
        """The input of these layers."""
        return x

    def transform(self, x: Tensor) -> Tensor:
        """The residual branch, without the ReLU that follows the sum."""
        return self._closed(self.opened(x))

    def _closed(self, x: Tensor) -> Tensor:
        for layer in self.closing:
            x = layer(x)
        return x

    def forward(
        self, x: Tensor, probability: float = 0.0, generator: Noise | None = None
    ) -> Tensor:
        """Compute the block.

        Args:
            x: `[B, c_in, H, W]`.
            probability: The probability that the residual branch of a sample is dropped.
            generator: Source of the dropout masks; None drops nothing.
        """
        opened = self.opened(x)
        stages = chain_of(self.closing)
        if takes_chain(stages, opened):
            mask = None if generator is None else path_mask(x, probability, generator)
            beside = chain_of([self.shortcut]) if isinstance(self.shortcut, ConvNorm) else ()
            if opened is x and (not beside or takes_chain(beside, x)):
                return run_chain(stages, x, mask=mask, shortcut=beside, finally_relu=True)
            add = self.shortcut(x)
            return run_chain(stages, opened, mask=mask, add=add, finally_relu=True)
        transformed = self._closed(opened)
        if generator is not None:
            transformed = drop_path(transformed, probability, generator)
        return self.relu(transformed + self.shortcut(x))


class ResidualBottleneck(Residual):
    """Bottleneck of a 1x1, a grouped 3x3 and a 1x1 convolution: block X, Y or R of RegNet.

    X is the plain form, Y has squeeze-excitation after the ReLU of the 3x3 convolution, and R is X
    with one group.

    >>> import torch
    >>> block = ResidualBottleneck(8, 16, inner=16, stride=2, groups=4, squeezed=2)
    >>> block(torch.zeros(1, 8, 8, 8)).shape
    torch.Size([1, 16, 4, 4])

    Args:
        inner: Channels of the 3x3 convolution (w_b in the paper).
        groups: Groups of the 3x3 convolution: `inner` divided by the group width.
        squeezed: Channels inside squeeze-excitation; 0 for no squeeze-excitation.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        *,
        inner: int,
        stride: int = 1,
        groups: int = 1,
        squeezed: int = 0,
    ) -> None:
        super().__init__(c_in, c_out, stride)
        self.reduce = ConvNorm(c_in, inner, relu=True)
        self.spatial = ConvNorm(inner, inner, 3, stride=stride, groups=groups, relu=True)
        self.excite = SqueezeExcite(inner, squeezed) if squeezed else nn.Identity()
        self.expand = ConvNorm(inner, c_out)

    @property
    def closing(self) -> list[ConvNorm]:
        if isinstance(self.excite, nn.Identity):
            return [self.reduce, self.spatial, self.expand]
        return [self.expand]

    def opened(self, x: Tensor) -> Tensor:
        if isinstance(self.excite, nn.Identity):
            return x
        layers = [self.reduce, self.spatial]
        stages = chain_of(layers)
        if takes_chain(stages, x):
            return self.excite(run_chain(stages, x, relu=True))
        for layer in layers:
            x = layer(x)
        return self.excite(x)


class ResidualConv(Residual):
    """One 3x3 convolution and a batch norm with a shortcut: block VR.

    >>> import torch
    >>> ResidualConv(4, 8, stride=2)(torch.zeros(1, 4, 8, 8)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, c_in: int, c_out: int, *, stride: int = 1) -> None:
        super().__init__(c_in, c_out, stride)
        self.spatial = ConvNorm(c_in, c_out, 3, stride=stride)

    @property
    def closing(self) -> list[ConvNorm]:
        return [self.spatial]


class ResidualBasic(Residual):
    """Two 3x3 convolutions with a shortcut: the basic block of ResNet-18 and ResNet-34.

    Source: He et al., arXiv 1512.03385, Fig. 5 left.

    >>> import torch
    >>> ResidualBasic(4, 8, stride=2)(torch.zeros(1, 4, 8, 8)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, c_in: int, c_out: int, *, stride: int = 1) -> None:
        super().__init__(c_in, c_out, stride)
        self.spatial1 = ConvNorm(c_in, c_out, 3, stride=stride, relu=True)
        self.spatial2 = ConvNorm(c_out, c_out, 3)

    @property
    def closing(self) -> list[ConvNorm]:
        return [self.spatial1, self.spatial2]


class VanillaConv(ConvNorm):
    """One 3x3 convolution, batch norm and ReLU: block V. It has no residual branch to drop.

    >>> import torch
    >>> VanillaConv(4, 8, stride=2)(torch.zeros(1, 4, 8, 8)).shape
    torch.Size([1, 8, 4, 4])
    """

    def __init__(self, c_in: int, c_out: int, *, stride: int = 1) -> None:
        super().__init__(c_in, c_out, 3, stride=stride, relu=True)

    def forward(
        self, x: Tensor, probability: float = 0.0, generator: Noise | None = None
    ) -> Tensor:
        return super().forward(x)
