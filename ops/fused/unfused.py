"""Operations without a fused form: one module per edge, and their place beside kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class SeparateEdges(nn.Module):
    """An operation as one module per edge, so that a new operation needs no fused form.

    Args:
        create: Makes the module of one edge.
        edges: E, the number of edges.

    Shapes: x `[B, C, H, W]` and the weight of each channel of each edge `[E·C]` give
    `[B, E·C, H', W']`.
    """

    def __init__(self, create: Callable[[], nn.Module], edges: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(create() for _ in range(edges))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        parts = weights.view(len(self.edges), -1).unbind()
        return torch.cat(
            [edge(x) * w.view(1, -1, 1, 1) for edge, w in zip(self.edges, parts, strict=True)], 1
        )


class BesideKernels:
    """What kernels cannot evaluate of a source, in PyTorch, inside their own autograd function.

    The part has a graph of its own from the processed channels to the mixtures. The forward pass
    adds the mixtures to the nodes; the backward pass runs that graph and adds to the gradients.

    Args:
        mix: (x, mixture) -> the mixtures of all edges, concatenated: `[B, E·C/K, H', W']`.
        parameters: All parameters that `mix` reads.
        x: The processed channels of the source, `[B, C/K, H, W]`.
        mixture: The weights of the source's operations, `[E, O]`.
    """

    def __init__(
        self,
        mix: Callable[[Tensor, Tensor], Tensor],
        parameters: Sequence[Tensor],
        x: Tensor,
        mixture: Tensor,
    ) -> None:
        self.parameters = list(parameters)
        with torch.enable_grad():
            self.x = x.detach().requires_grad_()
            self.mixture = mixture.detach().clone().requires_grad_()
            self._mixed = mix(self.x, self.mixture)

    @property
    def mixed(self) -> Tensor:
        """`[B, E·C/K, H', W']`, cut off from the graph."""
        return self._mixed.detach()

    def backward(self, gradient: Tensor) -> tuple[Tensor, Tensor, list[Tensor | None]]:
        """The gradients of x, of the mixture, and of each parameter (None where it is frozen).

        Args:
            gradient: That of `mixed`.
        """
        learning = [parameter for parameter in self.parameters if parameter.requires_grad]
        d_x, d_mixture, *found = torch.autograd.grad(
            self._mixed, [self.x, self.mixture, *learning], gradient.to(self._mixed.dtype)
        )
        given = iter(found)
        return d_x, d_mixture, [next(given) if p.requires_grad else None for p in self.parameters]
