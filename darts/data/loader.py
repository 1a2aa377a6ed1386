"""Batches on the device: endless and resumable for training, one ordered pass for evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from darts.data.augmentation import Transform
from darts.data.balance import EpochOrder
from darts.data.crops import RandomCrops
from darts.data.dataset import ImageSet
from darts.errors import UserError
from darts.system.share import WHOLE, Share


class BatchLoader:
    """Endless batches of some images of a set, in a new order each epoch.

    The caller owns the generators `order` (shuffling) and `noise` (augmentation), both on the CPU,
    and saves their states with the state of the loader. Resuming is exact from any step, because
    the order of an epoch is drawn when its first batch is requested, never in advance.

    >>> from darts.data.augmentation import Normalization
    >>> from darts.data.dataset import ImageTensor
    >>> images = ImageTensor(torch.zeros(5, 3, 8, 8, dtype=torch.uint8), torch.arange(5))
    >>> plain = Normalization(mean=(0.5,) * 3, std=(0.5,) * 3, size=8)
    >>> order, noise = torch.Generator(), torch.Generator()
    >>> loader = BatchLoader(images, torch.arange(5), 2, "cpu", plain, order, noise)
    >>> loader.steps_per_epoch, loader.next_batch()[0].shape
    (2, torch.Size([2, 3, 8, 8]))

    Args:
        images: Images and labels, ideally on `device` already.
        indices: Numbers of the images to use `[N]`.
        batch_size: Images per batch, over all shares.
        device: Device of the batches.
        transform: Turns uint8 images into floats, with random numbers from `noise`.
        order: Generator that shuffles.
        noise: Generator of the augmentation.
        shuffle: Whether each epoch has a new random order.
        epoch_order: Samples the order of an epoch with `order`; by default a permutation.
        drop_last: Whether the images that do not fill the last batch of an epoch are left out.
        channels_last: Whether the memory format of the images is channels-last.
        dtype: Number format of the images.
        crops: Random crops that are cut from whole photographs when they are read; `transform`
            then receives the crops. None: `images` are read as they are.
        share: The part of each batch that this process gets. Order and augmentation are those of
            the whole batch.

    Raises:
        UserError: There are fewer images than one batch needs.
        ValueError: Batches cannot be divided into equal shares.
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
        epoch_order: EpochOrder | None = None,
        drop_last: bool = True,
        channels_last: bool = True,
        dtype: torch.dtype = torch.float32,
        crops: RandomCrops | None = None,
        share: Share = WHOLE,
    ) -> None:
        if share.parts > 1 and (batch_size % share.parts or not drop_last):
            raise ValueError(f"batches of {batch_size} cannot be shared by {share.parts}")
        needed = batch_size if drop_last else 1
        if batch_size < 1 or len(indices) < needed:
            raise UserError(
                f"{len(indices)} images are fewer than one batch of {batch_size}: use more "
                "images or a smaller batch size"
            )
        self._deliver = _Delivery(images, device, channels_last, dtype)
        self._indices = indices
        self._batch_size = batch_size
        self._transform = transform
        self._order, self._noise = order, noise
        self._shuffle, self._share = shuffle, share
        self._epoch_order = epoch_order
        whole, rest = divmod(len(indices), batch_size)
        self.steps_per_epoch = whole + (rest > 0 and not drop_last)
        self._crops = crops
        self._crop_key = 0
        readable = images if crops is None else images.cropping(crops)
        self._read = readable.reader(pin=self._deliver.device.type == "cuda")
        self._batches: Iterator[Tensor] | None = None
        self._permutation = torch.empty(0, dtype=torch.int64)
        self._numbers: Sequence[Tensor] = ()
        self.position = 0
        """Number of batches of this epoch that were returned so far."""

    def next_batch(self) -> tuple[Tensor, Tensor]:
        """Return the next images `[B, 3, S, S]` and labels of this share, on the device."""
        if not self._numbers or self.position == self.steps_per_epoch:
            self._start(self._new_order(), 0, self._new_key())
        if self._batches is None:
            ahead = [self._share.of(batch) for batch in self._items()[self.position :]]
            self._batches = iter(self._read(ahead))
        raw = next(self._batches)
        chosen = self._share.of(self._numbers[self.position])
        self.position += 1
        return self._deliver(raw, chosen, self._transform, self._noise, self._share)

    def state_dict(self) -> dict[str, Any]:
        """Return the order of the current epoch and the position in it, without the generators."""
        state = {"order": self._permutation.clone(), "position": self.position}
        return state if self._crops is None else {**state, "crops": self._crop_key}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the state of a loader with as many images and the same batch size.

        Raises:
            UserError: The saved order has another number of images or batches.
        """
        order, position = state["order"], int(state["position"])
        if len(order) not in (0, len(self._indices)) or not 0 <= position <= self.steps_per_epoch:
            raise UserError(
                f"the saved order of {len(order)} images, at batch {position}, does not fit "
                f"{len(self._indices)} images in {self.steps_per_epoch} batches: the data set or "
                "the batch size has changed since the checkpoint was written"
            )
        self._start(order.clone(), position, int(state.get("crops", 0)))

    def _start(self, permutation: Tensor, position: int, crop_key: int) -> None:
        self._permutation, self.position, self._batches = permutation, position, None
        self._crop_key = crop_key
        numbers = self._indices[permutation].split(self._batch_size)
        self._numbers = numbers[: self.steps_per_epoch] if len(permutation) else ()

    def _items(self) -> Sequence[Tensor]:
        """What the reader of this epoch needs: numbers, with the keys of their random crops."""
        if self._crops is None:
            return self._numbers
        keys = self._crop_key + torch.arange(len(self._permutation))
        return [
            torch.stack([batch, part], dim=1)
            for batch, part in zip(self._numbers, keys.split(self._batch_size), strict=False)
        ]

    def _new_key(self) -> int:
        """The key of the first crop of an epoch; the others count up from it."""
        if self._crops is None:
            return 0
        return int(torch.randint(2**62, (1,), generator=self._order))

    def _new_order(self) -> Tensor:
        if self._epoch_order is not None:
            return self._epoch_order(self._order)
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
    """Yield images `[B, 3, S, S]` and labels `[B]` of all images, once and in order.

    The last batch may be smaller. `transform` should be deterministic; it gets a generator of its
    own, so an evaluation never changes the random numbers of a run.

    Args:
        images: The images.
        batch_size: Images per batch.
        device: Device of the batches.
        transform: Turns uint8 images into floats.
        indices: Numbers of the images to use; by default all.
        channels_last: Whether the memory format of the images is channels-last.
        dtype: Number format of the images.
    """
    deliver = _Delivery(images, device, channels_last, dtype)
    numbers = torch.arange(len(images)) if indices is None else indices
    batches = [batch for batch in numbers.split(batch_size) if len(batch)]
    read = images.reader(pin=deliver.device.type == "cuda")
    unused = torch.Generator()
    for raw, chosen in zip(read(batches), batches, strict=True):
        yield deliver(raw, chosen, transform, unused)


class _Delivery:
    """Copies a batch to the device, transforms it there and sets its memory format."""

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
