"""The targets of the native kernels: each that this machine can run equals the literal form."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

from darts.cli import main
from ops.native import build, kernels, target
from ops.native.target import TARGET_VARIABLE, TARGETS, TargetError, chosen_target
from tests.darts.searching.test_supernet import TOLERANCE, Twins
from tests.ops.native.test_native import NATIVE, TORCH, run, search_cell
from tests.reference.correspondence import pairs

DOUBLE = torch.float64


@pytest.mark.parametrize(
    ("name", "k"), [("avx512", 4), ("avx2", 4), ("sse", 4), ("sse", 2), ("neon", 4), ("neon", 2)]
)
def test_each_target_equals_the_literal_form(
    name: str, k: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With groups of 2 or 4 channels, in vectors of 4 numbers and more: with and without shuffles.

    A supernet of one reduction cell is compared with the literal form, a normal cell with PyTorch.
    Compiled with -O1, in a third of the time: all other tests are of the default.
    """
    fast = tuple("-O1" if flag == "-O3" else flag for flag in build.FLAGS)
    monkeypatch.setattr(build, "FLAGS", fast)
    monkeypatch.setattr(build, "_surroundings", cache(build._surroundings.__wrapped__))
    monkeypatch.setenv(TARGET_VARIABLE, name)
    monkeypatch.setattr(torch, "get_default_dtype", lambda: DOUBLE)
    try:
        kernels.prepare_kernels([], DOUBLE)
    except (TargetError, build.BuildError) as error:
        pytest.skip(str(error))
    loaded: list[str] = []
    load = build.load_library

    def spy(source: str, macros: dict[str, str]) -> object:
        loaded.append(chosen_target().name)
        return load(source, macros)

    monkeypatch.setattr(build, "load_library", spy)
    kernels._library.cache_clear()
    twins = Twins(k=k, nodes=2, channels=4, layers=1, backend="native")
    assert twins.fused.cells[0].sources[0].fan_out.channels == 8 // k
    torch.testing.assert_close(*twins.step(), **TOLERANCE)
    for weight, ours, theirs in pairs(twins.fused, twins.literal, gradient):
        if ours.requires_grad:
            torch.testing.assert_close(gradient(ours), theirs, msg=weight, **TOLERANCE)
    for one, other in zip(*(made.parameters() for made in twins.architectures), strict=True):
        torch.testing.assert_close(gradient(one), gradient(other), **TOLERANCE)
    plain = search_cell(False, k)
    for one, other in zip(run(plain, NATIVE, (7, 5))[1], run(plain, TORCH, (7, 5))[1], strict=True):
        torch.testing.assert_close(one, other, **TOLERANCE)
    assert set(loaded) == {name}


def gradient(tensor: Tensor) -> Tensor:
    """Zeros for what the one kind of cell here does not read."""
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


def test_a_target_is_part_of_the_key_of_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "_features", lambda: frozenset().union(*_needs()))
    paths = set()
    for name in ("native", *TARGETS):
        monkeypatch.setenv(TARGET_VARIABLE, name)
        paths.add(build._path("preprocess.cpp", {"REAL": "float"}))
    assert len(paths) == 1 + len(TARGETS)


def _needs() -> list[frozenset[str]]:
    return [one.needs for one in TARGETS.values()]


@pytest.mark.parametrize(
    ("features", "vectors"),
    [
        ("fpu sse4_2 avx2 fma bmi2 avx512f avx512bw avx512cd avx512dq avx512vl", (16, 8)),
        ("fpu sse4_2 avx avx2 fma bmi2", (8,)),
        ("fpu sse4_2 avx", (4,)),
        ("fp asimd crc32", (4,)),
        ("", (4,)),
    ],
)
def test_a_processor_chooses_its_own_vectors(
    features: str, vectors: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(TARGET_VARIABLE, raising=False)
    monkeypatch.setattr(target, "_features", lambda: frozenset(features.split()))
    own = target._own_target.__wrapped__()
    assert (own.name, own.vectors, own.flags) == ("native", vectors, ("-march=native",))


def test_refuses_a_target_that_is_unknown_or_cannot_run_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path
) -> None:
    monkeypatch.setattr(target, "_features", lambda: TARGETS["avx2"].needs)
    monkeypatch.setenv(TARGET_VARIABLE, "avx512")
    with pytest.raises(TargetError, match="but this processor has no AVX-512"):
        chosen_target()
    monkeypatch.setenv(TARGET_VARIABLE, "avx3")
    with pytest.raises(TargetError, match="'avx3'; valid: native, avx512, avx2, sse, neon"):
        chosen_target()
    run_dir = tmp_path / "run"
    arguments = ["search", "--preset", "smoke", "--dataset", "digits", "--run-dir", str(run_dir)]
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: DARTS_NATIVE_TARGET is 'avx3'")
