"""Load batches for a detector: workers crop and resize images, the device changes colours."""

from __future__ import annotations

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
from darts.data.channels import Rgb
from darts.data.color import jitter
from darts.data.pixels import as_rgb
from darts.data.streaming import in_workers
from darts.detection.annotations import Annotations
from darts.detection.matching import Targets
from darts.detection.options import DetectionOptions
from darts.detection.views import Augment, boxes_in, draw_view, render_view
from darts.errors import UserError
from darts.system.randomness import stream_seed
from darts.system.share import WHOLE, Share

Plan = list[tuple[int, int]]
"""The images of a batch: for each, its index and its position in the order of the epoch."""

DetectionBatch = tuple[Tensor, Tensor, Tensor]
"""Pixels `[B, S, S, 3]` uint8, boxes `[B, M, 4]` and labels `[B, M]`, where 0 is padding."""

# Strengths of SSD's photometric distortion (§3.6) as in torchvision; each has probability 1/2.
BRIGHTNESS, CONTRAST, SATURATION, HUE = 0.125, 0.5, 0.5, 0.05


class ViewLoader:
    """Endless batches of random views of images, in a new order each epoch.

    The order of an epoch and a seed are sampled with its first batch. Each view depends only on
    that seed and on its position in the order. The number of workers therefore does not change the
    batches, and a run can continue from any step.

    Args:
        part: Images, each with at least one box.
        options: Options of the detector.
        device: Device of the batches.
        order: Random stream of orders and seeds; the caller saves it, like `noise`.
        noise: Random stream of the colours.
        mean: Mean of each colour channel, in 0..1.
        std: Standard deviation of each colour channel, in 0..1.
        dtype: Floating-point type of the batches.
        share: The part of every batch that this process works on.

    Raises:
        UserError: There are fewer images than one batch needs.
    """

    def __init__(
        self,
        part: Annotations,
        options: DetectionOptions,
        device: torch.device,
        order: torch.Generator,
        noise: torch.Generator,
        *,
        mean: Rgb,
        std: Rgb,
        dtype: torch.dtype = torch.float32,
        share: Share = WHOLE,
    ) -> None:
        if len(part) < options.batch_size:
            raise UserError(
                f"{len(part)} images with boxes are fewer than one batch of {options.batch_size}. "
                "Use a smaller --batch-size."
            )
        self.part, self.options, self.device, self.dtype = part, options, device, dtype
        self.mean, self.std, self.share = mean, std, share
        self.steps_per_epoch = len(part) // options.batch_size
        self._order, self._noise = order, noise
        self._batches: Iterator[DetectionBatch] | None = None
        self.permutation, self.seed, self.position = torch.empty(0, dtype=torch.int64), 0, 0

    def next_batch(self) -> tuple[Tensor, Targets]:
        """Return normalised images `[B, 3, S, S]` and their objects, on the device."""
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
            images = change_colours(images, self._noise, self.share)
        boxes, labels = boxes.to(self.device, self.dtype), labels.to(self.device)
        return normalised(images, self.mean, self.std), Targets(boxes, labels)

    def _ahead(self) -> Iterator[DetectionBatch]:
        """Batches of the rest of the epoch."""
        count = self.options.batch_size // self.share.parts
        starts = [
            (step * self.share.parts + self.share.index) * count
            for step in range(self.position, self.steps_per_epoch)
        ]
        plans = [
            [(int(self.permutation[at]), at) for at in range(start, start + count)]
            for start in starts
        ]
        work = Views(self.part, self.options.image_size, self.options.augment, self.seed)
        return seen_batches(work, plans, self.options.workers)

    def state_dict(self) -> dict[str, Any]:
        """Order and seed of the current epoch, and the position in it."""
        return {"order": self.permutation.clone(), "seed": self.seed, "position": self.position}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the saved position.

        Raises:
            UserError: The saved order has another number of images.
        """
        if len(state["order"]) not in (0, len(self.part)):
            raise UserError(
                f"The checkpoint belongs to a run with {len(state['order']):,} images, but there "
                f"are now {len(self.part):,} with boxes: the data have changed."
            )
        self.permutation = state["order"].clone()
        self.seed, self.position, self._batches = state["seed"], state["position"], None


@dataclass(frozen=True)
class Views:
    """Map of a plan to its batch, or to the error that occurred; runs in the workers.

    The error is returned as a value, because the loader would hide its message in a traceback.

    Attributes:
        part: Images and boxes.
        size: Side of the views in pixels.
        augment: Kind of random views.
        seed: Seed of the views.
    """

    part: Annotations
    size: int
    augment: Augment
    seed: int = 0

    def __post_init__(self) -> None:
        # Workers may receive a copy of this object; they do not need the record for AP.
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
                f"{picture.width}x{picture.height}, so its boxes would be wrong."
            )
        seen, kept = boxes_in(view, boxes, self.size)
        return render_view(image, view, self.size), seen, labels[kept]


def seen_batches(work: Views, plans: Sequence[Plan], workers: int) -> Iterator[DetectionBatch]:
    """Yield the batch of each plan, in order.

    Raises:
        UserError: A file cannot be read as an image, or its size differs from the annotations.
    """
    for batch in in_workers(work, plans, workers):
        if isinstance(batch, UserError):
            raise batch
        yield batch


def whole_batches(
    part: Annotations, options: DetectionOptions, share: Share = WHOLE
) -> Iterator[tuple[list[int], Tensor]]:
    """Yield indices and uncropped images `[B, S, S, 3]` uint8 of a whole part, in order.

    Each process gets every `share.parts`-th batch.
    """
    batch, count = options.batch_size, len(part)
    starts = range(share.index * batch, count, share.parts * batch)
    plans = [[(i, i) for i in range(at, min(at + batch, count))] for at in starts]
    batches = seen_batches(Views(part, options.image_size, "none"), plans, options.workers)
    for plan, (raw, _, _) in zip(plans, batches, strict=True):
        yield [index for index, _ in plan], raw


def to_device(raw: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Move pixels `[B, S, S, 3]` uint8 to a device as images `[B, 3, S, S]` in 0..1."""
    return raw.to(device, non_blocking=True).permute(0, 3, 1, 2).to(dtype) / 255


def normalised(images: Tensor, mean: Rgb, std: Rgb) -> Tensor:
    """Normalise images `[B, 3, S, S]` in 0..1 in place: (images - mean) / std, channels last."""
    images = normalise(images.mul_(255), mean, std)
    return images.contiguous(memory_format=torch.channels_last)


def read_image(path: Path) -> Image.Image:
    """Read an image file as RGB, ignoring its EXIF orientation as COCO's boxes do.

    Raises:
        UserError: The file cannot be read as an image.
    """
    try:
        with Image.open(path) as image:
            return as_rgb(image)
    except Exception as error:  # Each of Pillow's plug-ins raises what it likes.
        raise UserError(f"{path} cannot be read as an image ({error}).") from error


def change_colours(images: Tensor, generator: torch.Generator, share: Share = WHOLE) -> Tensor:
    """Photometric distortion of images `[B, 3, S, S]` in 0..1 (SSD, §3.6).

    Each image has its own strengths of brightness, contrast, saturation and hue. They are drawn for
    the whole batch, of which `images` are a share.
    """
    strengths = torch.tensor([BRIGHTNESS, CONTRAST, SATURATION, HUE])[:, None]
    drawn = share.of(torch.rand(2, 4, share.whole(len(images)), generator=generator), dim=2)
    changes = (2 * drawn[0] - 1) * strengths * (drawn[1] < 0.5)
    first = bool(torch.rand((), generator=generator) < 0.5)
    # Contrast comes before or after saturation and hue, for the whole batch.
    order = (0, 1, 2, 3) if first else (0, 2, 3, 1)
    return jitter(images, changes.to(images.device, images.dtype), order)
