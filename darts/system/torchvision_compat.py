"""torchvision that imports with every build of torch.

    from darts.system.torchvision_compat import torchvision

The usual wheel of torchvision is built for CUDA. With a CPU-only torch, its native library has no
CUDA to link to. torchvision continues without it until it describes two operators that only this
library declares; then the import fails with "operator torchvision::nms does not exist".

If the library cannot be loaded, this module declares the two operators before the import, with a
kernel in plain PyTorch. Other native operators (RoI pooling, deformable convolution, the decoders
of `torchvision.io`) stay missing: using one raises torchvision's own error.
"""

from __future__ import annotations

import contextlib
import importlib.util
from importlib.machinery import PathFinder

import torch
from torch import Tensor


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
    corner, opposite = boxes[:, :2], boxes[:, 2:]
    areas = (opposite - corner).prod(1)
    rest = scores.argsort(descending=True, stable=True)
    kept = [rest[:0]]
    while rest.numel():
        best, rest = rest[:1], rest[1:]
        kept.append(best)
        sides = opposite[rest].minimum(opposite[best]) - corner[rest].maximum(corner[best])
        shared = sides.clamp(min=0).prod(1)
        iou = shared / (areas[best] + areas[rest] - shared)
        # In double precision, as in the native kernel: 0.1 as a float is slightly more than 0.1.
        rest = rest[~(iou.double() > iou_threshold)]
    return torch.cat(kept)


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

__all__ = ["greedy_nms", "torchvision"]
