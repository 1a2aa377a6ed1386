"""Scores of the gradients of the logits with respect to the images."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from darts.proxies.subject import Subject

EPSILON = 1e-5
MANY_CLASSES = 100


def jacov(subject: Subject) -> float:
    """-Σ_i [ log(v_i + k) + 1 / (v_i + k) ],  k = 1e-5.

    v are the eigenvalues of the correlation matrix of the rows of J `[B, 3HW]`, the gradient of the
    sum of all logits with respect to each image. Batch norms are on. Source: Mellor et al., "Neural
    architecture search without training", first version (arXiv 2006.04647v1, §3); NASLib.
    """
    correlations = _correlations(_rows(subject))
    if not np.isfinite(correlations).all():
        return math.nan
    values = np.linalg.eigvalsh(correlations)
    shifted = values + EPSILON
    return -float((np.log(shifted) + 1 / shifted).sum())


def epe_nas(subject: Subject) -> float:
    """Σ over the classes c of the batch of |s_c|,  s_c = Σ_ij log(|R_c,ij| + k),  k = 1e-5.

    R_c is the correlation matrix of the rows of J (see `jacov`) that belong to images of class c.
    For a data set of more than 100 classes, s_c is divided by the number of its images, and the
    score is the sum over pairs of |s_c - s_d| divided by the number of classes in the batch.
    Source: EPE-NAS (Lopes et al., arXiv 2102.08099, §3); NASLib.
    """
    rows, labels = _rows(subject), subject.batch.labels.cpu().numpy()
    many = subject.batch.num_classes > MANY_CLASSES
    sums = []
    for number in np.unique(labels):
        correlations = _correlations(rows[labels == number])
        total = np.log(np.abs(correlations) + EPSILON).sum()
        sums.append(float(total) / (len(correlations) if many else 1))
    known = np.asarray(sums)
    if many:
        return float(np.abs(known[:, None] - known).sum()) / len(known)
    return float(np.abs(known).sum())


def _rows(subject: Subject) -> NDArray[np.float64]:
    rows: NDArray[np.float64] = subject.image_gradients.double().cpu().numpy()
    return rows


def _correlations(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The correlation matrix `[N, N]` of rows `[N, D]`; NaN for a row of equal values."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.atleast_2d(np.corrcoef(rows))
