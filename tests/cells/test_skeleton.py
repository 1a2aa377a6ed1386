"""The stack of cells: its reduction cells, widths and inputs."""

import pytest

from cells.skeleton import Skeleton, reduction_layers


@pytest.mark.parametrize(
    ("layers", "positions"), [(8, (2, 5)), (20, (6, 13)), (14, (4, 9)), (3, (1, 2)), (1, (0,))]
)
def test_reductions_at_one_and_two_thirds(layers: int, positions: tuple[int, ...]) -> None:
    assert reduction_layers(layers) == positions


def test_the_published_stack_by_hand() -> None:
    """PC-DARTS on CIFAR-10: C = 36, 20 cells, four nodes, a stem of 108 channels."""
    stack = Skeleton.of(layers=20, channels=36, stem=(108, 108), width=lambda kind: 4)
    widths = [(cell.before_previous, cell.previous, cell.channels) for cell in stack.cells]
    assert widths[:3] == [(108, 108, 36), (108, 144, 36), (144, 144, 36)]
    assert widths[6:9] == [(144, 144, 72), (144, 288, 72), (288, 288, 72)]
    assert widths[13:15] == [(288, 288, 144), (288, 576, 144)]
    assert stack.reductions == (6, 13)
    assert (stack.out_channels, stack.shrinkage) == (576, 4)
    assert [cell.output_size(32) for cell in stack.cells][5:8] == [32, 16, 16]
    assert [cell.shrinkage for cell in stack.cells][5:8] == [1, 1, 2]


def test_a_reduction_is_seen_by_the_next_cell() -> None:
    stack = Skeleton.of(layers=4, channels=8, stem=(16, 8), width=lambda kind: 2, stem_reduces=True)
    assert [cell.previous_reduction for cell in stack.cells] == [True, False, True, True]
    assert [cell.kind for cell in stack.cells] == ["normal", "reduce", "reduce", "normal"]


def test_kinds_of_cells_may_differ_in_width() -> None:
    width = {"normal": 5, "reduce": 3}.__getitem__
    stack = Skeleton.of(layers=3, channels=4, stem=(4, 4), width=width)
    assert [cell.previous for cell in stack.cells] == [4, 20, 24]
    assert stack.out_channels == 48
