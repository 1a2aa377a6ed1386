"""Processors of a process: affinity, and quotas in made-up control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from darts.system import cores
from darts.system.cores import quota_of_group, usable_cores

V1 = "12:cpuset:/ignored\n4:cpu,cpuacct:/docker/a1\n1:name=systemd:/docker/a1\n"


def machine(root: Path, membership: str, files: dict[str, str]) -> Path:
    """A folder with `proc/self/cgroup` and files of `sys/fs/cgroup`."""
    for name, content in {"proc/self/cgroup": membership, **files}.items():
        path = root / (name if name.startswith("proc") else f"sys/fs/cgroup/{name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def v1(folder: str, quota: int, period: int = 100000) -> dict[str, str]:
    return {
        f"{folder}/cpu.cfs_quota_us": f"{quota}\n",
        f"{folder}/cpu.cfs_period_us": f"{period}\n",
    }


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        # Version 2, as a container sees it, and a service inside nested groups.
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "200000 50000"}, 4.0),
        ("0::/a/b\n", {"a/b/cpu.max": "300000 100000", "a/cpu.max": "200000 100000"}, 2.0),
        ("0::/a:b\n", {"a:b/cpu.max": "200000 100000"}, 2.0),
        # The group of another process, and one outside of what is mounted.
        ("0::/a\n", {"b/cpu.max": "100000 100000"}, None),
        ("0::/../other\n", {"cpu.max": "100000 100000"}, 1.0),
        # Version 1 and both versions side by side.
        (V1, v1("cpu,cpuacct/docker/a1", 250000), 2.5),
        (V1, v1("cpu/docker/a1", -1), None),
        (V1, v1("cpu/docker/a1", -1) | v1("cpu/docker", 600000, 200000), 3.0),
        (V1, v1("cpu", 100000), 1.0),
        ("0::/x\n" + V1, {"unified/x/cpu.max": "max 100000", **v1("cpu", 200000)}, 2.0),
        # Files that say nothing.
        ("0::/\n", {"cpu.max": "?"}, None),
        ("0::/\n", {"cpu.max": "100000 0"}, None),
        ("", {"cpu.max": "100000 100000"}, None),
    ],
)
def test_quota(
    membership: str, files: dict[str, str], expected: float | None, tmp_path: Path
) -> None:
    assert quota_of_group(machine(tmp_path, membership, files)) == expected


@pytest.mark.parametrize(("quota", "expected"), [("0.5", 1), ("1.5", 2), ("3", 3), ("64", 4)])
def test_cores_are_the_smaller_of_affinity_and_quota(
    quota: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "affine_cores", lambda: 4)
    limit = f"{int(float(quota) * 100000)} 100000"
    assert usable_cores(machine(tmp_path, "0::/\n", {"cpu.max": limit})) == expected


def test_without_groups_the_affinity_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cores, "affine_cores", lambda: 3)
    assert usable_cores(tmp_path) == 3


def test_affinity_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {1, 5}, raising=False)
    assert cores.affine_cores() == 2
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert cores.affine_cores() == 1
