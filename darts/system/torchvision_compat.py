"""`from darts.system.torchvision_compat import torchvision`: it imports beside every build of
torch.

torchvision's ordinary wheel is built for CUDA. Beside a CPU-only torch its native library finds no
CUDA to link to; torchvision carries on without it, until it describes two operators that only this
library declares, and the import dies with "operator torchvision::nms does not exist".

Where the library cannot be loaded, and only there, this module declares these two operators before
the import and gives them a plain PyTorch kernel. Other native operators (RoI pooling, deformable
convolution, the decoders of `torchvision.io`) stay absent: using one is torchvision's own error.
"""

from __future__ import annotations

import contextlib
import importlib.util
from importlib.machinery import PathFinder

import torch
from torch import Tensor


def greedy_nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Non-maximum suppression: of boxes that overlap, keep the one that scores best.

    Args:
        boxes: Corners (x1, y1, x2, y2), [N, 4].
        scores: [N].
        iou_threshold: A box goes when its intersection over union with a kept one exceeds this.

    Returns:
        Indices of the kept boxes by falling score, int64 [kept]; equal scores keep their order.
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
        # Doubles, as in the native kernel: 0.1 as a float is a little more than 0.1.
        rest = rest[~(iou.double() > iou_threshold)]
    return torch.cat(kept)


def _operators_exist() -> bool:
    """Load torchvision's library as torchvision is about to (twice does no harm), and look."""
    package = importlib.util.find_spec("torchvision")
    library = package and PathFinder.find_spec("_C", package.submodule_search_locations)
    if library and library.origin:
        with contextlib.suppress(OSError):  # built for another torch
            torch.ops.load_library(library.origin)
    return hasattr(torch.ops.torchvision, "nms")


def _declare_missing_operators() -> torch.library.Library:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):  # qnms: boxes and scores as the integers of a quantised tensor
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.impl(name, greedy_nms, "CompositeExplicitAutograd")
    return library


def _accept_declared_operators() -> None:
    """Stands for torchvision's check that its library is loaded, where `nms` makes it."""


# Operators live as long as the library that declared them: it is kept, for the whole process.
_LIBRARY = None if _operators_exist() else _declare_missing_operators()

import torchvision  # noqa: E402
import torchvision.ops.boxes  # noqa: E402

if _LIBRARY is not None:
    torchvision.ops.boxes._assert_has_ops = _accept_declared_operators

__all__ = ["greedy_nms", "torchvision"]
