"""Two processes train a detector as one does."""

from __future__ import annotations

from pathlib import Path

from darts.detection.options import DetectionOptions
from darts.detection.scoring import score_detector
from darts.detection.task import train_detector
from darts.system import distributed
from tests.darts.detection.support import detection_options
from tests.darts.processes import together
from tests.darts.system.test_distributed import distance, epochs, states

HEADS = ("ssd", "retinanet", "faster-rcnn")


def options_of(folder: Path, head: str, run: str) -> DetectionOptions:
    return detection_options(
        folder,
        head=head,
        pyramid_channels=8,
        augment="ssd",
        precision="fp64",
        sync_norm=True,
        ema=0.5,
        epochs=1,
        pictures=0,
        run_dir=str(folder / f"{head}-{run}"),
    )


def train_all(folder: Path, run: str) -> None:
    for head in HEADS:
        result = train_detector(options_of(folder, head, run))
        options = options_of(folder, head, run)
        again = score_detector(
            type(options)(**{**vars(options), "checkpoint": str(result.run_dir)})
        )
        if abs(again.ap - result.precision.ap) > 1e-9:
            raise AssertionError(f"{head}: rank {distributed.rank()} has {again}")


def test_two_processes_follow_the_trajectory_of_one(tmp_path: Path) -> None:
    train_all(tmp_path, "one")
    together(tmp_path / "printed", train_all, tmp_path, "two")
    for head in HEADS:
        one, two = (tmp_path / f"{head}-{run}" for run in ("one", "two"))
        assert distance(*states(one, two)) < 1e-10, head
        assert distance(epochs(one), epochs(two)) < 1e-5
        assert {path.name for path in one.iterdir()} == {path.name for path in two.iterdir()}
        assert (one / "detections.json").read_bytes() == (two / "detections.json").read_bytes()
    assert (tmp_path / "printed" / "1.txt").read_text() == ""
