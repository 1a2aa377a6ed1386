"""FBNetV3's networks (arXiv 2006.02049): inverted-residual stages and MBPool, in closed form.

Block rules are those of facebookresearch/mobile-vision (fbnet_v2/irf_block.py): expand 1x1
(skipped where it changes nothing), depthwise KxK, squeeze-excite, project 1x1. Padding is the
ordinary one; the odd paddings of a few published networks are no variables of the space.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from darts.joint.networks.costs import Costs
from darts.joint.networks.setting import Setting
from darts.joint.space import Columns
from darts.joint.variables import FloatArray

# Seven stages: their strides, and which have squeeze-excite.
STRIDES = (1, 2, 2, 2, 1, 2, 1)
SQUEEZED = (False, False, True, False, True, True, True)
_OF_STAGE = ("width", "depth", "kernel_first", "kernel", "expansion_first", "expansion")
POOL_WIDTH = 1984


class FBNetV3s:
    """Networks by `stem.width`, `stageN.width` and so on for N from 1 to 7, `pool.expansion`.

    The first block of a stage has its own kernel and expansion.
    """

    accepts = (
        "stem.width",
        *(f"stage{n}.{name}" for n in range(1, 8) for name in _OF_STAGE),
        "pool.expansion",
    )
    needs = accepts

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        # CIFAR-10 (paper, appendix): the stem and the first strided stage keep the resolution.
        small = setting.stem == "cifar"
        self.stem_stride = 1 if small else 2
        self.strides = (1, 1, *STRIDES[2:]) if small else STRIDES

    def costs(self, columns: Columns, resolutions: np.ndarray) -> Costs:
        of = {name: columns[name].astype(np.float64) for name in self.needs}
        width = round_width(of["stem.width"])
        size = -(-resolutions // self.stem_stride)
        macs, params = 27 * width * size**2, 30 * width
        for number, (stride, squeezed) in enumerate(zip(self.strides, SQUEEZED, strict=True), 1):
            stage = {name: of[f"stage{number}.{name}"] for name in _OF_STAGE}
            c_out = round_width(stage["width"])
            first = (stage["kernel_first"], stage["expansion_first"], squeezed)
            smaller = -(-size // stride)
            block_macs, block_params = _block_cost(width, c_out, size, smaller, *first)
            macs, params = macs + block_macs, params + block_params
            size, width = smaller, c_out
            rest = (stage["kernel"], stage["expansion"], squeezed)
            block_macs, block_params = _block_cost(width, c_out, size, size, *rest)
            macs = macs + (stage["depth"] - 1) * block_macs
            params = params + (stage["depth"] - 1) * block_params
        inner = round_width(of["pool.expansion"] * width)
        classes = self.setting.num_classes
        macs = macs + width * inner * size**2 + inner * POOL_WIDTH + POOL_WIDTH * classes
        params = params + (width + 2) * inner + inner * POOL_WIDTH + (POOL_WIDTH + 1) * classes
        return Costs(macs, params)

    def settings(self, values: Mapping[str, Any]) -> dict[str, Any]:
        raise NotImplementedError


def _block_cost(
    c_in: FloatArray,
    c_out: FloatArray,
    size: FloatArray,
    smaller: FloatArray,
    kernel: FloatArray,
    expansion: FloatArray,
    squeezed: bool,
) -> tuple[FloatArray, FloatArray]:
    """Multiply-adds and parameters of one block, [N] each."""
    inner = round_width(expansion * c_in)
    expands = inner != c_in
    macs = expands * c_in * inner * size**2 + (kernel**2 + c_out) * inner * smaller**2
    params = expands * (c_in + 2) * inner + (kernel**2 + 2) * inner + (inner + 2) * c_out
    if squeezed:
        narrow = round_width(np.floor(inner / expansion / 4))
        macs = macs + 2 * inner * narrow
        params = params + 2 * inner * narrow + inner + narrow
    return macs, params


def round_width(channels: ArrayLike) -> FloatArray:
    """The nearest multiple of 8, halves up, at least 8; 8 more where that loses above 5 %."""
    given = np.asarray(channels, np.float64)
    rounded = np.maximum(8, np.floor((given + 4) / 8) * 8)
    return rounded + 8 * (rounded < 0.95 * given)
