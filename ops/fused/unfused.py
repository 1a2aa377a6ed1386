"""Operations without a fused form: one module per edge, also beside the kernels of a back end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


class SeparateEdges(nn.Module):
    """An operation as one module per edge. A new operation therefore needs no fused form.

    Shapes: x `[B, C, H, W]` and the weight of each channel of each edge `[E·C]` give
    `[B, E·C, H', W']`.

    >>> SeparateEdges(nn.Identity, 3)(torch.ones(1, 2, 4, 4), torch.ones(6)).shape
    torch.Size([1, 6, 4, 4])

    Args:
        create: Creates the module of one edge.
        edges: E, the number of edges.
    """

    def __init__(self, create: Callable[[], nn.Module], edges: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(create() for _ in range(edges))

    def forward(self, x: Tensor, weights: Tensor, chosen: Sequence[int] | None = None) -> Tensor:
        edges = [
            self.edges[edge] for edge in (range(len(self.edges)) if chosen is None else chosen)
        ]
        parts = weights.view(len(edges), -1).unbind()
        return torch.cat(
            [edge(x) * w.view(1, -1, 1, 1) for edge, w in zip(edges, parts, strict=True)], 1
        )


def _itself(tensor: Tensor) -> Tensor:
    return tensor


class BesideKernels:
    """The operations of a source that kernels cannot evaluate, computed in PyTorch.

    They run inside the autograd function of the kernels. They have a graph of their own, from the
    processed channels to the mixtures. The forward pass adds the mixtures to the nodes; the
    backward pass runs this graph and adds the results to the gradients.

    Args:
        mix: (x, mixture) -> the concatenated mixtures of all edges, `[B, E·C/K, H', W']`.
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
        # This graph keeps its tensors itself: a cell that is recomputed in the backward pass would
        # otherwise be recomputed twice, once for this graph.
        with torch.enable_grad(), saved_tensors_hooks(_itself, _itself):
            self.x = x.detach().requires_grad_()
            self.mixture = mixture.detach().clone().requires_grad_()
            self._mixed = mix(self.x, self.mixture)

    @property
    def mixed(self) -> Tensor:
        """The mixtures `[B, E·C/K, H', W']`, detached from their graph."""
        return self._mixed.detach()

    def backward(self, gradient: Tensor) -> tuple[Tensor, Tensor, list[Tensor | None]]:
        """The gradients of x, of the mixture and of each parameter (None if it is frozen).

        Args:
            gradient: The gradient of `mixed`.
        """
        learning = [parameter for parameter in self.parameters if parameter.requires_grad]
        given = iter(
            torch.autograd.grad(
                self._mixed,
                [self.x, self.mixture, *learning],
                gradient.to(self._mixed.dtype),
                # An operation need not read x, and some of its edges may not take part.
                materialize_grads=True,
            )
        )
        d_x, d_mixture = next(given), next(given)
        return d_x, d_mixture, [next(given) if p.requires_grad else None for p in self.parameters]
