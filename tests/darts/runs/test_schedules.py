"""Learning rates, compared to the numbers of the papers' code."""

import pytest

from darts.runs.schedules import cosine, linear, warm_up


@pytest.mark.parametrize(
    ("epoch", "rate"),
    [(0, 0.1), (15, 0.07938926), (25, 0.05), (35, 0.02061074), (49, 9.866e-5)],
)
def test_cosine_of_the_cifar_search(epoch: int, rate: float) -> None:
    assert cosine(0.1, 0.0, epoch, 50) == pytest.approx(rate, rel=1e-4)


def test_cosine_ends_at_its_minimum() -> None:
    assert cosine(0.1, 0.001, 50, 50) == pytest.approx(0.001)


def test_linear_decay_of_the_imagenet_retraining() -> None:
    assert linear(0.5, 0, 250) == 0.5
    assert linear(0.5, 100, 250) == pytest.approx(0.5 * 145 / 245)
    assert linear(0.5, 244, 250) == pytest.approx(0.5 * 1 / 245)
    assert linear(0.5, 245, 250) == pytest.approx(0.5 * 5 / (245 * 5))
    assert linear(0.5, 249, 250) == pytest.approx(0.5 * 1 / (245 * 5))


def test_a_short_linear_decay_has_no_tail() -> None:
    assert [linear(1.0, epoch, 4) for epoch in range(4)] == [1.0, 0.75, 0.5, 0.25]


def test_warm_up_grows_in_equal_steps() -> None:
    rates = [warm_up(0.3, 0.5, epoch, 5) for epoch in range(6)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.3])
