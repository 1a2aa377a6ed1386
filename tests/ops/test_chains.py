"""When chains run in the native kernels, and that networks compute the same with and without."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn

import ops.primitives
from darts.models.anynet.regnet import RegNet
from darts.models.registry import create_network
from ops import chains
from ops.backends import VARIABLE, BackendError
from ops.chains import prepare_chains, run_chain
from ops.native import build
from ops.native.pool import run_pool
from ops.primitives import DilatedConv, FactorizedReduce, ReluConvBn
from ops.sync_norm import synchronise_norms

DOUBLE = torch.float64
LAST = torch.channels_last


@pytest.fixture(autouse=True)
def automatic(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(VARIABLE, raising=False)
    chains._prepared.cache_clear()
    yield
    chains._prepared.cache_clear()


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the chains that run natively."""
    lengths: list[int] = []

    def run(stages, *arguments, **options):
        lengths.append(len(stages))
        return run_chain(stages, *arguments, **options)

    monkeypatch.setattr(chains, "run_chain", run)
    return lengths


def images(channels: int = 4, side: int = 4) -> Tensor:
    return torch.randn(3, channels, side, side).contiguous(memory_format=LAST)


def test_training_in_channels_last_takes_the_kernels(taken: list[int]) -> None:
    ReluConvBn(4, 6, affine=True)(images())
    ops.primitives.SeparableConv(4, 3, 1, affine=True)(images())
    assert taken == [1, 2]


def test_pooling_takes_the_kernels_in_a_derived_network_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = images()
    sums: list[Tensor] = []

    def run(x: Tensor, **options) -> Tensor:
        sums.append(x)
        return run_pool(x, **options)

    monkeypatch.setattr(ops.primitives, "run_pool", run)
    pool = ops.primitives.Pool("avg", 4, 1, normalised=False)
    pool(x)
    assert len(sums) == 1
    ops.primitives.Pool("max", 4, 2, normalised=True)(x)
    pool(x.contiguous())
    with torch.no_grad():
        pool(x)
    pool.pool.register_forward_hook(lambda *_: None)
    pool(x)
    assert len(sums) == 1


def _eval(module: nn.Module, x: Tensor) -> None:
    module.eval()(x)


def _no_gradient(module: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        module(x)


def _contiguous(module: nn.Module, x: Tensor) -> None:
    module(x.contiguous())


def _autocast(module: nn.Module, x: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        module(x)


def _transform(module: nn.Module, x: Tensor) -> None:
    def loss(y: Tensor, state: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(module, state, (y,)).sum()

    state = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    torch.func.grad(loss)(x, state)


def _hooked(module: nn.Module, x: Tensor) -> None:
    seen = []
    module.norm.register_forward_hook(lambda *_: seen.append(1))
    module(x)
    assert seen


def _frozen_norm(module: nn.Module, x: Tensor) -> None:
    module.norm.eval()
    module(x)


def _synchronised(module: nn.Module, x: Tensor) -> None:
    synchronise_norms(module)
    module.norm.eval()(x)
    module.norm.train()
    with pytest.raises(ValueError, match="process group"):
        module(x)


def _half(module: nn.Module, x: Tensor) -> None:
    module.bfloat16()(x.bfloat16())


def _single_image(module: nn.Module, x: Tensor) -> None:
    module(x[:1])


def _traced(module: nn.Module, x: Tensor) -> None:
    torch.jit.trace(module, x, check_trace=False)


def _exported(module: nn.Module, x: Tensor) -> None:
    torch.export.export(module, (x,))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "use",
    [
        _eval, _no_gradient, _contiguous, _autocast, _transform, _hooked, _frozen_norm,
        _synchronised, _half, _single_image, _traced, _exported,
    ],
)  # fmt: skip
def test_everything_else_runs_in_pytorch(
    taken: list[int], use: Callable[[nn.Module, Tensor], None]
) -> None:
    use(DilatedConv(4, 3, 1, affine=True), images())
    assert not taken


def test_batch_norms_without_scale_run_in_pytorch(taken: list[int]) -> None:
    ReluConvBn(4, 4, affine=False)(images())  # as in a supernet
    assert not taken


def test_the_variable_switches_the_kernels_off(
    taken: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = FactorizedReduce(4, 4, affine=True)
    monkeypatch.setenv(VARIABLE, "torch")
    module(images())
    assert not taken
    monkeypatch.setenv(VARIABLE, "native")
    module(images())
    assert taken == [1]
    monkeypatch.setenv(VARIABLE, "tourch")
    with pytest.raises(BackendError, match="DARTS_BACKEND is 'tourch'; valid"):
        module(images())


def test_without_a_compiler_networks_train_in_pytorch(
    taken: list[int], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(dtype: torch.dtype) -> None:
        raise build.BuildError("There is no C++ compiler (c++).")

    monkeypatch.setattr(chains, "load", fail)
    module = ReluConvBn(4, 6, affine=True)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            module(images())
    assert not taken
    assert [record.message for record in caplog.records] == [
        "Networks train in PyTorch, without native kernels: There is no C++ compiler (c++)."
    ]
    monkeypatch.setenv(VARIABLE, "native")
    with pytest.raises(BackendError, match="does not work here: There is no C\\+\\+ compiler"):
        prepare_chains(torch.float32)


def _derived() -> nn.Module:
    return create_network(
        "pcdarts_cifar10", channels=4, layers=3, stem="cifar", auxiliary=True,
        generator=torch.Generator().manual_seed(0),
    )  # fmt: skip


def _regnet() -> nn.Module:
    config = RegNet(depth=4, w0=8, wa=8.0, wm=2.0, group_width=8).config(stem="cifar")
    return create_network(config, num_classes=10, generator=torch.Generator().manual_seed(0))


def _regnety() -> nn.Module:
    config = RegNet(depth=3, w0=8, wa=8.0, wm=2.0, group_width=4, se_ratio=0.25)
    return create_network(
        config.config(stem="cifar"), num_classes=10, generator=torch.Generator().manual_seed(0)
    )


@pytest.mark.parametrize("make", [_derived, _regnet, _regnety])
def test_networks_train_equally(
    make: Callable[[], nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses, gradients and buffers, with drop path and an auxiliary head."""
    network = make().to(DOUBLE).to(memory_format=LAST)
    x = torch.randn(4, 3, 32, 32, dtype=DOUBLE).contiguous(memory_format=LAST)
    results = []
    for backend in ("native", "torch"):
        monkeypatch.setenv(VARIABLE, backend)
        trained = copy.deepcopy(network).train()
        outputs = [
            output
            for output in trained(x, 0.3, torch.Generator().manual_seed(1))
            if output is not None
        ]
        sum(output.square().sum() for output in outputs).backward()
        gradients = [parameter.grad for parameter in trained.parameters()]
        results.append([*outputs, *gradients, *trained.buffers()])
    for ours, theirs in zip(*results, strict=True):
        scale = max(1.0, theirs.abs().max().item())
        torch.testing.assert_close(ours / scale, theirs / scale, rtol=1e-9, atol=1e-9)
