"""Several labels for each image: loss, measures, predictions."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from darts.targets.multi import MULTI

LOGITS = torch.tensor([[2.0, -1.0], [1.0, 1.0], [-1.0, 0.5], [0.5, -2.0]])
LABELS = torch.tensor([[1, 0], [0, 1], [1, 1], [1, 0]], dtype=torch.uint8)


def scores(logits=LOGITS, labels=LABELS, names="ab"):
    tally = MULTI.tally(names)
    for part in zip(logits.split(3), labels.split(3), strict=True):
        tally.add(*part)
    return tally.scores()


def test_scores_by_hand() -> None:
    found = scores()
    # a: order 0 (right), 1 (wrong), 3 (right), 2 (right): (1 + 2/3 + 3/4) / 3. b: all right.
    first = (1 + 2 / 3 + 3 / 4) / 3
    assert found.quality == found.mean_average_precision == pytest.approx(50 * (first + 1))
    # a: TP 2, FP 1, FN 1; b: TP 2, no fault.
    assert found.micro_f1 == pytest.approx(100 * 8 / 10)
    assert found.macro_f1 == pytest.approx(50 * (4 / 6 + 1))
    assert found.subset_accuracy == 50.0
    wanted = functional.binary_cross_entropy_with_logits(LOGITS, LABELS.float())
    assert found.loss == pytest.approx(wanted.item())
    assert MULTI.batch_score(LOGITS, LABELS).item() == pytest.approx(80.0)
    assert [one.average_precision for one in found.classes] == pytest.approx([100 * first, 100])


def test_equal_to_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(1)
    logits = random.normal(size=(50, 6)).round(1)
    labels = random.integers(0, 2, (50, 6))
    found = scores(torch.from_numpy(logits), torch.from_numpy(labels), "abcdef")
    wanted = metrics.average_precision_score(labels, logits, average="macro")
    assert found.mean_average_precision == pytest.approx(100 * wanted)
    for kind in ("micro", "macro"):
        wanted = metrics.f1_score(labels, logits > 0, average=kind)
        assert getattr(found, f"{kind}_f1") == pytest.approx(100 * wanted)
    assert found.subset_accuracy == pytest.approx(100 * metrics.accuracy_score(labels, logits > 0))


def test_labels_without_images_are_left_out_and_said() -> None:
    found = scores(LOGITS, LABELS * torch.tensor([1, 0], dtype=torch.uint8))
    assert found.mean_average_precision == pytest.approx(100 * (1 + 2 / 3 + 3 / 4) / 3)
    assert found.remarks() == ["No image has 1 of the 2 labels; mAP leaves them out."]


def test_smoothing_weights_and_distillation() -> None:
    loss = functional.binary_cross_entropy_with_logits
    torch.testing.assert_close(
        MULTI.loss(LOGITS, LABELS, label_smoothing=0.2), loss(LOGITS, LABELS * 0.8 + 0.1)
    )
    weights = MULTI.class_weights(LABELS, 2)
    assert weights.tolist() == pytest.approx([1 / 3, 1.0])
    probabilities = LOGITS.sigmoid()
    each = -(
        LABELS * weights * probabilities.log() + (1 - LABELS.float()) * (1 - probabilities).log()
    )
    torch.testing.assert_close(MULTI.loss(LOGITS, LABELS, weights=weights), each.mean())
    teachers = LOGITS.flip(0)
    p, q = teachers.sigmoid(), probabilities
    wanted = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    torch.testing.assert_close(MULTI.divergence(LOGITS, teachers), wanted)
    assert MULTI.divergence(LOGITS, LOGITS).item() == pytest.approx(0, abs=1e-7)


def test_labels_can_be_mixed() -> None:
    soft = MULTI.soft(LABELS, 2, torch.float32)
    mixed = 0.7 * soft + 0.3 * soft.roll(1, 0)
    assert MULTI.hard(mixed).tolist() == LABELS.tolist()
    assert MULTI.loss(LOGITS, mixed).item() > 0
