"""Training of detectors from end to end: learning, resuming, results, and invalid input."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from darts.cli import main
from darts.detection.annotations import read_annotations
from darts.detection.average_precision import average_precision
from darts.detection.options import DetectionOptions, detection_overlay
from darts.detection.scoring import score_detector
from darts.detection.shapes import draw_shapes
from darts.detection.task import DetectionTask, train_detector
from darts.errors import UserError
from darts.settings.parsing import options_from
from tests.darts.detection.support import detection_options, rewrite, tiny_model
from tests.darts.runs_support import assert_same_run

MODEL = """
anynet:
  block: vr
  stem_width: 16
  stages:
  - {depth: 1, width: 32}
  - {depth: 1, width: 64}
  - {depth: 1, width: 64}
"""


def test_shapes_are_learned(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """The command line reaches AP50 above 50 % from random weights."""
    monkeypatch.chdir(tmp_path)
    draw_shapes(tmp_path / "data", train=400, val=50, size=64)
    (tmp_path / "model.yaml").write_text(MODEL)
    run = tmp_path / "run"
    flags = (
        f"--data-dir data --model {tmp_path / 'model.yaml'} --image-size 64 "
        "--stem imagenet --augment flip --batch-size 8 --epochs 6 --learning-rate 0.008 "
        "--optimiser adamw --weight-decay 0.01 --test-every 0 --workers 0 --device cpu "
        f"--threads 1 --run-dir {run}"
    )
    assert main(["detect", *flags.split()]) == 0
    result = json.loads((run / "result.json").read_text())
    assert result["ap50"] > 50
    assert result["ap"] < result["ap50"]
    assert result["classes"] == ["circle", "square", "triangle"]
    detections = json.loads((run / "detections.json").read_text())
    part = read_annotations(tmp_path / "data/annotations/val.json", tmp_path / "data/val")
    assert average_precision(part, detections).ap50 == pytest.approx(result["ap50"])
    report = (run / "report.html").read_text()
    assert "Training of a detector" in report
    assert f"The detector reaches an AP of {result['ap']:.1f}" in report
    assert 'alt="Detections on validation images"' in report
    with Image.open(run / "detections.png") as picture:
        assert picture.size == (4 * 328 + 8, 2 * 328 + 8)
    options = {"checkpoint": str(run), "data_dir": str(tmp_path / "data"), "workers": 0}
    again = score_detector(options_from(DetectionOptions, options, detection_overlay))
    assert again.ap == pytest.approx(result["ap"], abs=0.2)
    # From another folder, without a word about the data: the run remembers them.
    capsys.readouterr()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["detect", "--test-only", "--checkpoint", "../run", "--workers", "0"]) == 0
    assert capsys.readouterr().out.strip() == str(again)


@pytest.mark.parametrize(
    ("head", "stop"), [("ssd", 2), ("ssd", 4), ("retinanet", 2), ("faster-rcnn", 4)]
)
def test_a_resumed_run_is_bit_for_bit_the_same(
    tmp_path: Path, monkeypatch: Any, head: str, stop: int
) -> None:
    """Interrupted within the first epoch of three steps, and in the second."""
    small = {"head": head, "pyramid_channels": 16, "ema": 0.5}
    whole = train_detector(detection_options(tmp_path, run_dir=str(tmp_path / "whole"), **small))
    step, done = DetectionTask.step, 0

    def stopping(task: DetectionTask) -> Any:
        nonlocal done
        done += 1
        scalars = step(task)
        if done == stop:
            raise KeyboardInterrupt
        return scalars

    stopped = {"run_dir": str(tmp_path / "stopped"), "checkpoint_every": 1}
    options = detection_options(tmp_path, **stopped, **small)
    monkeypatch.setattr(DetectionTask, "step", stopping)
    with pytest.raises(KeyboardInterrupt):
        train_detector(options)
    monkeypatch.setattr(DetectionTask, "step", step)
    again = {"resume": str(tmp_path / "stopped"), "checkpoint_every": 0, "workers": 1}
    resumed = train_detector(options_from(DetectionOptions, again, detection_overlay))
    assert resumed.precision == whole.precision
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")
    # Its averaged weights can be tested alone.
    test = {"checkpoint": str(tmp_path / "whole"), "averaged": True, "threads": 1, "head": head}
    data = {"data_dir": str(tmp_path / "shapes"), "workers": 0, "device": "cpu"}
    again = score_detector(options_from(DetectionOptions, {**test, **data}, detection_overlay))
    result = json.loads((tmp_path / "whole" / "result.json").read_text())
    assert again.ap == pytest.approx(result["average_ap"])


def test_an_average_of_the_weights_is_evaluated_too(tmp_path: Path) -> None:
    options = detection_options(tmp_path, run_dir=str(tmp_path / "run"), ema=0.5, epochs=2)
    task = DetectionTask(options)
    expected = {name: value.clone() for name, value in task.detector.state_dict().items()}
    task.begin_epoch(0)
    for _ in range(2):
        task.step()
        for name, value in task.detector.state_dict().items():
            if value.is_floating_point():
                expected[name] = 0.5 * expected[name] + 0.5 * value
    averaged = task.average.module.state_dict()
    for name, value in expected.items():
        if value.is_floating_point():
            torch.testing.assert_close(averaged[name], value)
    # The same from the outside: result, test of the checkpoint, resuming.
    trained = train_detector(options)
    result = json.loads((trained.run_dir / "result.json").read_text())
    assert result["ap"] == trained.precision.ap
    test = {"checkpoint": str(trained.run_dir), "averaged": True, "workers": 0}
    data = {"data_dir": str(tmp_path / "shapes"), "threads": 1, "device": "cpu"}
    again = score_detector(options_from(DetectionOptions, {**test, **data}, detection_overlay))
    assert again.ap == pytest.approx(result["average_ap"])
    resumed = train_detector(
        options_from(DetectionOptions, {"resume": str(trained.run_dir)}, detection_overlay)
    )
    assert resumed.precision == trained.precision
    plain = train_detector(detection_options(tmp_path, run_dir=str(tmp_path / "plain"), epochs=1))
    test["checkpoint"] = str(plain.run_dir)
    with pytest.raises(UserError, match="has no averaged weights: it was trained without --ema"):
        score_detector(options_from(DetectionOptions, {**test, **data}, detection_overlay))


def test_images_without_annotations_get_detections(tmp_path: Path, capsys: Any) -> None:
    options = detection_options(tmp_path, run_dir=str(tmp_path / "run"), epochs=1)
    train_detector(options)
    photos, out = tmp_path / "photos", tmp_path / "found"
    (photos / "more").mkdir(parents=True)
    Image.new("RGB", (50, 30), "white").save(photos / "a.png")
    with Image.open(next((tmp_path / "shapes" / "val").iterdir())) as shape:
        shape.save(photos / "more" / "b.png")
    flags = f"--test-only --checkpoint {tmp_path / 'run'} --workers 0 --score-threshold 0"
    words = [*flags.split(), "--val-images", str(photos), "--run-dir", str(out)]
    assert main(["detect", *words]) == 0
    assert capsys.readouterr().out.strip() == str(out / "detections.json")
    listed = json.loads((out / "images.json").read_text())
    assert [one["file_name"] for one in listed["images"]] == ["a.png", "more/b.png"]
    found = json.loads((out / "detections.json").read_text())
    assert {one["image_id"] for one in found} == {1, 2}
    assert {one["category_id"] for one in found} <= {one["id"] for one in listed["categories"]}
    # The second image is one of the validation images: the same is found there.
    theirs = json.loads((tmp_path / "run" / "detections.json").read_text())
    first = min(one["image_id"] for one in theirs)
    boxes = [[one["bbox"] for one in some if one["image_id"] == number and one["score"] > 0.02]
             for some, number in ((found, 2), (theirs, first))]  # fmt: skip
    assert len(boxes[0]) == len(boxes[1])
    assert (out / "detections.png").is_file()
    assert main(["detect", *words]) == 2
    assert "exists; give another directory by --run-dir" in capsys.readouterr().err
    assert main(["detect", *words[:-3], str(tmp_path / "nowhere"), *words[-2:]]) == 2
    assert "There is no folder of images" in capsys.readouterr().err


def test_resuming_a_finished_run_returns_its_metrics(tmp_path: Path) -> None:
    options = detection_options(tmp_path, run_dir=str(tmp_path / "run"), epochs=1)
    first = train_detector(options)
    again = {"resume": str(tmp_path / "run")}
    second = train_detector(options_from(DetectionOptions, again, detection_overlay))
    assert second.precision == first.precision


def test_backbone_of_a_retraining(tmp_path: Path) -> None:
    from darts import evaluate

    trained = evaluate(
        model=tiny_model(tmp_path),
        dataset="digits",
        preset="smoke",
        stem="imagenet",
        train_images=64,
        epochs=1,
        image_size=64,
        threads=1,
        run_dir=str(tmp_path / "retrained"),
    )
    options = detection_options(tmp_path, model=None, pretrained=str(trained.run_dir))
    task = DetectionTask(options)
    state = torch.load(trained.run_dir / "checkpoint.pt", weights_only=True)["task"]
    ours = task.detector.backbone.network.state_dict()
    shared = [name for name in ours if name in state["network"]]
    assert len(shared) == len(ours)
    assert all(ours[name].equal(state["network"][name]) for name in shared)
    assert task.mean == pytest.approx(tuple(state["data"]["mean"]))


def test_invalid_input_is_a_short_error_and_writes_nothing(tmp_path: Path, capsys: Any) -> None:
    model, run = tiny_model(tmp_path), tmp_path / "run"
    draw_shapes(tmp_path / "data", train=3, val=2, size=64)
    base = ["detect", "--model", model, "--run-dir", str(run), "--data-dir", str(tmp_path / "data")]
    small = ["--image-size", "64", "--workers", "0", "--device", "cpu"]
    cases = [
        ([*base, *small], "3 images with boxes are fewer than one batch of 32"),
        ([*base, "--image-size", "2"], "smaller|at least|pixels"),
        ([*base, "--batch-size", "0"], "--batch-size: must be 1 or more"),
        ([*base, "--nms-threshold", "2"], "--nms-threshold: must be from 0 to 1"),
        ([*base, "--acumulate", "2"], "unrecognized|unknown"),
        (["detect", "--genotype", "pcdarts_imagenet", "--data-dir", str(tmp_path / "x")],
         "no annotated images"),
        ([*base, "--test-only"], "--test-only needs --checkpoint"),
        ([*base, "--test-only", "--checkpoint", str(tmp_path)], "no checkpoint"),
    ]  # fmt: skip
    for arguments, message in cases:
        assert main(arguments) == 2, arguments
        said = capsys.readouterr().err
        assert any(part in said for part in message.split("|")), (message, said)
        assert "Traceback" not in said
        assert not run.exists()


def test_the_summary_is_printed_before_the_error(tmp_path: Path, capsys: Any) -> None:
    flags = ["--genotype", "pcdarts_imagenet", "--data-dir", str(tmp_path)]
    assert main(["detect", *flags]) == 2
    heard = capsys.readouterr()
    assert "3,310,906,112" in heard.out
    assert "--dataset shapes" in heard.err


def test_errors_name_broken_and_wrong_images(tmp_path: Path) -> None:
    options = detection_options(tmp_path, run_dir=str(tmp_path / "run"))
    image = tmp_path / "shapes/train/00003.png"
    good = image.read_bytes()
    image.write_bytes(good[: len(good) // 2])
    with pytest.raises(UserError, match=r"00003\.png cannot be read"):
        train_detector(options)
    image.write_bytes(good)
    rewrite(
        tmp_path / "shapes/annotations/val.json",
        lambda c: c["images"][1].update(width=63, height=9),
    )
    options = detection_options(tmp_path, run_dir=str(tmp_path / "again"))
    with pytest.raises(UserError, match=r"00002\.png has 64x64 pixels, but .* says 63x9"):
        train_detector(options)


def test_ap_without_detections_is_0(tmp_path: Path) -> None:
    draw_shapes(tmp_path, train=1, val=3, size=64)
    part = read_annotations(tmp_path / "annotations/val.json", tmp_path / "val")
    nothing = average_precision(part, [])
    assert nothing.ap == nothing.ap50 == 0
    assert nothing.ap_large is None
    perfect = [{**one, "score": 1.0} for one in part.record["annotations"]]
    assert average_precision(part, perfect).ap == pytest.approx(100)
    assert str(nothing) == "AP 0.0  AP50 0.0  AP75 0.0  small 0.0  medium –  large –"


def test_shapes_are_reproducible(tmp_path: Path) -> None:
    one, other = (draw_shapes(tmp_path / name, train=5, val=2, size=64) for name in "ab")
    for file in ("annotations/train.json", "train/00004.png", "val/00001.png"):
        assert (one / file).read_bytes() == (other / file).read_bytes()
    stamp = (one / "train/00001.png").stat().st_mtime_ns
    draw_shapes(one, train=5, val=2, size=64)
    assert (one / "train/00001.png").stat().st_mtime_ns == stamp
    with pytest.raises(UserError, match="another set of shapes"):
        draw_shapes(one, train=6, val=2, size=64)


def test_drawn_boxes_are_tight(tmp_path: Path) -> None:
    """Each shape touches all four edges of its box."""
    draw_shapes(tmp_path, train=20, val=1, size=64)
    part = read_annotations(tmp_path / "annotations/train.json", tmp_path / "train")
    seen = 0
    for index in range(len(part)):
        boxes, _ = part.of(index)
        if len(boxes) != 1:
            continue
        with Image.open(part.path(index)) as image:
            pixels = torch.from_numpy(np.array(image))
        x1, y1, x2, y2 = map(int, boxes[0].tolist())
        colour = pixels[(y1 + y2) // 2, (x1 + x2) // 2]
        same = (pixels == colour).all(-1)
        rows, columns = same.any(1).nonzero().flatten(), same.any(0).nonzero().flatten()
        found = [columns[0].item(), rows[0].item(), columns[-1].item() + 1, rows[-1].item() + 1]
        assert found == [x1, y1, x2, y2]
        seen += 1
    assert seen >= 3
