"""Do several judges rank the same things alike? Kendall's W, and how often two things swap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from darts.statistics.interval import Interval

_Floats = NDArray[np.float64]


def concordance(values: ArrayLike) -> float:
    """Kendall's coefficient of concordance W: 1 if all judges rank alike, near 0 by chance.

        W = 12 S / (m² (n³ - n) - m ΣT)

    with n things ranked by m judges, S the sum of the squared deviations of the n rank sums from
    their mean, and T = Σ (t³ - t) over the groups of t equal values of a judge.

    Source: Kendall and Babington Smith 1939; the correction for ties as in Kendall, "Rank
    Correlation Methods".

    >>> concordance([[1, 2, 3], [1, 2, 3]]), concordance([[1, 2, 3], [3, 2, 1]])
    (1.0, 0.0)

    Args:
        values: What the judges rank, `[m, n]`: small values have small ranks.

    Returns:
        NaN if there are fewer than two things, or every judge has a single value.
    """
    return float(_concordances(np.asarray(values, np.float64)))


def _concordances(values: _Floats) -> _Floats:
    """W of tables `[..., m, n]`, `[...]`; NaN where it is not defined."""
    ranks = stats.rankdata(values, axis=-1)
    judges, things = ranks.shape[-2:]
    sums = ranks.sum(axis=-2)
    squares = ((sums - sums.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    # Each of the t members of a group of equal values adds t² - 1.
    sizes = (ranks[..., :, None] == ranks[..., None, :]).sum(axis=-1)
    ties = (sizes**2 - 1).sum(axis=(-1, -2))
    bounds = (judges**2 * (things**3 - things) - judges * ties).astype(np.float64)
    return np.divide(12 * squares, bounds, out=np.full_like(bounds, np.nan), where=bounds > 0)


def mean_kendall(values: ArrayLike) -> float:
    """Mean of Kendall's tau-b over all pairs of judges; `values` is `[m, n]` as for `concordance`.

    >>> round(mean_kendall([[1, 2, 3], [1, 2, 3], [1, 3, 2]]), 4)
    0.5556

    Returns:
        NaN if no pair has a defined tau.
    """
    return float(_mean_kendalls(np.asarray(values, np.float64)))


def _mean_kendalls(values: _Floats) -> _Floats:
    """The mean tau-b of tables `[..., m, n]`, `[...]`.

    With u the signs of all pairs of things, scaled to length 1, tau-b of two judges is the product
    u · u'. So the sum over all pairs of judges is (|Σu|² - m) / 2.
    """
    first, second = np.triu_indices(values.shape[-1], 1)
    signs = np.sign(values[..., first] - values[..., second])
    length = np.sqrt((signs**2).sum(axis=-1, keepdims=True))
    units = np.divide(signs, length, out=np.zeros_like(signs), where=length > 0)
    judges = (length[..., 0] > 0).sum(axis=-1)
    pairs = (judges * (judges - 1)).astype(np.float64)
    total = (units.sum(axis=-2) ** 2).sum(axis=-1) - judges
    means = np.divide(total, pairs, out=np.full_like(pairs, np.nan), where=pairs > 0)
    return np.clip(means, -1, 1)


@dataclass(frozen=True)
class RankAgreement:
    """How far judges agree, beside what noise alone leaves of full agreement.

    Attributes:
        w: Kendall's W of the measured values, with the interval of the resamples.
        tau: Mean Kendall's tau between judges likewise.
        tau_of_noise: Mean tau if the judges share one order, shifted and stretched, and differ only
            by noise: the median and the interval of the simulations.
        p: Share of these simulations whose mean tau is at most the measured one. A small share
            says that the order differs by more than noise explains.
    """

    w: Interval
    tau: Interval
    tau_of_noise: Interval
    p: float


def rank_agreement(
    values: ArrayLike,
    deviations: float | _Floats,
    generator: np.random.Generator,
    repeats: int = 1000,
) -> RankAgreement | None:
    """RankAgreement of judges whose values are uncertain.

    Resamples are the measured values plus normal noise of the given deviations. Noise lowers
    agreement, so that the interval may lie below the measured value. Simulations of pure noise
    add it to a common order, which each judge shifts and stretches:

        x[j, t] = mean of judge j + b[j] · e[t],  e[t] = mean of thing t - mean of all

    with the slope b[j] >= 0 by least squares, so that a judge who hardly tells things apart is not
    taken for one who reverses them.

    >>> values = [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]
    >>> sharp = rank_agreement(values, 1e-9, np.random.default_rng(0), 50)
    >>> sharp.w.middle, sharp.tau.low, sharp.p
    (1.0, 1.0, 1.0)

    Args:
        values: Measured values, `[m, n]`.
        deviations: Standard deviations of these values, `[m, n]` or a number.
        generator: Source of the noise.
        repeats: Number of resamples and of simulations.

    Returns:
        None with fewer than two judges or things, or if no judge tells things apart.
    """
    known = np.asarray(values, np.float64)
    if min(known.shape) < 2:
        return None
    w, tau = concordance(known), mean_kendall(known)
    if math.isnan(w) or math.isnan(tau):
        return None
    shape = (repeats, *known.shape)
    noisy = known + generator.normal(size=shape) * deviations
    null = _common_order(known) + generator.normal(size=shape) * deviations
    taus = _mean_kendalls(null)
    taus = taus[np.isfinite(taus)]
    return RankAgreement(
        _around(w, _concordances(noisy)),
        _around(tau, _mean_kendalls(noisy)),
        Interval.of(taus),
        float(np.mean(taus <= tau + 1e-9)),
    )


def _common_order(known: _Floats) -> _Floats:
    """The measured values without what changes their order, `[m, n]`."""
    effect = known.mean(axis=0) - known.mean()
    square = float(effect @ effect)
    slopes = np.maximum(known @ effect / square, 0) if square else np.zeros(len(known))
    return known.mean(axis=1, keepdims=True) + slopes[:, None] * effect


def _around(measured: float, resampled: _Floats) -> Interval:
    spread = Interval.of(resampled[np.isfinite(resampled)])
    return Interval(spread.low, measured, spread.high)
