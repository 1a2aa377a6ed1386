import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from darts.errors import UserError
from darts.system import device as devices
from darts.system.device import check_precision, dtype_of, precision_context, resolve_device

CPU = torch.device("cpu")


@pytest.fixture
def machine(monkeypatch):
    """Pretend that the machine has these accelerators."""

    def pretend(cuda=0, mps=False):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return pretend


@pytest.mark.parametrize(
    ("cuda", "mps", "name", "found"),
    [
        (0, False, "auto", "cpu"),
        (0, True, "auto", "mps"),
        (2, False, "auto", "cuda:0"),
        (2, False, "cuda", "cuda:0"),
        (2, False, "cuda:1", "cuda:1"),
        (2, False, "cpu", "cpu"),
    ],
)
def test_devices_by_name(machine, cuda, mps, name, found):
    machine(cuda, mps)
    assert resolve_device(name) == torch.device(found)


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "mps", "tpu", "", "cpu:1", "meta"])
def test_absent_devices_are_refused_with_those_present(machine, name):
    machine(cuda=0)
    with pytest.raises(UserError, match=rf"'{name}'.*: auto, cpu\."):
        resolve_device(name)


def test_refusal_lists_every_gpu(machine):
    machine(cuda=2)
    with pytest.raises(UserError, match="auto, cuda:0, cuda:1, cpu"):
        resolve_device("cuda:2")


def test_precision_that_the_device_lacks_is_refused(monkeypatch):
    for precision in ("fp32", "bf16", "fp64"):
        check_precision(precision, CPU)
    with pytest.raises(UserError, match="'fp16'; choose from: fp32, bf16, fp64"):
        check_precision("fp16", CPU)
    with pytest.raises(UserError, match="no fp64"):
        check_precision("fp64", torch.device("mps"))
    monkeypatch.setattr(devices, "_has_bf16", lambda device: False)
    with pytest.raises(UserError, match=r"cuda:0.* no bf16"):
        check_precision("bf16", torch.device("cuda:0"))


@pytest.mark.parametrize(
    ("precision", "weights", "activations"),
    [
        ("fp32", torch.float32, torch.float32),
        ("bf16", torch.float32, torch.bfloat16),
        ("fp64", torch.float64, torch.float64),
    ],
)
def test_number_formats(precision, weights, activations):
    layer = torch.nn.Linear(2, 2, dtype=dtype_of(precision))
    assert layer.weight.dtype == weights
    with precision_context(precision, CPU):
        assert layer(torch.ones(1, 2, dtype=dtype_of(precision))).dtype == activations


PEAK = """
import sys, torch
from darts.system import device
cpu = torch.device("cpu")
if sys.argv[1] == "getrusage":
    device._proc_values = lambda file, key: []
before = device.peak_memory(cpu)
torch.ones(300, 2**20, dtype=torch.uint8)
print(before, device.peak_memory(cpu) - before)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has neither /proc nor getrusage")
@pytest.mark.parametrize("source", ["/proc", "getrusage"])
def test_peak_memory_of_the_cpu_is_in_bytes(source):
    """Started by a small shell, because getrusage starts with the peak of the parent process."""
    command = [sys.executable, "-c", PEAK, source]
    shell = ["sh", "-c", '"$@"; exit $?', "sh", *command]
    done = subprocess.run(
        shell, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    before, rise = (int(number) / 2**20 for number in done.stdout.split())
    assert 20 < before < 2000
    assert 250 < rise < 350
    devices.synchronise(CPU)


def test_device_has_a_name():
    assert devices.device_name(CPU).strip()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda():
    gpu = resolve_device("cuda")
    assert resolve_device("auto") == gpu
    before = devices.peak_memory(gpu)
    block = torch.ones(before + 2**20, dtype=torch.uint8, device=gpu)
    devices.synchronise(gpu)
    assert devices.peak_memory(gpu) >= block.numel()
    assert devices.device_name(gpu)
    check_precision("fp64", gpu)


def test_freed_memory_is_kept_unless_the_user_has_chosen(monkeypatch):
    glibc = platform.libc_ver()[0] == "glibc"
    assert devices.keep_memory() is glibc
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    assert devices.keep_memory() is False
