"""Which part of every batch this process works on, where several processes share one run."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Share:
    """One of `parts` equal parts of every batch, counted from 0 in the batch's order.

    The order of images and the noise of their augmentation are drawn for whole batches by every
    process, and each takes its part: so the data are the same for any number of processes.
    """

    index: int = 0
    parts: int = 1

    def whole(self, size: int) -> int:
        """Images of a batch of which a part has `size`."""
        return size * self.parts

    def of(self, batch: Tensor, dim: int = 0) -> Tensor:
        """This part of what was drawn or chosen for a whole batch along `dim`."""
        return batch.chunk(self.parts, dim)[self.index]


WHOLE = Share()
