"""Mixtures of parts: those that cannot work are refused with the reason, the others are not."""

from __future__ import annotations

import pytest

from darts.errors import UserError
from darts.methods.catalogue import create_method
from darts.methods.method import Method

REFUSED = [
    ({"relaxation": "hard-gumbel", "perturbation": "random"}, "needs the relaxation softmax"),
    ({"relaxation": "sigmoid", "perturbation": "adversarial"}, "needs the relaxation softmax"),
    ({"relaxation": "gumbel", "regulariser": "lambda"}, "without random numbers"),
    ({"relaxation": "dirichlet", "regulariser": "freezing"}, "without random numbers"),
    ({"regulariser": "freezing+freezing"}, "by one rule only"),
    ({"regulariser": "freezing", "gradient": "unrolled"}, "needs the gradient first-order"),
    ({"regulariser": "lambda", "gradient": "single-level"}, "one step for weights"),
    ({"perturbation": "random", "gradient": "single-level"}, "one step for weights"),
    ({"relaxation": "hard-gumbel", "gradient": "unrolled"}, "subtracts losses"),
    ({"relaxation": "uniform-path"}, "needs the gradient fixed"),
    ({"gradient": "fixed"}, "needs a selection that evaluates"),
    ({"relaxation": "dirichlet", "stopping": "eigenvalue"}, "without random numbers"),
    ({"selection": "best-child", "stages": "growing"}, "after its last epoch"),
    ({"selection": "projection", "stopping": "skip-count"}, "after its last epoch"),
    ({"regulariser": "zero-one"}, "needs the relaxation sigmoid"),
    ({"regulariser": "dirichlet-kl"}, "needs the relaxation dirichlet"),
]
ALLOWED = [
    {"perturbation": "adversarial", "regulariser": "beta-decay+lambda+freezing"},
    {"relaxation": "sigmoid", "regulariser": "zero-one+entropy+beta-decay"},
    {"relaxation": "dirichlet", "regulariser": "dirichlet-kl"},
    {"relaxation": "gumbel", "gradient": "single-level", "regulariser": "entropy"},
    {"gradient": "fixed", "relaxation": "uniform-path", "selection": "best-child"},
    {"stages": "growing", "stopping": "fixed-epoch", "skips": "auxiliary+dropout"},
    {"gradient": "unrolled", "perturbation": "random", "regulariser": "lambda"},
]


def create(parts: dict[str, str]) -> Method:
    return create_method("darts", edge_normalisation=False, order=1, chosen=parts)


@pytest.mark.parametrize(("parts", "reason"), REFUSED, ids=str)
def test_parts_that_do_not_work_together_are_refused(parts: dict[str, str], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        create(parts)


@pytest.mark.parametrize("parts", ALLOWED, ids=str)
def test_other_mixtures_are_allowed(parts: dict[str, str]) -> None:
    assert create(parts).name == "darts"
