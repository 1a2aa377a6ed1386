"""The check of back ends passes right kernels and catches planted errors, in every precision."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
import torch
from torch import Tensor

import ops.native.cell
from cells.torch_engine import TorchEngine
from darts.searching import backend_check
from darts.searching.backend_check import (
    ARCHITECTURE,
    CPU_IMAGES,
    LOSSES,
    STATISTICS,
    WEIGHTS,
    CheckResult,
    check_backend,
)
from darts.searching.deviations import Deviation, deviations
from darts.searching.probe import SearchSetting
from darts.searching.settling import Settled, checked
from tests.darts.searching.settings import tiny_setting

PRECISIONS = ("fp32", "fp64", "bf16")
KINDS = {LOSSES, ARCHITECTURE, WEIGHTS, STATISTICS}


@pytest.mark.parametrize(
    ("precision", "settings"),
    [("fp32", {"k": 2, "sampling": "random"}), ("fp64", {}), ("fp32", {"relaxation": "gumbel"})],
)
def test_the_native_kernels_pass(precision: str, settings: dict[str, object]) -> None:
    result = check_backend(tiny_setting(precision=precision, **settings), "native")
    assert result.passed, result.reason
    assert {one.kind for one in result.deviations} == KINDS
    assert result.images == CPU_IMAGES


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_triton_kernels_pass_in_the_interpreter(precision: str) -> None:
    pytest.importorskip("triton")
    setting = tiny_setting(precision=precision, nodes=1, layers=1, channels=2, image_size=4)
    result = check_backend(setting, "triton", images=4)
    assert result.passed, result.reason


class Scaled(torch.autograd.Function):
    """The identity, with a gradient that is a little too large."""

    @staticmethod
    def forward(ctx: object, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor  # type: ignore[attr-defined]
        return x.clone()

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        return gradient * ctx.factor, None  # type: ignore[attr-defined]


class Wrong(TorchEngine):
    """PyTorch with one error in each cell."""

    def __init__(self, *, gradient: float = 1.0, output: float = 1.0, statistics: float = 1.0):
        super().__init__(after_relu=True)
        self.gradient, self.output, self.statistics = gradient, output, statistics

    def evaluate(self, cell, before_previous, previous, weights):  # type: ignore[no-untyped-def]
        weights = weights._replace(operations=Scaled.apply(weights.operations, self.gradient))
        found = super().evaluate(cell, before_previous, previous, weights)
        for name, buffer in cell.named_buffers():
            if name.endswith("running_var"):
                buffer.data.mul_(self.statistics)  # As a kernel would: autograd does not see it.
        return found * self.output if self.output != 1 else found


# What must be caught: errors that a run in this precision could not hide.
SMALLEST = {"fp64": 1e-6, "fp32": 1e-3, "bf16": 1.0}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    ("error", "kind"),
    [("gradient", ARCHITECTURE), ("statistics", STATISTICS), ("output", LOSSES), ("", "")],
)
def test_planted_errors_are_caught(
    precision: str, error: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = {error: 1 + SMALLEST[precision]} if error else {}
    engines = {"native": Wrong(**planted), "torch": TorchEngine(after_relu=True)}
    monkeypatch.setattr(backend_check, "create_engine", engines.__getitem__)
    result = check_backend(tiny_setting(precision=precision, nodes=1), "native")
    wrong = {one.kind for one in result.deviations if one.wrong}
    assert (kind in wrong) if error else result.passed, result.reason


def test_a_wrong_gradient_of_the_native_kernels_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """One number in a thousand of one tensor: a gradient of the weights, not the losses."""
    backward = ops.native.cell._Cell.backward

    def wrong(ctx: object, *gradients: Tensor) -> tuple[object, ...]:
        given = list(backward(ctx, *gradients))
        last = max(i for i, one in enumerate(given) if torch.is_tensor(one))
        given[last] = given[last] * 1.001
        return tuple(given)

    monkeypatch.setattr(ops.native.cell._Cell, "backward", staticmethod(wrong))
    result = check_backend(tiny_setting(nodes=1), "native")
    assert not result.passed
    assert {one.kind for one in result.deviations if one.wrong} <= {ARCHITECTURE, WEIGHTS}


def test_not_a_number_is_wrong() -> None:
    right = {"loss": {"": torch.tensor(1.0)}}
    [one] = deviations({"loss": {"": torch.tensor(float("nan"))}}, right, [right], 1.0)
    assert one.wrong
    [one] = deviations(right, right, [right], 0.0)
    assert not one.wrong


def test_what_is_allowed_follows_the_plain_engine() -> None:
    """Four times 0.01 for the noise, and 0.001 · (2 + 2) for the norm."""

    def of(value: float) -> dict[str, dict[str, Tensor]]:
        return {"x": {"a": torch.tensor([value])}}

    [one] = deviations(of(2.1), of(2.0), [of(2.01), of(1.995)], 1e-3)
    assert one.found == pytest.approx(0.05)
    assert one.allowed == pytest.approx((4 * 0.01 + 0.001 * 4) / 2, rel=1e-4)


def test_a_back_end_that_raises_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("an illegal memory access\nand more")

    monkeypatch.setattr(backend_check, "_compare", broken)
    result = check_backend(tiny_setting(), "native")
    assert result.reason == "it fails: RuntimeError: an illegal memory access"


def test_half_of_the_images_are_tried_where_memory_is_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    def compare(setting: SearchSetting, backend: str, images: int) -> list[Deviation]:
        tried.append(images)
        if images > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return []

    monkeypatch.setattr(backend_check, "_compare", compare)
    assert check_backend(tiny_setting(), "native").images == 2
    assert tried == [8, 4, 2]


def result(what: str, found: float) -> CheckResult:
    return CheckResult(what, "cuda:0", "fp32", 8, (Deviation(WEIGHTS, "stem", found, 1e-5),), 0.1)


@pytest.mark.parametrize("wrong", ["back end", "graph", "nothing"])
def test_what_is_wrong_is_off_with_one_line(
    wrong: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On a stand-in for CUDA; the checks are given."""
    monkeypatch.setattr("darts.searching.settling.choose_backend", lambda name, *_: "triton")
    monkeypatch.setattr("darts.searching.settling.wants_graphs", lambda *_: True)
    setting = tiny_setting()
    setting = replace(setting, device=torch.device("cuda", 0))
    found = {name: 0.5 if wrong == name else 1e-7 for name in ("back end", "graph")}
    with caplog.at_level(logging.WARNING):
        settled = checked(
            setting,
            Settled(setting.options),
            backend_check=lambda *_: result("triton", found["back end"]),
            graph_check=lambda *_: result("recorded iteration", found["graph"]),
        )
    assert settled.options.backend == ("torch" if wrong == "back end" else "triton")
    assert settled.options.cuda_graphs == ("never" if wrong == "graph" else "auto")
    assert [one["passed"] for one in settled.as_dict()["checks"]] == [
        wrong != "back end",
        wrong != "graph",
    ]
    if wrong == "nothing":
        assert not caplog.records
        return
    [record] = caplog.records
    said = record.getMessage()
    assert "gradient of the weights (stem) by 5.0e-01, at most 1.0e-05 was expected" in said
    assert "python -m darts backends --check --json" in said
