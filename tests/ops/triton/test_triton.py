"""Triton's kernels, compared with the literal form and with PyTorch.

Without a GPU they run in Triton's interpreter, which is slow. The tests use few and tiny cells.
"""

from __future__ import annotations

import copy
import logging
import sys

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cells.engines import TritonEngine
from cells.search_cell import SearchCell
from cells.skeleton import CellPlace
from cells.topology import EdgeWeights, Topology
from cells.torch_engine import Engine, TorchEngine
from genotypes import SPACES
from ops import backends
from ops.backends import BackendError, choose_backend
from ops.initialise import initialise
from tests.darts.searching.test_supernet import TOLERANCE, Twins

pytest.importorskip("triton", minversion="3.3")
norms = pytest.importorskip("ops.triton.norms")
cell = pytest.importorskip("ops.triton.cell")

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
DOUBLE = torch.float64
TORCH, TRITON = TorchEngine(), TritonEngine()


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry for each source that kernels have evaluated."""
    calls: list[bool] = []
    forward = cell.TritonSource.forward

    def spy(*arguments: object) -> object:
        calls.append(True)
        return forward(*arguments)

    monkeypatch.setattr(cell.TritonSource, "forward", spy)
    return calls


def test_a_supernet_equals_the_literal_form(launched: list[bool]) -> None:
    """Outputs, all gradients and running statistics, with K = 8 and both kinds of cells."""
    twins = Twins(k=8, channels=16, nodes=2, backend="triton")
    if DEVICE.type == "cuda":
        for module in (twins.fused, twins.literal, *twins.architectures):
            module.to(DEVICE)
        twins.images, twins.labels = twins.images.to(DEVICE), twins.labels.to(DEVICE)
    twins.assert_equal()
    assert len(launched) == 3 * 3


WITH_SKIPS = ("none", "max_pool_3x3", "skip_connect", "dil_conv_3x3", "auxiliary_skip")


def search_cell(reduction: bool, k: int, space: str = "darts") -> SearchCell:
    place = CellPlace(0, reduction, False, 8, 8, 8, 1)
    operations = WITH_SKIPS if space == "skips" else SPACES[space].operations
    made = SearchCell(Topology(2), operations, place, k=k)
    initialise(made, torch.Generator().manual_seed(5))
    return made.to(DEVICE, DOUBLE)


def run(
    made: SearchCell, engine: Engine, size: tuple[int, int]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The output of a cell, and the gradients of inputs, architecture and weights."""
    generator = torch.Generator().manual_seed(6)
    dtype = next(made.parameters()).dtype

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(DEVICE, dtype).requires_grad_()

    columns = len(made.sources[0].fan_out.columns)
    weights = EdgeWeights(draw(5, columns), draw(5))
    before, previous = draw(3, 8, *size), draw(3, 8, *size)
    output = made(before, previous, weights, engine)
    probe = draw(*output.shape)
    unknowns = [before, previous, weights.operations, weights.edges, *made.parameters()]
    return output, torch.autograd.grad((output * probe).sum(), unknowns)


@pytest.mark.parametrize(
    ("reduction", "k", "size", "variant"),
    [
        (False, 1, (1, 9), ""),
        (False, 2, (7, 5), "random, several tiles"),
        (True, 4, (6, 2), "evaluation"),
        (True, 2, (4, 4), "nasnet"),  # With an operation that has no kernel.
        (False, 2, (3, 4), "skips"),  # Two identities on every edge.
        (True, 2, (4, 2), "skips, dropped"),  # One of them with dropout, beside the kernels.
    ],
)
def test_a_cell_of_any_size_equals_that_in_pytorch(
    launched: list[bool],
    monkeypatch: pytest.MonkeyPatch,
    reduction: bool,
    k: int,
    size: tuple[int, int],
    variant: str,
) -> None:
    known = [space for space in ("nasnet", "skips") if space in variant]
    plain = search_cell(reduction, k, *known)
    if "dropped" in variant:
        plain.drop_skips(0.5)
    if "random" in variant:
        generator = torch.Generator().manual_seed(8)
        drawn = [torch.randperm(8, generator=generator) for _ in plain.fan_outs]
        plain.select_channels(torch.stack(drawn))
        monkeypatch.setattr(norms, "TILE", 128)  # 105 pixels in parts of 16 and 32.
        monkeypatch.setattr(norms, "BLOCKS", 3)
    if variant == "evaluation":
        run(plain, TORCH, size)  # Moves the running statistics away from 0 and 1.
        plain.eval()
    kernel = copy.deepcopy(plain)
    expected, gradients = run(plain, TORCH, size)
    output, ours = run(kernel, TRITON, size)
    assert len(launched) == 3
    torch.testing.assert_close(output, expected, **TOLERANCE)
    for one, other in zip(ours, gradients, strict=True):
        torch.testing.assert_close(one, other, **TOLERANCE)
    for (name, one), other in zip(kernel.named_buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(one, other, msg=name, **TOLERANCE)


def test_sampled_operations_run_in_pytorch_and_the_log_says_so(
    launched: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    made, engine = search_cell(False, 2, "skips"), TritonEngine()
    x = torch.ones(2, 8, 4, 4, dtype=DOUBLE, device=DEVICE)
    table = torch.full((5, 5), 0.2, dtype=DOUBLE, device=DEVICE)
    weights = EdgeWeights(table, None, active=((2,), (3,), (), (1, 4), (2,)))
    with caplog.at_level(logging.INFO, "cells.engines"):
        outputs = [made(x, x, weights, engine) for _ in range(2)]
    assert not launched
    torch.testing.assert_close(outputs[1], made(x, x, weights, TORCH))
    assert [record.message for record in caplog.records] == [
        "The back end triton computes in PyTorch: sampled operations."
    ]


def test_only_what_is_asked_for_gets_a_gradient(launched: list[bool]) -> None:
    """Frozen weights and inputs without a gradient, as in an architecture step."""
    made = search_cell(False, 2)
    images = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(1)).to(DEVICE, DOUBLE)
    weights = EdgeWeights(torch.rand(5, 8).to(DEVICE, DOUBLE).requires_grad_(), None)
    everything = torch.autograd.grad(
        made(images, images, weights, TRITON).square().sum(),
        [weights.operations, *made.parameters()],
    )
    made.requires_grad_(False)
    (alone,) = torch.autograd.grad(
        made(images, images, weights, TRITON).square().sum(), weights.operations
    )
    assert alone.equal(everything[0])
    assert len(launched) == 2 * 3


def test_bf16_is_close_and_comes_out_as_bf16(launched: list[bool]) -> None:
    made = search_cell(False, 2).float()
    exact = copy.deepcopy(made)
    with torch.autocast(DEVICE.type, torch.bfloat16):
        output, gradients = run(made, TRITON, (4, 4))
    expected, expected_gradients = run(exact, TORCH, (4, 4))
    assert launched
    assert output.dtype == torch.bfloat16
    assert gradients[2].dtype == torch.float32
    for one, other in (
        (output, expected),
        *zip(gradients[:4], expected_gradients[:4], strict=True),
    ):
        error = (one.float() - other).norm() / other.norm()
        assert error < 0.05


def test_large_means_do_not_spoil_the_statistics() -> None:
    """E[x²] - E[x]² would lose all digits of float32 here."""
    z = 1e4 + torch.randn(4, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    z = z.to(DEVICE).contiguous(memory_format=torch.channels_last)
    norm = norms.WeightedNorm(3).to(DEVICE)
    statistics = torch.empty(2, 3, device=DEVICE)
    norms.measure_norms([z], [norm], 0, statistics, True)
    variance = z.double().var((0, 2, 3))
    torch.testing.assert_close(norm.running_var.double(), 0.9 + 0.1 * variance, rtol=1e-3, atol=0)
    expected = functional.batch_norm(z.double(), None, None, training=True)
    (ours,) = norms.normalise_branches([z], 0, statistics, relu=False)
    torch.testing.assert_close(ours.double(), expected, rtol=0, atol=2e-3)


@pytest.mark.skipif(DEVICE.type == "cpu", reason="the interpreter runs one program at a time")
def test_the_same_bits_every_time(launched: list[bool]) -> None:
    made = search_cell(False, 4)
    first, second = (run(copy.deepcopy(made), TRITON, (3, 5)) for _ in range(2))
    assert first[0].equal(second[0])
    assert all(one.equal(other) for one, other in zip(first[1], second[1], strict=True))


def test_triton_is_for_cuda_and_where_it_is_absent_pytorch_takes_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.delenv("DARTS_BACKEND", raising=False)
    monkeypatch.setattr(backends, "_try_triton", lambda device: None)
    assert choose_backend("auto", [], "cuda") == "triton"
    with pytest.raises(BackendError, match="for CUDA devices, and the work is on cpu"):
        choose_backend("triton", [], "cpu")
    monkeypatch.setitem(sys.modules, "triton.language", None)
    with caplog.at_level(logging.WARNING):
        assert choose_backend("auto", [], "cuda") == "torch"
    assert len(caplog.records) == 1
    with pytest.raises(BackendError, match="pip install triton"):
        choose_backend("triton", [], "cuda")


def test_where_no_kernel_can_be_compiled_pytorch_takes_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("Failed to find C compiler.\nSet CC.")

    monkeypatch.delenv("DARTS_BACKEND", raising=False)
    assert choose_backend("triton", [], DEVICE.type) == "triton"
    monkeypatch.setattr(norms, "normalise_branches", fails)
    with pytest.raises(BackendError, match=r"a first kernel fails: Failed to find C compiler\.$"):
        choose_backend("triton", [], DEVICE.type)
    monkeypatch.setattr(backends, "_try_triton", fails)
    with caplog.at_level(logging.WARNING):
        assert choose_backend("auto", [], "cuda") == "torch"
    assert "without Triton: a first kernel fails: Failed to find" in caplog.text
