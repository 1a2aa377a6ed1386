"""The processor that the native kernels are compiled for: its vectors, and the compiler's flags.

The environment variable DARTS_NATIVE_TARGET names one of `TARGETS`; by default the kernels are
compiled for the processor of this machine. target.h has the constants of the C++ side.
"""

from __future__ import annotations

import functools
import os
import platform
from dataclasses import dataclass
from pathlib import Path

TARGET_VARIABLE = "DARTS_NATIVE_TARGET"
NATIVE = "native"


class TargetError(ValueError):
    """The environment variable names an unknown target, or one that this processor cannot run."""


@dataclass(frozen=True)
class NativeTarget:
    """A class of processors.

    >>> TARGETS["avx2"].vectors
    (8,)

    Attributes:
        name: Its name in DARTS_NATIVE_TARGET.
        vectors: Lengths of its vectors, in numbers of 32 bits, the longest first.
        flags: The compiler's flags for it.
        needs: What /proc/cpuinfo must list.
        title: Its name in sentences.
    """

    name: str
    vectors: tuple[int, ...]
    flags: tuple[str, ...]
    needs: frozenset[str]
    title: str


TARGETS = {
    one.name: one
    for one in (
        NativeTarget(
            "avx512",
            (16, 8),
            ("-march=x86-64-v4",),
            frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}),
            "AVX-512",
        ),
        NativeTarget(
            "avx2", (8,), ("-march=x86-64-v3",), frozenset({"avx2", "fma", "bmi2"}), "AVX2 with FMA"
        ),
        NativeTarget("sse", (4,), ("-march=x86-64-v2",), frozenset({"sse4_2"}), "SSE 4.2"),
        NativeTarget("neon", (4,), ("-march=armv8-a",), frozenset({"asimd"}), "NEON of 64-bit Arm"),
    )
}


def chosen_target() -> NativeTarget:
    """The target that DARTS_NATIVE_TARGET names; this processor's own if it names none.

    Raises:
        TargetError: The target is unknown, or this processor cannot run it.
    """
    name = os.environ.get(TARGET_VARIABLE) or NATIVE
    if name == NATIVE:
        return _own_target()
    if name not in TARGETS:
        raise TargetError(f"{TARGET_VARIABLE} is {name!r}; valid: {', '.join((NATIVE, *TARGETS))}.")
    target = TARGETS[name]
    if not target.needs <= _features():
        raise TargetError(
            f"{TARGET_VARIABLE} is {name!r}, but this processor has no {target.title}. "
            f"Unset the variable to compile for this processor."
        )
    return target


def describe_target() -> str:
    """The target in words, such as "native (AVX2 with FMA)"; an unusable one by its bare name."""
    try:
        target = chosen_target()
    except TargetError:
        return os.environ[TARGET_VARIABLE]
    return f"{target.name} ({target.title})"


@functools.cache
def _own_target() -> NativeTarget:
    """The vectors of this processor; all its other instructions may be used, too."""
    has = _features()
    fitting = [one for one in TARGETS.values() if one.needs <= has]
    # Where nothing is known about the processor, short vectors run everywhere.
    vectors = fitting[0].vectors if fitting else (4,)
    title = fitting[0].title if fitting else "128-bit vectors"
    return NativeTarget(NATIVE, vectors, ("-march=native",), frozenset(), title)


@functools.cache
def _features() -> frozenset[str]:
    """What the processor can do, in the words of /proc/cpuinfo; empty if nothing is known."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith(("flags", "Features")):
            return frozenset(line.partition(":")[2].split())
    arm = platform.machine().lower() in ("arm64", "aarch64")
    return frozenset({"asimd"} if arm else ())
