"""Memory of a step, and advice for a user who has too little of it.

The memory of a step grows with the activations that autograd keeps, which are proportional to the
number of images in the forward pass. They are counted on the CPU, for two images. Kernels of other
devices keep somewhat more or less, so all amounts are estimates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

SAMPLE = 2
"""Number of images that activations are counted for; batch norm needs more than one."""


def kept_bytes(evaluate: Callable[[], Tensor], module: nn.Module) -> int:
    """Bytes that the graph of `evaluate()` keeps, without parameters and buffers of `module`.

    The outputs of the module's cells count as well, if it has cells: if cells are recomputed in
    the backward pass, their inputs are kept without autograd knowing.

    >>> layer, x = nn.Linear(4, 4), torch.ones(2, 4)
    >>> kept_bytes(lambda: layer(x).relu().sum(), layer)  # The input and the output of ReLU.
    64
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
    del loss  # It was alive until here, so that no address was used twice.
    return sum(kept.values())


@dataclass(frozen=True)
class Remedy:
    """A change of settings that saves memory.

    Attributes:
        flag: The change, as a flag of the command line.
        image_bytes: Bytes that an image would keep then.
        price: The disadvantage, in a few words.
    """

    flag: str
    image_bytes: float
    price: str


def advice(images: int, image_bytes: float, remedies: Sequence[Remedy]) -> str:
    """The text of the advice for a step with `images` images that keep `image_bytes` each."""
    whole = images * image_bytes
    width = max(len(remedy.flag) for remedy in remedies)
    lines = [
        f"  {one.flag:{width}}  about {_amount(whole - images * one.image_bytes)} less; {one.price}"
        for one in remedies
        if one.image_bytes < image_bytes
    ]
    return (
        f"A step keeps about {_amount(whole)} of activations, for {images} images at once. "
        "Ways to save memory:\n" + "\n".join(lines)
    )


def common_remedies(
    batch_size: int, accumulate: int, images: int, image_bytes: float
) -> list[Remedy]:
    """Remedies of any run: gradient accumulation, or a smaller batch."""
    share = images * accumulate
    parts = [parts for parts in range(accumulate + 1, share + 1) if share % parts == 0]
    remedies = []
    if parts:
        part = image_bytes * (share // parts[0]) / images
        price = "the same gradients, apart from the statistics of batch norm"
        remedies.append(Remedy(f"--accumulate {parts[0]}", part, price))
    if images % 2 == 0:
        flag = f"--batch-size {batch_size // 2}"
        remedies.append(Remedy(flag, image_bytes / 2, "another recipe"))
    return remedies


def recompute_remedy(image_bytes: float) -> Remedy:
    """Keep only the inputs of cells."""
    return Remedy("--recompute-cells", image_bytes, "the same numbers, about a third more time")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be allocated, on any device.

    PyTorch has no exception of its own for the memory of the CPU, only a message.

    >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("shapes differ"))
    (True, False)
    """
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def _amount(number: float) -> str:
    if number >= 2**30:
        return f"{number / 2**30:.1f} GiB"
    return f"{number / 2**20:.0f} MiB"
