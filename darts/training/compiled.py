"""A network's training step as one compiled graph, with the same random masks as without.

Drop path and dropout sample masks from a generator on the host, and each call would split the
graph. Therefore all masks of a step are sampled before it, in the order in which the network asks
for them, and enter the graph as one tensor. Their probabilities may change from step to step,
because the graph depends only on their shapes.

Only the training step is compiled: the forward pass in training mode for batches of one shape, and
its backward pass. Tests and teachers run uncompiled, so no other batch size is ever compiled. The
network keeps its parameters, buffers and their names.
"""

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from ops.regularize import Masks, draw_mask
from ops.sync_norm import SyncBatchNorm

log = logging.getLogger(__name__)
NOT_COMPILED = "The network is trained without being compiled: %s"

Forward = Callable[[Tensor, float, torch.Generator], tuple[Tensor, Tensor | None]]
"""(images, drop path probability, noise) -> logits of the network and of its auxiliary head."""


def wants_compiling(wish: bool | Literal["auto"], device: torch.device) -> bool:
    """Whether to compile; "auto" compiles only on CUDA, where it saves many kernel launches."""
    return device.type == "cuda" if wish == "auto" else wish


def compiled(
    network: nn.Module,
    images: Tensor,
    context: Callable[[], AbstractContextManager[object]],
    compiler: str = "inductor",
) -> Forward | None:
    """Compile the forward pass of `network` in training mode.

    One step is run here, so that the backward pass is compiled as well; this takes seconds to
    minutes. Parameters and buffers keep their values.

    Args:
        images: A batch `[B, 3, H, W]` of the shape of all later batches.
        context: Context of a forward pass, such as autocast.
        compiler: A back end of torch.compile.

    Returns:
        The compiled forward pass, or None if the network cannot be compiled; the log says why.
    """
    if obstacle := _obstacle(network):
        log.warning(NOT_COMPILED, obstacle)
        return None
    network.train()
    try:
        masks = StepMasks(network, images)

        def evaluate(images: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor | None]:
            return network(images, 0.0, masks.hand_out(drawn))

        graph = torch.compile(evaluate, fullgraph=True, dynamic=False, backend=compiler)

        def forward(
            images: Tensor, drop_path: float, generator: torch.Generator
        ) -> tuple[Tensor, Tensor | None]:
            return graph(images, masks.draw(drop_path, generator))

        with _left_as_it_was(network):
            with context():
                logits, auxiliary = forward(images, 0.0, torch.Generator())
            (logits.sum() + (0 if auxiliary is None else auxiliary.sum())).backward()
    except Exception as error:  # A compiler and its tools may raise anything.
        log.warning(NOT_COMPILED, str(error).strip().partition("\n")[0] or type(error).__name__)
        return None
    return forward


def _obstacle(network: nn.Module) -> str | None:
    """Why a network cannot be one graph, or None."""
    if getattr(network, "recompute", False):
        return "its cells are recomputed in the backward pass (--recompute-cells)"
    if any(isinstance(part, SyncBatchNorm) for part in network.modules()):
        return "its batch norms take their statistics from several processes (--sync-norm)"
    return None


@contextmanager
def _left_as_it_was(network: nn.Module) -> Iterator[None]:
    """Undo the effect of a step on buffers and gradients."""
    buffers = [(buffer, buffer.clone()) for buffer in network.buffers()]
    try:
        yield
    finally:
        network.zero_grad(set_to_none=True)
        for buffer, value in buffers:
            buffer.copy_(value)


class StepMasks:
    """All masks of drop path and dropout in a training step, sampled ahead as one tensor.

    Args:
        network: The network that uses them, in training mode.
        images: A batch `[B, 3, H, W]` of the shape of all later batches.
    """

    def __init__(self, network: nn.Module, images: Tensor) -> None:
        # A copy on the meta device computes nothing; it shows which masks the network asks for.
        self._outline = copy.deepcopy(network).to("meta")
        self._batch = torch.empty_like(images, device="meta")
        self._device, self._dtype = images.device, images.dtype
        self._plan(0.0)
        self._shapes = [shape for shape, _ in self._wanted]

    def draw(self, drop_path: float, generator: torch.Generator) -> Tensor:
        """All masks, flattened and concatenated `[elements]`, as the network would sample them."""
        if drop_path != self._drop_path:
            self._plan(drop_path)
        parts = []
        for shape, probability in self._wanted:
            part = torch.ones(shape, dtype=self._dtype)
            if probability:
                part = draw_mask(shape, probability, generator).to(part) / (1 - probability)
            parts.append(part.reshape(-1))
        masks = torch.cat(parts) if parts else torch.empty(0, dtype=self._dtype)
        if self._device.type == "cuda":
            masks = masks.pin_memory()
        return masks.to(self._device, non_blocking=True)

    def hand_out(self, drawn: Tensor) -> Masks:
        """A function that gives the network the masks of `draw`, one at each call."""
        parts = drawn.split([math.prod(shape) for shape in self._shapes])
        masks = iter([part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)])
        return lambda shape, probability: next(masks)

    def _plan(self, drop_path: float) -> None:
        """Record shapes and probabilities in the order in which the network asks for them."""
        wanted: list[tuple[Sequence[int], float]] = []

        def note(shape: Sequence[int], probability: float) -> Tensor:
            wanted.append((tuple(shape), probability))
            return torch.empty((), device="meta")

        with torch.no_grad():
            self._outline(self._batch, drop_path, note)
        self._drop_path, self._wanted = drop_path, wanted
