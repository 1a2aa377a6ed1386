"""How many processors this process may use: its affinity, and the quota of its container.

`os.cpu_count()` counts the processors of the machine. A container that is limited to 2 of 64
would start 64 threads, which the kernel stops for most of each period. Documentation of the
quotas: Linux, Documentation/admin-guide/cgroup-v2.rst (`cpu.max`) and
Documentation/scheduler/sched-bwc.rst (`cpu.cfs_quota_us`, `cpu.cfs_period_us`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def usable_cores(root: Path | str = "/") -> int:
    """The number of processors this process may use, at least 1.

    The smaller of the processors of its affinity (`taskset`, job schedulers) and of the quota of
    its control group, rounded up.

    >>> usable_cores() >= 1
    True

    Args:
        root: Where `proc` and `sys` are; tests have their own.
    """
    affine = affine_cores()
    quota = quota_of_group(Path(root))
    # Half a processor still needs one thread; 2.5 of them are best used by three.
    return affine if quota is None else max(1, min(affine, math.ceil(quota)))


def affine_cores() -> int:
    """The number of processors in the affinity of this process."""
    # Before Python 3.13, os.cpu_count ignores taskset and containers.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def quota_of_group(root: Path) -> float | None:
    """Processors that the control groups of this process allow; None without a limit.

    A group cannot use more than the groups that contain it, so the smallest quota counts.
    """
    limits = [
        limit
        for folder in _group_folders(root)
        if (limit := _version_2(folder) or _version_1(folder)) is not None
    ]
    return min(limits, default=None)


def _group_folders(root: Path) -> Iterator[Path]:
    """The folders of this process's CPU group and of the groups around it."""
    mounted = root / "sys/fs/cgroup"
    for line in _lines(root / "proc/self/cgroup"):
        # `hierarchy:controllers:path`; version 2 has hierarchy 0 and lists no controllers.
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            bases = [mounted, mounted / "unified"]
        elif "cpu" in controllers.split(","):
            bases = [mounted / controllers, mounted / "cpu"]
        else:
            continue
        # A path with `..` is outside of what is mounted here; its limits are not to be seen.
        inside = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
        for base in bases:
            for depth in range(len(inside), -1, -1):
                yield base.joinpath(*inside[:depth])


def _version_2(folder: Path) -> float | None:
    """The limit of `cpu.max`, which has the quota and the period in microseconds."""
    words = " ".join(_lines(folder / "cpu.max")).split()
    return _share(*words) if len(words) == 2 else None


def _version_1(folder: Path) -> float | None:
    quota, period = (
        " ".join(_lines(folder / f"cpu.cfs_{name}_us")) for name in ("quota", "period")
    )
    return _share(quota, period)


def _share(quota: str, period: str) -> float | None:
    """Quota divided by period; None without a limit (`max` or -1)."""
    try:
        share = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return share if share > 0 else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
