"""Average precision and F1 against numbers computed by hand, and against scikit-learn."""

import numpy as np
import pytest
import torch

from darts.targets.measures import f1_of_counts, precision_over_recall


def test_average_precision_by_hand() -> None:
    # By score: right, wrong, right, right, wrong. P at the right ones: 1, 2/3, 3/4.
    scores = torch.tensor([0.9, 0.2, 0.7, 0.6, 0.8])
    labels = torch.tensor([1, 0, 1, 1, 0])
    assert precision_over_recall(scores, labels) == pytest.approx(
        (1 + 2 / 3 + 3 / 4) / 3, abs=1e-12
    )


def test_equal_scores_count_together() -> None:
    # One threshold: precision 1/4 at recall 1, whatever the order.
    for labels in ([1, 0, 0, 0], [0, 0, 0, 1]):
        assert precision_over_recall(torch.ones(4), torch.tensor(labels)) == 0.25


def test_a_class_that_no_image_has_is_undefined() -> None:
    assert precision_over_recall(torch.rand(3), torch.zeros(3)) is None
    assert f1_of_counts(0, 0, 0) == 0.0


def test_equal_to_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(0)
    for _ in range(20):
        scores = random.integers(0, 12, 40) / 8.0
        labels = random.integers(0, 2, 40)
        ours = precision_over_recall(torch.from_numpy(scores), torch.from_numpy(labels))
        assert ours == pytest.approx(metrics.average_precision_score(labels, scores), abs=1e-12)
        right, given = int((labels & (scores > 0.5)).sum()), int((scores > 0.5).sum())
        assert f1_of_counts(right, given, int(labels.sum())) == pytest.approx(
            metrics.f1_score(labels, scores > 0.5), abs=1e-12
        )
