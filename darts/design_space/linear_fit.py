"""How well a quantised line describes the widths of a network: e_fit of the RegNet paper.

Source: arXiv 2003.13678, §3.3 and appendix D. With the network's own depth d, a grid search finds
the w_0, w_a and w_m that minimise the mean log-ratio of predicted to observed widths of the blocks:

    e_fit = mean over blocks j of |log(predicted_j / observed_j)|

The paper gives neither the grid nor the base of the logarithm. Here the logarithm is natural, and
the grid covers RegNet's ranges (w_0, w_a < 256, 1.5 <= w_m <= 3). Predicted widths are those of
Eq. 4, multiples of 8, before they are adapted to the group width; observed widths are after that,
so that even a RegNet can have e_fit > 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from darts.models.anynet.config import AnyNetConfig
from darts.models.anynet.regnet import QUANTUM, exponents_of, quantised_widths
from darts.models.arrays import FloatArray, IntArray

_W0 = np.arange(QUANTUM, 256, QUANTUM, dtype=np.float64)
_WA = np.concatenate([[0.0], np.geomspace(1, 255.9, 44)])
_WM = np.linspace(1.5, 3, 31)
# A second, finer grid around the best point of the first, with this many values to each side.
_FINE = 10


@dataclass(frozen=True)
class LinearFit:
    """The quantised line nearest to a network's widths.

    Attributes:
        w0, wa, wm: See `darts.models.anynet.regnet.RegNet`.
        error: e_fit, the mean |log(predicted / observed)| over the blocks.
    """

    w0: int
    wa: float
    wm: float
    error: float

    def widths(self, depth: int) -> IntArray:
        """Predicted width of each block, `[depth]` (Eqs 2 to 4)."""
        exponents = exponents_of(np.arange(depth), self.w0, self.wa, self.wm)
        return quantised_widths(self.w0, self.wm, exponents)

    def line(self, depth: int) -> FloatArray:
        """u_j = w_0 + w_a·j, the line before quantisation, `[depth]` (Eq. 2)."""
        return self.w0 + self.wa * np.arange(depth, dtype=np.float64)


def block_widths(config: AnyNetConfig) -> IntArray:
    """Width of each block, `[depth]`."""
    return np.repeat(
        [stage.width for stage in config.stages], [stage.depth for stage in config.stages]
    )


def fit_lines(configs: Sequence[AnyNetConfig]) -> tuple[LinearFit, ...]:
    """The best quantised line for each network; about 2 ms per network.

    >>> from darts.models.anynet.regnet import RegNet
    >>> regnet = RegNet(depth=13, w0=24, wa=36.4, wm=2.5, group_width=8)
    >>> (fit,) = fit_lines([regnet.config()])
    >>> fit.error < 0.02
    True
    """
    if not configs:
        return ()
    grid, predicted = _grid(max(config.depth for config in configs))
    fits = []
    for config in configs:
        observed = np.log(block_widths(config))
        rows = predicted[: len(observed)] - observed[:, None].astype(np.float32)
        best = int(np.abs(rows, out=rows).sum(axis=0).argmin())
        fits.append(_refined(grid[best], observed))
    return tuple(fits)


@cache
def _grid(depth: int) -> tuple[FloatArray, np.ndarray]:
    """Points (w_0, w_a, w_m) `[G, 3]` and the logarithms of their widths `[depth, G]`."""
    grid = np.stack(np.meshgrid(_W0, _WA, _WM, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid, _log_widths(grid, depth).astype(np.float32)


def _log_widths(points: FloatArray, depth: int) -> FloatArray:
    w0, wa, wm = points.T
    exponents = exponents_of(np.arange(depth)[:, None], w0, wa, wm)
    return np.log(quantised_widths(w0, wm, exponents))


def _refined(start: FloatArray, observed: FloatArray) -> LinearFit:
    """The best point of a fine grid around `start`, which is one of its points."""
    w0, wa, wm = start
    spread = np.arange(-_FINE, _FINE + 1) / _FINE
    # One step of the first grid to each side: w_a by a factor, or up to 1 from 0.
    factor = _WA[-1] ** (1 / (len(_WA) - 2))
    slopes = wa * factor**spread if wa else (1 + spread) / 2
    slopes = np.append(slopes, wa)
    ratios = np.clip(wm + spread * (_WM[1] - _WM[0]), _WM[0], _WM[-1])
    starts = np.unique(np.clip([w0 - QUANTUM, w0, w0 + QUANTUM], _W0[0], _W0[-1]))
    points = np.stack(np.meshgrid(starts, slopes, ratios, indexing="ij"), axis=-1).reshape(-1, 3)
    errors = np.abs(_log_widths(points, len(observed)) - observed[:, None]).mean(axis=0)
    best = int(errors.argmin())
    w0, wa, wm = points[best]
    return LinearFit(round(w0), float(wa), float(wm), float(errors[best]))
