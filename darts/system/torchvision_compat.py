"""torchvision that imports with every build of torch.

    from darts.system.torchvision_compat import torchvision

The usual wheel of torchvision is built for CUDA. With a CPU-only torch, its native library has no
CUDA to link to. torchvision continues without it until it describes two operators that only this
library declares; then the import fails with "operator torchvision::nms does not exist".

If the library cannot be loaded, this module declares the two operators before the import, with a
kernel in plain PyTorch. It also replaces torchvision's own substitute for `roi_align`, which it
compiles on its first call, for more than a minute. Other native operators (deformable convolution,
the decoders of `torchvision.io`) stay missing: using one raises torchvision's own error.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from importlib.machinery import PathFinder

import numpy as np
import torch
from torch import Tensor

_BLOCK = 512


def greedy_nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Non-maximum suppression: of boxes that overlap, keep the one with the highest score.

    >>> boxes = torch.tensor([[0.0, 0, 2, 2], [0, 0, 2, 2.1], [5, 5, 6, 6]])
    >>> greedy_nms(boxes, torch.tensor([0.5, 0.9, 0.1]), 0.5).tolist()
    [1, 2]

    Args:
        boxes: `[N, 4]`, corners (x1, y1, x2, y2).
        scores: `[N]`.
        iou_threshold: A box is dropped if its intersection over union with a kept box exceeds this.

    Returns:
        Indices of the kept boxes in order of decreasing score, int64 `[kept]`; equal scores keep
        their order.
    """
    if boxes.dtype != torch.float64:
        boxes = boxes.float()
    rest = scores.argsort(descending=True, stable=True)
    kept = [rest[:0]]
    while rest.numel():
        # Many boxes at a time: a step for each one takes ten times as long.
        some, rest = rest[:_BLOCK], rest[_BLOCK:]
        chosen = some[_undisturbed(_overlap(boxes, some, some, iou_threshold))]
        kept.append(chosen)
        rest = rest[~_overlap(boxes, chosen, rest, iou_threshold).any(0)]
    return torch.cat(kept)


def _overlap(boxes: Tensor, some: Tensor, others: Tensor, iou_threshold: float) -> Tensor:
    """Whether the IoU of each of some boxes with each of the others exceeds the threshold."""
    one, other = boxes[some][:, None], boxes[others][None]
    sides = one[..., 2:].minimum(other[..., 2:]) - one[..., :2].maximum(other[..., :2])
    shared = sides.clamp(min=0).prod(2)
    areas = [(each[..., 2:] - each[..., :2]).prod(2) for each in (one, other)]
    iou = shared / (areas[0] + areas[1] - shared)
    # In double precision, as in the native kernel: 0.1 as a float is slightly more than 0.1.
    return iou.double() > iou_threshold


def _undisturbed(overlap: Tensor) -> Tensor:
    """Which boxes `[N]` are kept if each is dropped that overlaps an earlier kept one `[N, N]`."""
    rows = overlap.cpu().numpy()
    dropped = np.zeros(len(rows), np.bool_)
    for number, row in enumerate(rows):
        if not dropped[number]:
            dropped[number + 1 :] |= row[number + 1 :]
    return torch.from_numpy(~dropped).to(overlap.device)


def plain_roi_align(
    maps: Tensor,
    boxes: Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """RoIAlign (arXiv 1703.06870, §3): maps, bilinearly sampled at the places of a grid in boxes.

    Each of the `pooled_height` x `pooled_width` parts of a box is the mean of `sampling_ratio`²
    samples. A sample more than a pixel outside of the map is 0.

    >>> ramp = torch.arange(4.0).expand(1, 1, 4, 4)
    >>> box = torch.tensor([[0.0, 0.5, 0.5, 2.5, 2.5]])
    >>> plain_roi_align(ramp, box, 1.0, 1, 2, 2, aligned=False)
    tensor([[[[1., 2.]]]])

    Args:
        maps: `[B, C, H, W]`.
        boxes: Number of the image and corners (x1, y1, x2, y2) `[N, 5]`.
        spatial_scale: Pixels of the map for a pixel of the boxes.
        pooled_height: Rows of the result.
        pooled_width: Columns of the result.
        sampling_ratio: Samples of a part along each side, 1 or more.
        aligned: Whether coordinates are shifted by half a pixel.

    Returns:
        `[N, C, pooled_height, pooled_width]`.
    """
    if sampling_ratio < 1:
        raise ValueError("A sampling ratio that depends on the box needs torchvision's operators.")
    height, width = maps.shape[-2:]
    corners = boxes[:, 1:] * spatial_scale - (0.5 if aligned else 0.0)
    first, size = corners[:, :2], corners[:, 2:] - corners[:, :2]
    if not aligned:
        size = size.clamp(min=1.0)

    def places(axis: int, parts: int) -> Tensor:
        steps = torch.arange(parts * sampling_ratio, device=maps.device, dtype=maps.dtype)
        share = (steps + 0.5) / (parts * sampling_ratio)
        return first[:, axis, None] + share * size[:, axis, None]

    x, y = places(0, pooled_width), places(1, pooled_height)
    inside = ((y >= -1) & (y <= height))[:, :, None] & ((x >= -1) & (x <= width))[:, None, :]
    # In -1..1 from the first to the last pixel; what is beyond them is taken from the border.
    x, y = 2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1
    grid = torch.stack(
        [x[:, None, :].expand(inside.shape), y[:, :, None].expand(inside.shape)], dim=-1
    )
    parts, order = [], []
    for image in range(len(maps)):
        own = torch.where(boxes[:, 0] == image)[0]
        # One wide grid for all boxes of the image, so that its map is not copied for each.
        samples = torch.nn.functional.grid_sample(
            maps[image : image + 1],
            grid[own].flatten(0, 1)[None],
            padding_mode="border",
            align_corners=True,
        )
        samples = samples.view(maps.shape[1], len(own), *inside.shape[1:]) * inside[own]
        parts.append(torch.nn.functional.avg_pool2d(samples.transpose(0, 1), sampling_ratio))
        order.append(own)
    return torch.cat(parts)[torch.cat(order).argsort()]


def _operators_exist() -> bool:
    """Load the native library as torchvision will (twice does no harm), and check for `nms`."""
    package = importlib.util.find_spec("torchvision")
    library = package and PathFinder.find_spec("_C", package.submodule_search_locations)
    if library and library.origin:
        with contextlib.suppress(OSError):  # It was built for another torch.
            torch.ops.load_library(library.origin)
    return hasattr(torch.ops.torchvision, "nms")


def _declare_missing_operators() -> torch.library.Library:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):  # qnms: for quantised tensors.
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl(name, greedy_nms, "CompositeExplicitAutograd")
    return library


def _accept_declared_operators() -> None:
    """Replaces the check in `nms` that the native library is loaded."""


# The operators exist as long as the library object, so it is kept for the whole process.
_LIBRARY = None if _operators_exist() else _declare_missing_operators()

import torchvision  # noqa: E402
import torchvision.ops.boxes  # noqa: E402

if _LIBRARY is not None:
    torchvision.ops.boxes._assert_has_ops = _accept_declared_operators
    # The package has a function of the module's name.
    sys.modules["torchvision.ops.roi_align"]._roi_align = plain_roi_align  # type: ignore[attr-defined]

__all__ = ["greedy_nms", "torchvision"]
