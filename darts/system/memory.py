"""What a step keeps for its backward pass, and what a user can do where that is too much.

The memory of a step grows with the activations that autograd keeps, which are in proportion to the
images that are worked on at once. They are counted on the CPU, for two images; kernels of other
devices keep somewhat more or less, so all amounts are estimates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

SAMPLE = 2
"""Images that activations are counted for; norms need more than one."""


def kept_bytes(evaluate: Callable[[], Tensor], module: nn.Module) -> int:
    """Bytes that the graph of `evaluate()` keeps, besides parameters and buffers of `module`.

    What `module`'s cells have given counts as well, if it has cells: where they are computed again
    in the backward pass, it is kept, and autograd does not know of it.
    """
    own = {
        value.untyped_storage().data_ptr() for value in (*module.parameters(), *module.buffers())
    }
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    cells = getattr(module, "cells", ())
    hooks = [
        cell.register_forward_hook(lambda cell, inputs, y: (keep(y), None)[1]) for cell in cells
    ]
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = evaluate()
    for hook in hooks:
        hook.remove()
    del loss  # Until here, so that no address was used twice.
    return sum(kept.values())


@dataclass(frozen=True)
class Remedy:
    """A change of settings: its flag, the bytes that an image would keep then, and its price."""

    flag: str
    image_bytes: float
    price: str


def advice(images: int, image_bytes: float, remedies: Sequence[Remedy]) -> str:
    """What helps a step that works on `images` at once, each of which keeps `image_bytes`."""
    whole = images * image_bytes
    width = max(len(remedy.flag) for remedy in remedies)
    lines = [
        f"  {one.flag:{width}}  about {_amount(whole - images * one.image_bytes)} less; {one.price}"
        for one in remedies
        if one.image_bytes < image_bytes
    ]
    return (
        f"A step keeps about {_amount(whole)} of activations, for {images} images at once. "
        "What would save memory:\n" + "\n".join(lines)
    )


def common_remedies(
    batch_size: int, accumulate: int, images: int, image_bytes: float
) -> list[Remedy]:
    """Those of every run: fewer of a batch's images at once, or smaller batches."""
    share = images * accumulate
    parts = [parts for parts in range(accumulate + 1, share + 1) if share % parts == 0]
    remedies = []
    if parts:
        part = image_bytes * (share // parts[0]) / images
        price = "the same gradients, up to the statistics of batch normalisation"
        remedies.append(Remedy(f"--accumulate {parts[0]}", part, price))
    if images % 2 == 0:
        flag = f"--batch-size {batch_size // 2}"
        remedies.append(Remedy(flag, image_bytes / 2, "another recipe"))
    return remedies


def recompute_remedy(image_bytes: float) -> Remedy:
    """Keeping only the inputs of cells."""
    return Remedy("--recompute-cells", image_bytes, "the same numbers, about a third more time")


def _amount(number: float) -> str:
    if number >= 2**30:
        return f"{number / 2**30:.1f} GiB"
    return f"{number / 2**20:.0f} MiB"
