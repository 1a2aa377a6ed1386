"""The part of every batch that a process works on, if several processes share a run."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Share:
    """One of `parts` equal parts of every batch, counted from 0 in the batch's order.

    Every process samples the order of images and the noise of their augmentation for whole
    batches, and then takes its part: so the data are the same for any number of processes.

    >>> import torch
    >>> Share(index=1, parts=2).of(torch.arange(4)).tolist()
    [2, 3]

    Attributes:
        index: Number of the part.
        parts: Number of parts.
    """

    index: int = 0
    parts: int = 1

    def whole(self, size: int) -> int:
        """Number of images of a batch whose parts have `size` images each."""
        return size * self.parts

    def of(self, batch: Tensor, dim: int = 0) -> Tensor:
        """This part of a tensor that was made for a whole batch along `dim`."""
        return batch.chunk(self.parts, dim)[self.index]


WHOLE = Share()
