"""The native kernels, compared with the literal form and PyTorch; their compilation and choice."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from cells.engines import NativeEngine
from cells.search_cell import SearchCell
from cells.skeleton import CellPlace
from cells.topology import EdgeWeights, Topology
from cells.torch_engine import Engine, TorchEngine
from darts.methods.architecture import Architecture
from darts.searching.supernet import Supernet
from genotypes import SPACES
from ops.backends import VARIABLE, BackendError, choose_backend
from ops.initialise import initialise
from ops.native import build, cell, kernels
from ops.native.kernels import choose_lanes
from tests.darts.searching.test_supernet import TOLERANCE, Twins

DOUBLE = torch.float64
TORCH, NATIVE = TorchEngine(), NativeEngine()


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """One entry per call of a kernel: whether the call was a backward pass."""
    try:
        kernels.prepare_kernels([], DOUBLE)
    except build.BuildError as error:
        pytest.skip(str(error))
    # These tests use only double precision, so the kernels for float need not be compiled.
    monkeypatch.setattr(torch, "get_default_dtype", lambda: DOUBLE)
    calls: list[bool] = []
    run = cell.run_fan_out

    def spy(*arguments: object, backward: bool) -> None:
        calls.append(backward)
        run(*arguments, backward=backward)  # type: ignore[arg-type]

    monkeypatch.setattr(cell, "run_fan_out", spy)
    return calls


@pytest.mark.parametrize(
    "settings",
    [
        *({"k": k, "nodes": nodes} for k in (1, 2, 4) for nodes in (3, 5)),
        {"k": 8, "channels": 16},
        {"k": 4, "channels": 12},  # Groups of 3 channels in the first cell.
        {"k": 2, "channels": 12},  # Groups of 6 channels, not a power of two.
        {"channels": 12, "k": 1, "nodes": 2},  # Preprocessed one channel at a time.
        {"channels": 16, "k": 1, "nodes": 2},
        {"edge_normalisation": False},
        {"sampling": "random"},
        {"sampling": "random", "k": 1},
        {"stem": "imagenet", "k": 2},
        {"channels_last": False},
    ],
    ids=str,
)
def test_equals_the_literal_form(native: list[bool], settings: dict) -> None:
    Twins(**{"k": 4, "nodes": 3, **settings}, backend="native").assert_equal()
    assert set(native) == {False, True}


def test_equals_the_literal_form_on_images_of_odd_size(native: list[bool]) -> None:
    twins = Twins(k=2, nodes=3, backend="native")
    twins.images = torch.randn(
        3, 3, 12, 44, generator=torch.Generator().manual_seed(3), dtype=DOUBLE
    )  # 3x11 after two reductions
    twins.assert_equal()
    assert native


def test_equals_the_literal_form_in_evaluation(native: list[bool]) -> None:
    twins = Twins(k=2, nodes=3, backend="native")
    twins.step()  # Moves the running statistics away from 0 and 1.
    for net in (twins.fused, twins.literal):
        net.zero_grad()
        net.eval()
    for architecture in twins.architectures:
        architecture.zero_grad()
    twins.assert_equal()


def search_cell(reduction: bool, k: int, space: str = "darts") -> SearchCell:
    place = CellPlace(0, reduction, reduction, 12, 8, 8, 1)
    made = SearchCell(Topology(3), SPACES[space].operations, place, k=k).double()
    initialise(made, torch.Generator().manual_seed(5))
    return made


def run(
    made: SearchCell, engine: Engine, size: tuple[int, int], space: str = "darts"
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The output of a cell, and the gradients of inputs, architecture and weights."""
    generator = torch.Generator().manual_seed(6)
    factor = 2 if made.place.reduction else 1
    weights = EdgeWeights(
        torch.rand(
            9, len(SPACES[space].operations), generator=generator, dtype=DOUBLE
        ).requires_grad_(),
        torch.rand(9, generator=generator, dtype=DOUBLE).requires_grad_(),
    )
    before = torch.randn(
        3, 12, factor * size[0], factor * size[1], generator=generator, dtype=DOUBLE
    ).requires_grad_()
    previous = torch.randn(3, 8, *size, generator=generator, dtype=DOUBLE).requires_grad_()
    output = made(before, previous, weights, engine)
    probe = torch.randn(output.shape, generator=generator, dtype=DOUBLE)
    unknowns = [before, previous, weights.operations, weights.edges, *made.parameters()]
    return output, torch.autograd.grad((output * probe).sum(), unknowns)


@pytest.mark.parametrize("size", [(7, 5), (2, 1), (1, 9), (12, 4)], ids=str)
@pytest.mark.parametrize("k", [1, 2, 4])
def test_a_cell_of_any_size_equals_that_in_pytorch(
    native: list[bool], k: int, size: tuple[int, int]
) -> None:
    plain = search_cell(False, k)
    kernel = copy.deepcopy(plain)
    expected, gradients = run(plain, TORCH, size)
    assert not native
    output, ours = run(kernel, NATIVE, size)
    assert native
    torch.testing.assert_close(output, expected, **TOLERANCE)
    for one, other in zip(ours, gradients, strict=True):
        torch.testing.assert_close(one, other, **TOLERANCE)
    for (name, one), other in zip(kernel.named_buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(one, other, msg=name, **TOLERANCE)


@pytest.mark.parametrize("reduction", [False, True])
def test_an_unknown_operation_runs_in_pytorch(native: list[bool], reduction: bool) -> None:
    plain = search_cell(reduction, 2, "nasnet")
    assert any(len(fan_out.separate) for fan_out in plain.fan_outs)
    kernel = copy.deepcopy(plain)
    expected, gradients = run(plain, TORCH, (6, 6), "nasnet")
    output, ours = run(kernel, NATIVE, (6, 6), "nasnet")
    assert native
    torch.testing.assert_close(output, expected, **TOLERANCE)
    for one, other in zip(ours, gradients, strict=True):
        torch.testing.assert_close(one, other, **TOLERANCE)


@pytest.mark.parametrize("stem", ["cifar", "imagenet"])
def test_a_stack_of_cells_equals_its_cells_one_by_one(native: list[bool], stem: str) -> None:
    together, apart = (Twins(k=2, nodes=3, stem=stem, backend="native") for _ in range(2))
    apart.fused.recompute = True  # This evaluates every cell separately.
    tables = [twins.architectures[0].tables for twins in (together, apart)]
    found, expected = map(gradients_of, (together, apart), tables)
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, expected[name], msg=name, **TOLERANCE)
    assert native


def test_only_what_is_asked_for_gets_a_gradient(native: list[bool]) -> None:
    twins = Twins(k=2, nodes=3, backend="native")
    ours, _ = twins.architectures
    everything = gradients_of(twins, ours.tables)
    twins.fused.requires_grad_(False)
    of_architecture = gradients_of(twins, ours.tables)
    twins.fused.requires_grad_(True)
    of_weights = gradients_of(twins, ours.fixed_tables)
    assert sorted((*of_architecture, *of_weights)) == sorted(everything)
    for name, gradient in {**of_architecture, **of_weights}.items():
        assert gradient.equal(everything[name]), name


def gradients_of(twins: Twins, tables: Callable) -> dict[str, Tensor]:
    twins.fused.zero_grad()
    twins.architectures[0].zero_grad()
    functional.cross_entropy(twins.fused(twins.images, tables()), twins.labels).backward()
    named = [*twins.fused.named_parameters(), *twins.architectures[0].named_parameters()]
    return {name: p.grad.clone() for name, p in named if p.grad is not None}


def test_the_same_bits_every_time_with_any_number_of_threads(native: list[bool]) -> None:
    before = torch.get_num_threads()
    runs = []
    try:
        for threads in (1, 2, 2, 3):
            torch.set_num_threads(threads)
            made = search_cell(False, 2)
            output, gradients = run(made, NATIVE, (9, 8))
            runs.append([output, *gradients, *made.buffers()])
    finally:
        torch.set_num_threads(before)
    for other in runs[1:]:
        assert all(one.equal(two) for one, two in zip(runs[0], other, strict=True))


def test_single_precision(native: list[bool]) -> None:
    generator = torch.Generator().manual_seed(0)
    architecture = Architecture(Topology(3), generator=generator)
    supernet, exact = (
        Supernet(
            Topology(3), SPACES["darts"].operations, channels=8, layers=3, k=2, backend=backend
        )
        for backend in ("native", "torch")
    )
    initialise(supernet, generator)
    images = torch.randn(4, 3, 8, 8, generator=generator)
    exact.load_state_dict(supernet.state_dict())
    exact.double()
    expected = exact(images.double(), copy.deepcopy(architecture).double().tables())
    native.clear()
    torch.testing.assert_close(
        supernet(images, architecture.tables()), expected.float(), rtol=1e-3, atol=1e-4
    )
    assert native


def test_large_means_do_not_spoil_the_statistics(native: list[bool]) -> None:
    """E[x²] - E[x]² would lose all digits of float32 here."""
    made = search_cell(False, 1).float()
    generator = torch.Generator().manual_seed(0)
    state = 1e4 + torch.randn(4, 8, 8, 8, generator=generator)
    weights = EdgeWeights(torch.ones(9, 8), None)
    made(torch.randn(4, 12, 8, 8, generator=generator), state, weights, NATIVE)
    assert native
    expected = functional.conv2d(state.double(), made.preprocess1.conv.weight.double())
    torch.testing.assert_close(
        made.preprocess1.norm.running_var.double(),
        0.9 + 0.1 * expected.var((0, 2, 3)),
        rtol=1e-3,
        atol=1e-4,
    )


def test_substituted_weights_are_used(native: list[bool]) -> None:
    made = search_cell(False, 2)
    generator = torch.Generator().manual_seed(1)
    inputs = [torch.randn(2, c, 4, 4, generator=generator, dtype=DOUBLE) for c in (12, 8)]
    weights = EdgeWeights(torch.ones(9, 8, dtype=DOUBLE), None)
    moved = {name: p + 0.1 for name, p in made.named_parameters()}
    substituted = functional_call(made, moved, (*inputs, weights, NATIVE))
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            parameter.copy_(moved[name])
    assert substituted.equal(made(*inputs, weights, NATIVE))
    assert native


@pytest.mark.parametrize("reason", ["autocast", "frozen norm", "transform"])
def test_what_the_kernels_cannot_take_runs_in_pytorch(native: list[bool], reason: str) -> None:
    made = search_cell(False, 2)
    inputs = [torch.ones(2, c, 4, 4, dtype=DOUBLE) for c in (12, 8)]
    weights = EdgeWeights(torch.ones(9, 8, dtype=DOUBLE), None)
    if reason == "autocast":
        made.float()
        inputs = [x.float() for x in inputs]
        weights = EdgeWeights(torch.ones(9, 8), None)
        with torch.autocast("cpu", torch.bfloat16):
            made(*inputs, weights, NATIVE)
    elif reason == "frozen norm":
        made.preprocess0.norm.eval()
        made(*inputs, weights, NATIVE)
    else:
        made.eval()
        torch.func.grad(lambda x: made(inputs[0], x, weights, NATIVE).sum())(inputs[1])
    assert not native


@pytest.fixture
def empty_cache(tmp_path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)
    return monkeypatch


def _no_compiler() -> str:
    raise build.BuildError("There is no C++ compiler (c++).")


def _break_compiler(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(build, "_compiler", _no_compiler)


def _break_flags(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(build, "FLAGS", ("-no-such-flag",))


def _break_cache(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("XDG_CACHE_HOME", __file__)  # A file instead of a folder.


def _break_library(patch: pytest.MonkeyPatch) -> None:
    kernels._library.cache_clear()
    patch.setattr(build, "compile_missing", lambda needed: None)
    patch.setattr(build, "load_library", lambda source, macros: object())


@pytest.mark.parametrize("spoil", [_break_compiler, _break_flags, _break_cache, _break_library])
def test_without_kernels_pytorch_takes_over(
    empty_cache: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, spoil: Callable
) -> None:
    spoil(empty_cache)
    with caplog.at_level(logging.WARNING):
        assert choose_backend("auto", [choose_lanes(4, 4)]) == "torch"
    said = [one.message for one in caplog.records if not one.message.startswith("Compiling")]
    assert len(said) == 1
    assert said[0].startswith("Search cells run in PyTorch")
    with pytest.raises(BackendError, match="does not work here"):
        choose_backend("native", [choose_lanes(4, 4)])


def test_compiles_once(empty_cache: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    try:
        build._compiler()
    except build.BuildError as error:
        pytest.skip(str(error))
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            choose_backend("native", [])
    announced, done = (record.message for record in caplog.records)
    assert announced == "Compiling CPU kernels for this machine, once: about 7 s."
    assert done.startswith("Compiled 1 native kernel")


def test_the_choice_by_name_and_variable(empty_cache: pytest.MonkeyPatch) -> None:
    empty_cache.setenv(VARIABLE, "torch")
    assert choose_backend("auto", []) == "torch"
    empty_cache.setenv(VARIABLE, "fast")
    with pytest.raises(BackendError, match="DARTS_BACKEND is 'fast'; valid: auto, torch, native"):
        choose_backend("auto", [])
    with pytest.raises(BackendError, match="back end is 'cuda'"):
        choose_backend("cuda", [])


@pytest.mark.parametrize(
    ("channels", "edges", "vector", "group", "total"),
    [
        (4, 4, 16, 4, 16),
        (4, 5, 8, 4, 24),
        (4, 1, 8, 4, 8),
        (2, 4, 8, 2, 8),
        (8, 3, 8, 8, 24),
        (16, 4, 16, 16, 64),
        (6, 4, 16, 8, 32),
        (18, 2, 8, 24, 48),
        (64, 5, 16, 64, 320),
    ],
)
def test_layouts_of_lanes(channels: int, edges: int, vector: int, group: int, total: int) -> None:
    lanes = choose_lanes(channels, edges, vectors=(16, 8))
    assert (lanes.vector, lanes.group, lanes.total) == (vector, group, total)


def test_clang_brings_its_own_openmp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "_version", lambda: "Debian clang version 16.0.6")
    assert build._openmp.__wrapped__() == ()


def test_a_library_is_built_once_by_all_who_want_it_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs: list[str] = []

    def compiled(*command: str) -> None:
        outputs.append(Path(command[-1]).name)
        time.sleep(0.05)
        Path(command[-1]).touch()

    monkeypatch.setattr(build, "_run", compiled)
    library = tmp_path / "fan_out.so"
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: build._compile(library, "fan_out.cpp", {}), range(3)))
    assert outputs == ["code.o", "library.so"]
    assert list(tmp_path.iterdir()) == [library]
