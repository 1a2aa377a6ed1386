"""Processors, memory and devices: what this process may use of them, and whether they work."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from darts.checkup.finding import Finding
from darts.system.cores import affine_cores, quota_of_group, usable_cores
from darts.system.load import busy_delay

if TYPE_CHECKING:
    import torch

_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "DARTS_BACKEND",
    "DARTS_DATA",
    "DARTS_NATIVE_TARGET",
)
_SIDE = 1024
_SHARED = 1.3
"""From this many seconds for a second of work, other programs take part of the processor."""


def processors() -> Iterator[Finding]:
    """Processors that this process may use, and whether it has them to itself."""
    quota = quota_of_group(Path("/"))
    limit = "no quota" if quota is None else f"a quota of {quota:g}"
    yield Finding(
        what="processors",
        value=f"{usable_cores()} usable: {os.cpu_count()} in the machine, {affine_cores()} in the "
        f"affinity of this process, {limit} of the container",
    )
    import torch

    yield Finding(what="threads", value=f"{torch.get_num_threads()} by torch's default")
    given = [f"{name}={os.environ[name]}" for name in _VARIABLES if name in os.environ]
    if given:
        yield Finding(what="environment", value=", ".join(given))
    delay = busy_delay(0.2)
    if delay > _SHARED:
        yield Finding(
            what="load",
            value=f"a second of work takes {delay:.1f} s: other programs are running",
            state="note",
            remedy="measure nothing now; runs take longer by this factor",
        )


def memory() -> Iterator[Finding]:
    """Memory that is free, and the limit of the container."""
    if not (table := Path("/proc/meminfo")).is_file():
        return  # Only Linux has it.
    lines = table.read_text(encoding="utf-8").splitlines()
    sizes = {
        name: int(rest.split()[0]) * 1024 for name, _, rest in (x.partition(":") for x in lines)
    }
    value = f"{_gib(sizes['MemAvailable'])} free of {_gib(sizes['MemTotal'])}"
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text(encoding="utf-8").strip() if limit.is_file() else "max"
    if text.isdigit():
        value += f"; the container may use {_gib(int(text))}"
    yield Finding(what="memory", value=value)


def devices() -> Iterator[Finding]:
    """Each device, after a multiplication and a convolution on it were compared with the CPU's."""
    import torch

    from darts.system.device import available_devices, check_precision, device_name

    names = available_devices()
    if names == ["cpu"] and shutil.which("nvidia-smi") is not None:
        yield Finding(
            what="GPU",
            value=f"there is an NVIDIA driver, but torch {torch.__version__} cannot use it",
            state="missing",
            remedy="install torch for your CUDA: https://pytorch.org/get-started/locally",
        )
    for name in names:
        device = torch.device(name)
        value = device_name(device)
        if device.type == "cuda":
            free, total = torch.cuda.mem_get_info(device)
            value += f", {_gib(free)} free of {_gib(total)}"
        speed, wrong = _try_device(device)
        value += f", {speed / 1e9:,.0f} billion multiply-adds a second in fp32"
        try:
            check_precision("bf16", device)
            value += ", has bf16"
        except Exception:
            value += ", no bf16"
        if wrong:
            yield Finding(
                what=name,
                value=f"{value}; {wrong}",
                state="failed",
                remedy="update the driver and torch, or use --device cpu",
            )
        else:
            yield Finding(what=name, value=f"{value}; computes as expected")


def _try_device(device: torch.device) -> tuple[float, str]:
    """Multiply-adds per second of a large product, and what is wrong with a convolution."""
    import torch
    from torch.nn import functional

    from darts.system.device import synchronise

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, 9, 9, generator=generator, requires_grad=True)
    w = torch.randn(8, 4, 3, 3, generator=generator, requires_grad=True)
    expected = torch.autograd.grad(functional.conv2d(x, w, padding=1).square().sum(), (x, w))
    y = functional.conv2d(x.to(device), w.to(device), padding=1).square().sum()
    found = torch.autograd.grad(y, (x, w))
    same = all(
        torch.allclose(one.cpu(), other, rtol=1e-2, atol=1e-2)
        for one, other in zip(found, expected, strict=True)
    )
    a = torch.randn(_SIDE, _SIDE, device=device)
    fastest = float("inf")
    for _ in range(4):
        synchronise(device)
        begun = time.perf_counter()
        a @ a
        synchronise(device)
        fastest = min(fastest, time.perf_counter() - begun)
    return _SIDE**3 / fastest, "" if same else "a convolution differs from the CPU's"


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
