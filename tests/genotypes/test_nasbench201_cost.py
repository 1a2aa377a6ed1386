"""Closed-form costs of NAS-Bench-201 against the published ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genotypes.nasbench201 import all_cells, operations_of, parse_arch_string
from genotypes.nasbench201_cost import StagesSize


def test_published_cells(shared: Path) -> None:
    facts = json.loads((shared / "facts" / "nasbench201.json").read_text())["nb201"]
    size = StagesSize()
    assert len(facts["known_cells"]) > 5
    for cell in facts["known_cells"].values():
        operations = operations_of(parse_arch_string(cell["arch"]))
        assert size.parameters(operations) == cell["params"]
        assert size.flops(operations) == cell["flops"]


@pytest.mark.parametrize(("channels", "cells"), [(16, 5), (16, 3), (16, 1), (8, 5), (8, 1)])
def test_all_sizes(channels: int, cells: int, shared: Path) -> None:
    facts = json.loads((shared / "facts" / "nasbench201.json").read_text())["nb201"]
    known = facts["sizes"][f"C={channels} N={cells}"]
    size = StagesSize(channels=channels, cells=cells)
    assert size.fixed_parameters() == known["discrete_fixed"]
    for kernel in ("1x1", "3x3"):
        one = [f"nor_conv_{kernel}"]
        assert size.parameters(one) - size.fixed_parameters() == known[f"per_nor_conv_{kernel}"]
        assert size.flops(one) - size.flops([]) == known[f"macs_per_{kernel}"]
    assert size.flops([]) == known["fixed_macs"]
    assert size.supernet_parameters() == known["supernet_params_no_affine_no_bias"]
    assert size.supernet_parameters(k=4) == known["partial_channels_K4_no_affine_no_bias"]


def test_the_space_has_28_numbers_of_parameters() -> None:
    assert len({StagesSize().parameters(cell) for cell in all_cells()}) == 28
