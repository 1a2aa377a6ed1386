"""A resumed run refuses data whose classes are others than at its start."""

from dataclasses import replace

import pytest

from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.errors import UserError
from darts.targets.multi import MULTI


def test_classes_and_task_are_compared_with_those_at_the_start() -> None:
    dataset = open_dataset(DataOptions(dataset="digits"))
    card = dataset.card()
    dataset.check_same(card)
    dataset.check_same({"classes": card["classes"]})  # Of an earlier version.
    names = (*dataset.classes[:-1], "x")
    with pytest.raises(UserError, match=r"10 classes, but had 10 when .*new x; gone 9"):
        replace(dataset, classes=names).check_same(card)
    with pytest.raises(UserError, match="in another order"):
        replace(dataset, classes=dataset.classes[::-1]).check_same(card)
    several = replace(dataset, target=MULTI)
    with pytest.raises(UserError, match="began as single-label"):
        several.check_same(card)
