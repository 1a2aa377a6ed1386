"""The command `backends`: its table, its JSON, its checks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import darts.searching.backend_table as module
from darts.cli import main
from darts.searching.measuring import Measurement

FLAGS = ["--preset", "smoke", "--dataset", "digits", "--nodes", "1", "--channels", "4", "--k", "1"]
FLAGS += ["--device", "cpu", "--threads", "1"]


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Times that are given instead of taken; the native kernels count as working."""
    calls: list[int] = []

    def measure(*_: object, missing: dict[str, str], **__: object) -> Measurement:
        calls.append(1)
        return Measurement("native", {"native": 0.5, "torch": 1.0}, 4, 3, 3, missing)

    reasons = {"triton": "no GPU", "native": None, "torch": None}
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "missing_backends", lambda *_: reasons)
    monkeypatch.setattr(module, "measure_backends", measure)
    return calls


def test_the_table_is_measured_once_and_then_read(
    measured: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        assert main(["backends", *FLAGS]) == 0
    assert len(measured) == 1
    shown = capsys.readouterr().out
    assert ["native", "0.5", "chosen", "works", "here"] in [s.split() for s in shown.splitlines()]
    assert "triton" in shown
    assert "no GPU" in shown
    assert main(["backends", *FLAGS, "--again"]) == 0
    assert len(measured) == 2


def test_json_has_everything_and_images_need_not_be_here(
    measured: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backends", *FLAGS, "--dataset", "cifar100", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert table["chosen"] == "native"
    assert table["measured"]["seconds"] == {"native": 0.5, "torch": 1.0}
    assert table["backends"]["triton"] == {"works": False, "reason": "no GPU"}
    assert Path(table["kept"]).is_file()
    assert table["image_size"] == 32
    assert table["checks"] == []


def test_check_compares_the_native_kernels(
    measured: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")  # Where the native kernels are kept.
    assert main(["backends", *FLAGS, "--check"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("right") == 4
    assert "All checks passed." in shown


def test_wrong_options_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backends", "--chanels", "4"]) == 2
    assert "chanels" in capsys.readouterr().err
