"""A check-up answers whatever is broken, and says how to get what is missing."""

from __future__ import annotations

import importlib.metadata
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from darts.checkup import checkup, engines, software, stores
from darts.checkup.checkup import PARTS, check_machine
from darts.checkup.finding import Finding, run_part
from darts.cli import main
from ops.native import build


def broken() -> Iterator[Finding]:
    yield Finding(what="before", value="is kept")
    raise SystemError("the driver is gone")


def test_a_part_that_fails_is_a_finding_and_keeps_what_it_found() -> None:
    first, second = run_part("part", broken, 10.0)
    assert (first.what, second.what) == ("before", "part")
    assert (second.value, second.state) == ("SystemError: the driver is gone", "failed")


def test_a_part_that_hangs_is_given_up() -> None:
    release = threading.Event()

    def hangs() -> list[Finding]:
        release.wait(30)
        return []

    (found,) = run_part("drive", hangs, 0.05)
    release.set()
    assert (found.value, found.state) == ("no answer within 0 s", "failed")


def test_the_command_exits_well_though_everything_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(checkup.check_machine, "__defaults__", ({"part": broken},))
    assert main(["doctor"]) == 0
    assert "Does not work (!): part." in capsys.readouterr().out
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parts"]["part"][1]["state"] == "failed"


def test_the_quick_parts_work_here_and_name_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    parts = {name: part for name, part in PARTS.items() if name != "back ends"}
    found = check_machine(parts)
    assert list(found.parts) == list(parts)
    assert not [one for part in found.parts.values() for one in part if one.state == "failed"]
    text = found.text()
    assert str(Path.home()) + "/" not in text
    assert max(map(len, text.splitlines())) <= 80 or "http" in text
    assert json.loads(json.dumps(found.as_dict()))


def test_a_missing_and_an_old_library_have_their_command(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = ["nothing-of-this-name>=2", "numpy>=999", "onnx-of-old; extra == 'export'"]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: wanted)
    found = {one.what: one for one in software.versions()}
    assert found["nothing-of-this-name"].remedy == "pip install 'nothing-of-this-name>=2'"
    assert "999 is needed" in found["numpy"].value
    assert found["numpy"].state == "failed"
    assert found["export"].state == "missing"
    assert found["export"].remedy == "pip install onnx-of-old"


def test_without_a_compiler_there_is_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> tuple[str, str]:
        raise build.BuildError("There is no C++ compiler.")

    monkeypatch.setattr(build, "compiler", none)
    first = next(iter(software.programs()))
    assert first.state == "missing"
    assert "g++" in first.remedy


def test_kernels_are_not_compiled_for_a_check_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("DARTS_BACKEND", raising=False)
    (found,) = engines.back_ends()
    assert found.state == "note"
    assert "python -m darts backends" in found.remedy
    assert not list(tmp_path.rglob("*.so"))


def test_caches_and_a_folder_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "darts" / "native"
    folder.mkdir(parents=True)
    (folder / "one.so").write_bytes(bytes(2**20))
    found = {one.what: one.value for one in stores.caches()}
    assert found["compiled kernels"].startswith("1 files, 1 MiB")
    assert found["measured back ends"] == "none"
    monkeypatch.setattr(stores.os, "access", lambda place, mode: False)
    runs = next(iter(stores.disks()))
    assert (runs.state, runs.remedy) == ("failed", "give --run-dir DIR")
