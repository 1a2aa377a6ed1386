"""Devices and number formats."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor

from darts.errors import UserError

# Under autocast the weights, their gradients and the images stay in float32.
_DTYPES = {"fp32": torch.float32, "bf16": torch.float32, "fp64": torch.float64}


def available_devices() -> list[str]:
    """Names of the devices of this machine, the fastest first."""
    devices = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    if torch.backends.mps.is_available():
        devices.append("mps")
    return [*devices, "cpu"]


def resolve_device(name: str, number: int = 0) -> torch.device:
    """The device `name`: cpu, cuda, cuda:N, mps, or auto for the fastest one of this machine.

    >>> resolve_device("cpu")
    device(type='cpu')

    Args:
        name: Name of the device.
        number: Number of the CUDA device if `name` does not say it: one for each process.

    Raises:
        UserError: The device is unknown or missing; the message lists the available ones.
    """
    present = available_devices()
    best = f"cuda:{number}" if present[0].startswith("cuda") else present[0]
    wanted = {"auto": best, "cuda": f"cuda:{number}"}.get(name, name)
    if wanted not in present:
        # One of several processes names the device that it would have needed.
        missing = wanted if number else name
        raise UserError(
            f"There is no device {missing!r} here; choose from: auto, {', '.join(present)}."
        )
    return torch.device(wanted)


def check_precision(precision: str, device: torch.device) -> None:
    """Check that `device` can compute in a number format.

    Raises:
        UserError: The format is unknown, or the device does not support it.
    """
    if precision not in _DTYPES:
        raise UserError(f"Unknown precision {precision!r}; choose from: {', '.join(_DTYPES)}.")
    if precision == "fp64" and device.type == "mps":
        raise UserError("This device (mps) has no fp64; use --precision fp32 or --device cpu.")
    if precision == "bf16" and not _has_bf16(device):
        raise UserError(f"This device ({device}) has no bf16; use --precision fp32.")


def _has_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "mps":
        try:
            torch.zeros(1, dtype=torch.bfloat16, device=device)
        except (RuntimeError, TypeError):
            return False
    return True


def dtype_of(precision: str) -> torch.dtype:
    """Number format of weights and images: float64 for fp64, float32 for fp32 and bf16.

    >>> dtype_of("bf16")
    torch.float32
    """
    return _DTYPES[precision]


def precision_context(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Context of a forward pass: autocast for bf16, otherwise empty."""
    if precision == "bf16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return contextlib.nullcontext()


def keep_memory() -> bool:
    """Tell glibc to keep freed memory (no trim, no mmap below 1 GiB). Returns whether it could.

    Otherwise the memory of a step goes back to the system, which clears every page of it for the
    next step: up to a fifth of a step on two cores. Settings of the user
    (MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_) have priority.
    """
    if any(f"MALLOC_{name}_THRESHOLD_" in os.environ for name in ("TRIM", "MMAP")):
        return False
    try:
        libc = ctypes.CDLL("libc.so.6")
        # M_TRIM_THRESHOLD: never; M_MMAP_THRESHOLD: from 1 GiB.
        return bool(libc.mallopt(-1, -1)) and bool(libc.mallopt(-3, 2**30))
    except (OSError, AttributeError):
        return False


def synchronise(device: torch.device) -> None:
    """Wait until `device` has finished all work, which timings need."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def all_finite(tensors: Iterable[Tensor]) -> bool:
    """Whether all numbers of tensors on one device are finite; waits for the device only once."""
    return bool(torch.stack([tensor.isfinite().all() for tensor in tensors]).all())


def peak_memory(device: torch.device) -> int:
    """Peak memory in bytes: of the tensors on CUDA, of the whole process on a CPU.

    MPS keeps no peak, so the present amount is returned.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    return _process_peak()


def forget_trial(device: torch.device) -> None:
    """Give the memory of throw-away tensors back to a GPU, and forget their peak."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def _process_peak() -> int:
    # Preferred: on Linux, getrusage starts with the peak of the parent process.
    mark = _proc_values("/proc/self/status", "VmHWM")
    if mark:
        return int(mark[0].split()[0]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def device_name(device: torch.device) -> str:
    """The manufacturer's name of the device, for tables of measurements."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    models = _proc_values("/proc/cpuinfo", "model name")
    return models[0] if models else platform.processor() or platform.machine()


def _proc_values(file: str, key: str) -> list[str]:
    try:
        lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [line.partition(":")[2].strip() for line in lines if line.startswith(key)]
