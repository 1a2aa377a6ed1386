"""The catalogue: the parts of each method, and whether they can be recorded."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import Any, get_args, get_type_hints

import pytest
from torch import Tensor

from darts.methods.catalogue import DEFAULT, METHODS, create_method
from darts.methods.gradient import FirstOrder
from darts.methods.relaxation import Softmax
from darts.methods.selection import StrongestEdges
from darts.methods.unrolled import Unrolled
from darts.searching.options import SearchOptions, search_overlay


def test_the_choices_of_the_option_are_the_catalogue() -> None:
    assert get_args(get_type_hints(SearchOptions)["method"]) == METHODS
    assert SearchOptions().method == DEFAULT


@pytest.mark.parametrize("name", ["pc-darts", "darts"])
@pytest.mark.parametrize("order", [1, 2])
def test_methods_are_joined_from_parts(name: str, order: int) -> None:
    settings = {"dataset": "cifar10", "method": name, "preset": "paper"}
    edges = search_overlay(settings).get("edge_normalisation", True)
    method = create_method(name, edge_normalisation=edges, order=order)
    assert method.name == name
    assert method.relaxation == Softmax(edge_normalisation=name == "pc-darts")
    assert method.gradient == (FirstOrder() if order == 1 else Unrolled())
    assert method.selection == StrongestEdges()
    assert method.recordable == (order == 1)


class Regulariser:
    def __init__(self, recordable: bool) -> None:
        self.recordable = recordable

    def __call__(self, architecture: Any) -> Tensor:
        raise NotImplementedError


@pytest.mark.parametrize("recordable", [True, False])
def test_one_part_that_cannot_be_recorded_is_enough(recordable: bool) -> None:
    method = create_method("pc-darts", edge_normalisation=True, order=1)
    method = replace(method, regularisers=(Regulariser(True), Regulariser(recordable)))
    assert method.recordable == recordable


def test_the_catalogue_imports_no_torch() -> None:
    code = "import darts.methods.catalogue, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
