"""Batches on the device: endless and resumable for training, once in order for evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from darts.data.augmentation import Transform
from darts.data.dataset import ImageSet
from darts.errors import UserError
from darts.system.share import WHOLE, Share


class BatchLoader:
    """Endless batches of some images of a set, in a new order each epoch.

    `order` shuffles and `noise` augments; both live on the CPU and belong to the caller, who saves
    their states beside this loader's. Together they make resuming exact from any step: an epoch's
    order is drawn when its first batch is asked for, never ahead.

    Args:
        images: Where images and labels come from; best on `device` already.
        indices: Numbers of the images to use [N].
        batch_size: Images in a batch, all shares together.
        device: Where batches are delivered.
        transform: Makes floats of uint8 images, with draws from `noise`.
        order: Generator of the epochs' orders.
        noise: Generator of the augmentation.
        shuffle: Whether each epoch has its own order.
        drop_last: Leave out the images that do not fill the last batch of an epoch.
        channels_last: Memory layout of the images.
        dtype: Number format of the images.
        share: The part of each batch that is delivered; all else is as for the whole.

    Raises:
        UserError: there are fewer images than one batch needs.
        ValueError: batches cannot be shared evenly.
    """

    def __init__(
        self,
        images: ImageSet,
        indices: Tensor,
        batch_size: int,
        device: torch.device | str,
        transform: Transform,
        order: torch.Generator,
        noise: torch.Generator,
        *,
        shuffle: bool = True,
        drop_last: bool = True,
        channels_last: bool = True,
        dtype: torch.dtype = torch.float32,
        share: Share = WHOLE,
    ) -> None:
        if share.parts > 1 and (batch_size % share.parts or not drop_last):
            raise ValueError(f"batches of {batch_size} cannot be shared by {share.parts}")
        needed = batch_size if drop_last else 1
        if batch_size < 1 or len(indices) < needed:
            raise UserError(
                f"{len(indices)} images are fewer than one batch of {batch_size}: take more "
                "images or a smaller batch size"
            )
        self._deliver = _Delivery(images, device, channels_last, dtype)
        self._indices = indices
        self._batch_size = batch_size
        self._transform = transform
        self._order, self._noise = order, noise
        self._shuffle, self._share = shuffle, share
        whole, rest = divmod(len(indices), batch_size)
        self.steps_per_epoch = whole + (rest > 0 and not drop_last)
        self._read = images.reader(pin=self._deliver.device.type == "cuda")
        self._batches: Iterator[Tensor] | None = None
        self._permutation = torch.empty(0, dtype=torch.int64)
        self._numbers: Sequence[Tensor] = ()
        self.position = 0
        """Batches of this epoch delivered so far."""

    def next_batch(self) -> tuple[Tensor, Tensor]:
        """The next images [B, 3, S, S] and labels [B], both on the device; B is the share's."""
        if not self._numbers or self.position == self.steps_per_epoch:
            self._start(self._new_order(), 0)
        if self._batches is None:
            ahead = [self._share.of(batch) for batch in self._numbers[self.position :]]
            self._batches = iter(self._read(ahead))
        raw = next(self._batches)
        chosen = self._share.of(self._numbers[self.position])
        self.position += 1
        return self._deliver(raw, chosen, self._transform, self._noise, self._share)

    def state_dict(self) -> dict[str, Any]:
        """The order of the epoch under way and the position in it; generators are saved apart."""
        return {"order": self._permutation.clone(), "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where a loader over as many images and with the same batch size stood.

        Raises:
            UserError: the saved order is of another number of images or batches.
        """
        order, position = state["order"], int(state["position"])
        if len(order) not in (0, len(self._indices)) or not 0 <= position <= self.steps_per_epoch:
            raise UserError(
                f"the saved order of {len(order)} images, at batch {position}, does not fit "
                f"{len(self._indices)} images in {self.steps_per_epoch} batches: the data set or "
                "the batch size has changed since the checkpoint was written"
            )
        self._start(order.clone(), position)

    def _start(self, permutation: Tensor, position: int) -> None:
        self._permutation, self.position, self._batches = permutation, position, None
        numbers = self._indices[permutation].split(self._batch_size)
        self._numbers = numbers[: self.steps_per_epoch] if len(permutation) else ()

    def _new_order(self) -> Tensor:
        if self._shuffle:
            return torch.randperm(len(self._indices), generator=self._order)
        return torch.arange(len(self._indices))


def evaluation_batches(
    images: ImageSet,
    batch_size: int,
    device: torch.device | str,
    transform: Transform,
    *,
    indices: Tensor | None = None,
    channels_last: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images [B, 3, S, S] and labels [B] of all images or of `indices`, once, in order.

    The last batch may be smaller. `transform` should draw nothing; what it draws comes from a
    generator of its own, so that evaluating never disturbs a run.
    """
    deliver = _Delivery(images, device, channels_last, dtype)
    numbers = torch.arange(len(images)) if indices is None else indices
    batches = [batch for batch in numbers.split(batch_size) if len(batch)]
    read = images.reader(pin=deliver.device.type == "cuda")
    unused = torch.Generator()
    for raw, chosen in zip(read(batches), batches, strict=True):
        yield deliver(raw, chosen, transform, unused)


class _Delivery:
    """Brings a batch to the device, transforms it there and lays it out."""

    def __init__(
        self,
        images: ImageSet,
        device: torch.device | str,
        channels_last: bool,
        dtype: torch.dtype,
    ) -> None:
        self.device = torch.device(device)
        self._labels = images.labels.to(self.device)
        self._dtype = dtype
        self._format = torch.channels_last if channels_last else torch.contiguous_format

    def __call__(
        self,
        raw: Tensor,
        numbers: Tensor,
        transform: Transform,
        noise: torch.Generator,
        share: Share = WHOLE,
    ) -> tuple[Tensor, Tensor]:
        images = transform(raw.to(self.device, non_blocking=True), noise, share)
        labels = self._labels[numbers.to(self.device, non_blocking=True)]
        return images.to(self._dtype).contiguous(memory_format=self._format), labels
