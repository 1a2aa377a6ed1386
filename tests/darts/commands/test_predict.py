"""`predict`: folders and patterns, a table, CSV and JSON, and an ONNX file instead of the run."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from darts import api
from darts.cli import main
from darts.errors import UserError
from darts.models.anynet.config import AnyNetConfig, Stage
from darts.training.onnx_predictor import load_onnx
from darts.training.predict import load_trained
from darts.training.predict import predict as predict_one
from darts.training.task import train_network
from tests.darts.runs_support import training_options


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("predict") / "run"
    options = training_options(path, epochs=1, train_images=40, genotype=None)
    stage = Stage(depth=1, width=8, group_width=4)
    train_network(options, AnyNetConfig(stages=(stage,), stem="cifar", stem_width=8))
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five images, one of them in a folder, a damaged one, and files that are none."""
    path, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    (path / "deeper").mkdir()
    for name in ("a.png", "b.png", "c.jpg", "deeper/d.png", "e, f.png"):
        pixels = random.integers(0, 256, (12, 20, 3), np.uint8)
        Image.fromarray(pixels).save(path / name)
    (path / "broken.jpg").write_bytes(b"\xff\xd8\xff no image")
    (path / "notes.txt").write_text("none")
    (path / ".hidden.png").write_bytes(b"none")
    return path


def predicted(arguments: list[Any], capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    assert main(["predict", *map(str, arguments)]) == 0
    said = capsys.readouterr()
    return said.out, said.err


def test_a_folder_as_json_equals_single_files(
    run: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [photos, "--checkpoint", run, "--json", "--top-k", 3, "--batch-size", 2]
    out, err = predicted(arguments, capsys)
    found = json.loads(out)
    names = ["a.png", "b.png", "c.jpg", "deeper/d.png", "e, f.png"]
    assert [entry["image"] for entry in found["images"]] == [str(photos / name) for name in names]
    assert [entry["image"] for entry in found["unreadable"]] == [str(photos / "broken.jpg")]
    assert "1 of 6 files could not be read as images:" in err
    assert "Left out 1 file that is no image" in err
    trained = load_trained(run, torch.device("cpu"))
    for entry in found["images"]:
        expected = predict_one(trained, entry["image"], 3)
        assert [one["class"] for one in entry["best"]] == [name for name, _ in expected]
        for one, (_, value) in zip(entry["best"], expected, strict=True):
            assert one["probability"] == pytest.approx(value, abs=1e-6)


def test_csv_has_a_line_for_each_file(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pattern = photos / "*.*g"
    out, _ = predicted([pattern, "--checkpoint", run, "--csv", "--top-k", 2], capsys)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == ["image", "class", "probability", "class_2", "probability_2", "error"]
    assert [Path(row["image"]).name for row in rows] == [
        "a.png",
        "b.png",
        "broken.jpg",
        "c.jpg",
        "e, f.png",
    ]
    assert "cannot be read as an image" in rows[2]["error"]
    assert rows[2]["class"] == ""
    assert float(rows[0]["probability"]) >= float(rows[0]["probability_2"])
    file = tmp_path / "new" / "found.csv"
    assert predicted(
        [pattern, "--checkpoint", run, "-o", file, "--top-k", 2], capsys
    )[0] == f"{file}\n"  # fmt: skip
    assert file.read_text() == out


def test_a_table_and_a_single_image(
    run: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = predicted([photos, photos / "a.png", "--checkpoint", run, "--best", 2], capsys)
    lines = out.splitlines()
    assert len(lines) == 1 + 6  # Each file once.
    assert lines[0].split() == ["image", "1.", "2."]
    assert "unreadable" in next(line for line in lines if "broken" in line)
    out, _ = predicted([photos / "a.png", "--checkpoint", run], capsys)
    assert out.splitlines()[0] == str(photos / "a.png")
    assert len(out.splitlines()) == 6


def test_an_exported_file_gives_the_same_numbers(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package, reason="needs ONNX")
    file = tmp_path / "net.onnx"
    assert main(["export", "--checkpoint", str(run), "-o", str(file)]) == 0
    found = api.classify_images([photos], file, top_k=10)
    expected = api.classify_images([photos], run, top_k=10)
    assert [image.path for image in found.images] == [image.path for image in expected.images]
    assert [image.path for image in found.unreadable] == [str(photos / "broken.jpg")]
    for one, other in zip(found.images, expected.images, strict=True):
        assert dict(one.best) == pytest.approx(dict(other.best), abs=1e-5)
    capsys.readouterr()
    out, _ = predicted([photos / "a.png", "--onnx", file], capsys)
    assert "%" in out

    import onnx

    model = onnx.load(file)
    for text, problem in (
        ("{}", "exported without --checkpoint"),
        ("{", "is damaged"),
        ('{"classes": []}', "is damaged"),
    ):
        model.metadata_props[0].value = text
        onnx.save(model, tmp_path / "other.onnx")
        with pytest.raises(UserError, match=problem):
            load_onnx(tmp_path / "other.onnx")
    (tmp_path / "other.onnx").write_bytes(b"none")
    with pytest.raises(UserError, match="no ONNX file"):
        load_onnx(tmp_path / "other.onnx")


def test_a_missing_file_among_others_is_named_and_the_others_are_predicted(
    run: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = photos / "a.png"
    words = ["missing.png", good, photos / "none*.png"]
    assert main(["predict", *map(str, words), "--checkpoint", str(run), "--csv"]) == 0
    said = capsys.readouterr()
    assert "missing.png: there is no such file." in said.err
    assert "none*.png: no file matches this pattern." in said.err
    assert [line.split(",")[0] for line in said.out.splitlines()[1:]] == [str(good)]


def test_what_cannot_be_done_is_one_sentence(
    run: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, problem in (
        ([photos], "Which network?"),
        ([photos, "--checkpoint", run, "--onnx", "x.onnx"], "Which network?"),
        ([photos, "--checkpoint", "x.onnx"], "x.onnx: there is no such file"),
        (["missing.png", "--checkpoint", run], "missing.png: there is no such file"),
        ([tmp_path / "*.png", "--checkpoint", run], "no file matches"),
        ([tmp_path, "--checkpoint", run], "there are no images in this folder"),
        ([photos, "--checkpoint", run, "-o", tmp_path], "is a directory"),
        ([photos, "--checkpoint", run, "-o", tmp_path / "x.txt"], "which form?"),
        ([photos, "--checkpoint", run, "--top-k", "0"], "--top-k: must be 1 or more"),
        ([photos / "broken.jpg", "--checkpoint", run], "None of the files could be read"),
    ):
        assert main(["predict", *map(str, arguments)]) == 2
        assert problem in capsys.readouterr().err
