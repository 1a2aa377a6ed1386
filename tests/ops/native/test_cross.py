"""The kernels compiled for 64-bit Arm and run in an emulator give the numbers of this processor.

Needs `aarch64-linux-gnu-g++` and `qemu-aarch64` (Debian: g++-aarch64-linux-gnu, qemu-user).
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ops.native import build
from ops.native.target import TARGETS, chosen_target

CROSS, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
DRIVER = Path(__file__).with_name("driver.cpp")


@pytest.mark.parametrize("group", [2, 4])
def test_arm_gives_the_numbers_of_this_processor(group: int, tmp_path: Path) -> None:
    for program in (CROSS, EMULATOR):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    ours = chosen_target()
    here = run(tmp_path, build._compiler(), (*ours.flags,), group, ours.vectors[-1], ())
    neon = TARGETS["neon"]
    there = run(tmp_path, CROSS, (*neon.flags, "-static"), group, neon.vectors[0], (EMULATOR,))
    assert len(here) == len(there) > 10_000
    for (name, value), (other, known) in zip(there, here, strict=True):
        assert name == other
        assert value == pytest.approx(known, rel=1e-9, abs=1e-9), name
    assert {"node", "state", "mixture", "passing", "weight", "running", "kernel"} <= dict(
        here
    ).keys()


def run(
    folder: Path,
    compiler: str,
    flags: tuple[str, ...],
    group: int,
    vector: int,
    runner: tuple[str, ...],
) -> list[tuple[str, float]]:
    """What the driver prints: names and numbers."""
    program = folder / Path(compiler).name
    fast = [flag for flag in build.FLAGS if flag not in ("-O3", "-fPIC")]
    macros = ["-DREAL=double", f"-DVECTOR={vector}", f"-DGROUP={group}"]
    sources = [str(DRIVER), str(build.SOURCES / "fan_out.cpp"), f"-I{build.SOURCES}"]
    command = [compiler, *fast, "-O1", *flags, *macros, *sources, "-o", str(program)]
    subprocess.run(command, check=True, capture_output=True)
    done = subprocess.run([*runner, str(program)], check=True, capture_output=True, text=True)
    lines = (line.split() for line in done.stdout.splitlines())
    return [(name, float(value)) for name, value in lines]
