"""Costs of the networks of NAS-Bench-201 in closed form.

The network (`darts.models.stages`) has a stem, three stages of N cells with C, 2C and 4C channels
at full, half and quarter resolution, and a residual block before the second and the third stage. A
convolution of a cell with kernel k and c channels has k²·c² weights and a batch norm of 2c
parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from genotypes.nasbench201 import EDGES, Operations

KERNELS = {"nor_conv_1x1": 1, "nor_conv_3x3": 3}
"""The operations that have weights, with the sizes of their kernels."""


@dataclass(frozen=True, kw_only=True)
class StagesSize:
    """The size of the network around the cells.

    >>> size = StagesSize()
    >>> size.parameters(["nor_conv_3x3"] * 6), size.flops(["nor_conv_3x3"] * 6)
    (1531546, 220119690)
    >>> size.supernet_parameters()
    1686106

    Attributes:
        channels: C, channels of the first stage.
        cells: N, cells of each stage.
        num_classes: Number of classes.
        resolution: Height and width of the images.
    """

    channels: int = 16
    cells: int = 5
    num_classes: int = 10
    resolution: int = 32

    @property
    def _stages(self) -> list[tuple[int, int]]:
        """Channels, and height and width, of each stage."""
        return [(self.channels * 2**stage, self.resolution // 2**stage) for stage in range(3)]

    def _fixed_weights(self) -> list[tuple[int, int]]:
        """Weights and output pixels of all convolutions outside the cells."""
        stages = self._stages
        layers = [(27 * self.channels, self.resolution**2)]
        for (a, _), (b, size) in pairwise(stages):
            layers.append((9 * a * b + 9 * b**2 + a * b, size**2))
        return layers

    def fixed_parameters(self) -> int:
        """Parameters of everything outside the cells; all batch norms there are affine."""
        last = 4 * self.channels
        norms = 2 * self.channels + sum(4 * width for width, _ in self._stages[1:]) + 2 * last
        convolutions = sum(weights for weights, _ in self._fixed_weights())
        return convolutions + norms + (last + 1) * self.num_classes

    def parameters(self, operations: Operations | list[str]) -> int:
        """Parameters of a network; operations without a path to the output count too."""
        kernels = [KERNELS[name] for name in operations if name in KERNELS]
        in_cells = sum(k**2 * c**2 + 2 * c for k in kernels for c, _ in self._stages)
        return self.fixed_parameters() + self.cells * in_cells

    def macs(self, operations: Operations | list[str]) -> int:
        """Multiply-adds of convolutions and the classifier, as `darts.costs.count` counts them."""
        kernels = [KERNELS[name] for name in operations if name in KERNELS]
        in_cells = sum(k**2 * c**2 * size**2 for k in kernels for c, size in self._stages)
        fixed = sum(weights * pixels for weights, pixels in self._fixed_weights())
        return fixed + self.cells * in_cells + 4 * self.channels * self.num_classes

    def flops(self, operations: Operations | list[str]) -> int:
        """The benchmark's own count: `macs` and one addition for each bias of the classifier."""
        return self.macs(operations) + self.num_classes

    def supernet_parameters(self, k: int = 1) -> int:
        """Parameters of the supernet: batch norms in cells have none, convolutions no bias.

        Args:
            k: K; the mixed operations process 1/K of the channels.
        """
        weights = sum(kernel**2 for kernel in KERNELS.values())
        in_cells = sum(weights * (c // k) ** 2 for c, _ in self._stages)
        return self.fixed_parameters() + self.cells * len(EDGES) * in_cells
