"""Batches for a detector: views cut by workers, colours changed on the device."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from darts.data.augmentation import normalise
from darts.data.color import jitter
from darts.data.dataset import Channels
from darts.data.streaming import in_workers
from darts.detection.annotations import Annotations
from darts.detection.matching import Targets
from darts.detection.options import DetectionOptions
from darts.detection.views import Augment, boxes_in, draw_view, render_view
from darts.errors import UserError
from darts.system.randomness import stream_seed

Plan = list[tuple[int, int]]
"""Numbers of a batch's images, and their places in the epoch's order."""

DetectionBatch = tuple[Tensor, Tensor, Tensor]
"""Pixels [B, S, S, 3] uint8, boxes [B, M, 4] and labels [B, M] with 0 as padding."""

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError)
# Of SSD (§3.6), as in torchvision: each change is made with probability 1/2.
BRIGHTNESS, CONTRAST, SATURATION, HUE = 0.125, 0.5, 0.5, 0.05


class ViewLoader:
    """Endless batches of random views of a part's images, in a new order each epoch.

    An epoch's order and the seed of its views are drawn when its first batch is asked for. A view
    comes from that seed and the place in the order alone: so the number of workers changes nothing,
    and a run can go on from any step.

    Args:
        part: Images that all have boxes.
        order: Generator of the epochs' orders and seeds; saved by the caller, as is `noise`.
        noise: Generator of the colours.
        mean, std: Of the channels, in 0..1.

    Raises:
        UserError: There are fewer images than a batch needs.
    """

    def __init__(
        self,
        part: Annotations,
        options: DetectionOptions,
        device: torch.device,
        order: torch.Generator,
        noise: torch.Generator,
        *,
        mean: Channels,
        std: Channels,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if len(part) < options.batch_size:
            raise UserError(
                f"{len(part)} images with boxes are fewer than one batch of {options.batch_size}: "
                "take a smaller --batch-size."
            )
        self.part, self.options, self.device, self.dtype = part, options, device, dtype
        self.mean, self.std = mean, std
        self.steps_per_epoch = len(part) // options.batch_size
        self._order, self._noise = order, noise
        self._batches: Iterator[DetectionBatch] | None = None
        self.permutation, self.seed, self.position = torch.empty(0, dtype=torch.int64), 0, 0

    def next_batch(self) -> tuple[Tensor, Targets]:
        """Normalised images [B, 3, S, S] and what is in them, on the device."""
        if not len(self.permutation) or self.position == self.steps_per_epoch:
            self.permutation = torch.randperm(len(self.part), generator=self._order)
            self.seed = int(torch.randint(2**62, (), generator=self._order))
            self.position, self._batches = 0, None
        if self._batches is None:
            self._batches = self._ahead()
        raw, boxes, labels = next(self._batches)
        self.position += 1
        images = to_device(raw, self.device, self.dtype)
        if self.options.augment == "ssd":
            images = change_colours(images, self._noise)
        boxes, labels = boxes.to(self.device, self.dtype), labels.to(self.device)
        return normalised(images, self.mean, self.std), Targets(boxes, labels)

    def _ahead(self) -> Iterator[DetectionBatch]:
        """The rest of the epoch."""
        count = self.options.batch_size
        plans = [
            [(int(self.permutation[at]), at) for at in range(step * count, (step + 1) * count)]
            for step in range(self.position, self.steps_per_epoch)
        ]
        work = Views(self.part, self.options.image_size, self.options.augment, self.seed)
        return seen_batches(work, plans, self.options.workers)

    def state_dict(self) -> dict[str, Any]:
        """The order and the seed of the epoch under way and the position in it."""
        return {"order": self.permutation.clone(), "seed": self.seed, "position": self.position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where a loader over the same images stood.

        Raises:
            UserError: The saved order is of another number of images.
        """
        if len(state["order"]) not in (0, len(self.part)):
            raise UserError(
                f"The checkpoint is of a run over {len(state['order']):,} images, but there are "
                f"{len(self.part):,} with boxes now: the data have changed since."
            )
        self.permutation = state["order"].clone()
        self.seed, self.position, self._batches = state["seed"], state["position"], None


@dataclass(frozen=True)
class Views:
    """What a worker does: a plan's batch, or the error that stopped it.

    The error travels as a value, because the loader would bury its message in a traceback.
    """

    part: Annotations
    size: int
    augment: Augment
    seed: int = 0

    def __post_init__(self) -> None:
        # Workers may be started with a copy of all this; what only AP needs stays here.
        object.__setattr__(self, "part", replace(self.part, record={}))

    def __getitem__(self, plan: Plan) -> DetectionBatch | UserError:
        try:
            seen = [self._one(*image) for image in plan]
        except UserError as error:
            return error
        pixels, boxes, labels = zip(*seen, strict=True)
        padded = [pad_sequence(list(rows), batch_first=True) for rows in (boxes, labels)]
        return torch.from_numpy(np.stack(pixels)), padded[0], padded[1]

    def _one(self, index: int, place: int) -> tuple[np.ndarray, Tensor, Tensor]:
        picture, (boxes, labels) = self.part.pictures[index], self.part.of(index)
        generator = torch.Generator().manual_seed(stream_seed(self.seed, str(place)))
        view = draw_view(picture.width, picture.height, boxes, self.augment, generator)
        path = self.part.path(index)
        image = read_image(path)
        if image.size != (picture.width, picture.height):
            raise UserError(
                f"{path} has {image.width}x{image.height} pixels, but {self.part.source} says "
                f"{picture.width}x{picture.height}: its boxes would be wrong."
            )
        seen, kept = boxes_in(view, boxes, self.size)
        return render_view(image, view, self.size), seen, labels[kept]


def seen_batches(work: Views, plans: Sequence[Plan], workers: int) -> Iterator[DetectionBatch]:
    """The batch of each plan, in order.

    Raises:
        UserError: A file cannot be read as an image, or is not of the size that is written.
    """
    for batch in in_workers(work, plans, workers):
        if isinstance(batch, UserError):
            raise batch
        yield batch


def whole_batches(
    part: Annotations, options: DetectionOptions
) -> Iterator[tuple[list[int], Tensor]]:
    """Numbers of images and the whole images [B, S, S, 3] uint8, all of them, in order."""
    batch, count = options.batch_size, len(part)
    plans = [[(i, i) for i in range(at, min(at + batch, count))] for at in range(0, count, batch)]
    batches = seen_batches(Views(part, options.image_size, "none"), plans, options.workers)
    for plan, (raw, _, _) in zip(plans, batches, strict=True):
        yield [index for index, _ in plan], raw


def to_device(raw: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """[B, S, S, 3] uint8 as images [B, 3, S, S] in 0..1."""
    return raw.to(device, non_blocking=True).permute(0, 3, 1, 2).to(dtype) / 255


def normalised(images: Tensor, mean: Channels, std: Channels) -> Tensor:
    """(images - mean) / std of images [B, 3, S, S] in 0..1, in place, laid out for convolutions."""
    images = normalise(images.mul_(255), mean, std)
    return images.contiguous(memory_format=torch.channels_last)


def read_image(path: Path) -> Image.Image:
    """An image file in RGB, as it is stored: COCO's boxes know nothing of cameras held upright.

    Raises:
        UserError: The file cannot be read as an image; it is named.
    """
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except _BROKEN as error:
        raise UserError(f"{path} cannot be read as an image ({error}).") from error


def change_colours(images: Tensor, generator: torch.Generator) -> Tensor:
    """Photometric distortion of images [B, 3, S, S] in 0..1, each by its own draws."""
    strengths = torch.tensor([BRIGHTNESS, CONTRAST, SATURATION, HUE])[:, None]
    drawn = torch.rand(2, 4, len(images), generator=generator)
    changes = (2 * drawn[0] - 1) * strengths * (drawn[1] < 0.5)
    first = bool(torch.rand((), generator=generator) < 0.5)
    # Contrast before or after the others, the same for a batch.
    order = (0, 1, 2, 3) if first else (0, 2, 3, 1)
    return jitter(images, changes.to(images.device, images.dtype), order)
