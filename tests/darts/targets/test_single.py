"""One label for each image: loss, weights of classes, scores."""

import pytest
import torch
from torch.nn import functional

from darts.targets.scores import class_rows, class_table, table_title
from darts.targets.single import SINGLE

LOGITS = torch.tensor([[2.0, 0.0, 1.0], [0.5, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 3.0]])
LABELS = torch.tensor([0, 0, 0, 2])


def scores(logits=LOGITS, labels=LABELS, names=("a", "b", "c")):
    tally = SINGLE.tally(names)
    for part in zip(logits.split(3), labels.split(3), strict=True):
        tally.add(*part)
    return tally.scores()


def test_scores_by_hand() -> None:
    found = scores()
    assert found.loss == pytest.approx(functional.cross_entropy(LOGITS, LABELS).item())
    # Class a: 2 of 3 right; b has no image; c: 1 of 1.
    assert (found.accuracy, found.quality) == (75.0, 75.0)
    assert found.balanced_accuracy == pytest.approx((200 / 3 + 100) / 2)
    assert found.top5_accuracy == 100.0
    a, b, c = found.classes
    assert (a.precision, a.recall, a.f1) == (100.0, pytest.approx(200 / 3), pytest.approx(80.0))
    assert (b.images, b.precision, b.recall, b.f1) == (0, 0.0, None, 0.0)
    assert (c.images, c.f1) == (1, 100.0)


def test_what_the_majority_would_reach_is_said() -> None:
    labels = torch.tensor([0] * 53 + [1] * 3)
    found = scores(torch.tensor([[1.0, 0.0]]).expand(56, 2), labels, ("a", "b"))
    assert found.accuracy == pytest.approx(94.64, abs=0.01)
    assert found.balanced_accuracy == 50.0
    assert "94.64 %" in found.remarks()[0]
    assert "75.00 %" in scores().remarks()[0]
    assert not scores(LOGITS[[0, 3]], LABELS[[0, 3]]).remarks()


def test_weights_make_classes_equal() -> None:
    weights = SINGLE.class_weights(LABELS, 3)
    assert weights.tolist() == pytest.approx([4 / 6, 0.0, 2.0])
    each = functional.cross_entropy(LOGITS, LABELS, reduction="none")
    wanted = (each[:3].sum() * 4 / 6 + each[3] * 2) / 4
    torch.testing.assert_close(SINGLE.loss(LOGITS, LABELS, weights=weights), wanted)
    # Each class has the same share of the whole, and parts of a batch add up.
    parts = [
        SINGLE.loss(x, y, weights=weights)
        for x, y in zip(LOGITS.split(2), LABELS.split(2), strict=True)
    ]
    torch.testing.assert_close(sum(parts) / 2, wanted)
    soft = SINGLE.soft(LABELS, 3, torch.float32)
    torch.testing.assert_close(SINGLE.loss(LOGITS, soft, weights=weights), wanted)


def test_a_table_of_many_classes_shows_the_worst() -> None:
    names = [str(number) for number in range(30)]
    logits = torch.eye(30)
    logits[3], logits[7] = logits[8].clone(), logits[9].clone()
    rows = class_rows(scores(logits, torch.arange(30), names))
    table = class_table(rows)
    assert [row[0] for row in table] == ["class", "3", "7", "8", "9", "0"]
    assert table_title(rows) == "The 5 of 30 classes with the lowest F1"
    assert class_table(rows[:2])[1] == ("0", "1", "100.0 %", "100.0 %", "100.0 %")
