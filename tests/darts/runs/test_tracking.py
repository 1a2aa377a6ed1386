import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from darts.runs.tracking import Tracker, picture_array


def read(directory):
    events = EventAccumulator(str(directory), size_guidance={"scalars": 0})
    events.Reload()
    return events


def points(directory, name):
    return [(event.step, event.value) for event in read(directory).Scalars(name)]


def test_scalars_arrive(tmp_path):
    with Tracker(tmp_path) as tracker:
        tracker.scalars({"loss": 2.5, "accuracy": None}, 1)
        tracker.scalars({"loss": 1.5, "accuracy": 50.0}, 2)
    assert points(tmp_path, "loss") == [(1, 2.5), (2, 1.5)]
    assert points(tmp_path, "accuracy") == [(2, 50.0)]


def test_a_directory_that_is_not_utf_8_is_not_tracked_and_that_is_said(tmp_path, capsys):
    with Tracker(tmp_path / os.fsdecode(b"caf\xe9")) as tracker:
        tracker.scalars({"loss": 2.5}, 1)
        tracker.flush()
    assert "has no TensorBoard files" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_flush_makes_points_durable(tmp_path):
    tracker = Tracker(tmp_path)
    tracker.scalars({"loss": 2.5}, 1)
    tracker.flush()
    assert points(tmp_path, "loss") == [(1, 2.5)]
    tracker.close()


def test_resume_leaves_no_stale_points(tmp_path):
    with Tracker(tmp_path) as tracker:
        for step in range(1, 6):
            tracker.scalars({"loss": 10.0 + step}, step)
    # A kill may tear the last record.
    events = next(tmp_path.iterdir())
    events.write_bytes(events.read_bytes()[:-5])
    with Tracker(tmp_path, resumed_from=3) as tracker:
        tracker.scalars({"loss": 24.0}, 4)
    assert points(tmp_path, "loss") == [(1, 11.0), (2, 12.0), (3, 13.0), (4, 24.0)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_histograms_count_finite_elements(tmp_path, dtype):
    table = torch.tensor([[0.5, -1.0], [float("nan"), float("inf")]], dtype=dtype)
    with Tracker(tmp_path) as tracker:
        tracker.histograms({"alpha": table.requires_grad_(), "none": table[:0]}, 7)
    events = read(tmp_path)
    assert events.Tags()["histograms"] == ["alpha"]
    (event,) = events.Histograms("alpha")
    assert event.step == 7
    histogram = event.histogram_value
    assert (histogram.num, histogram.min, histogram.max, histogram.sum) == (2, -1.0, 0.5, -0.5)


def test_pictures_arrive(tmp_path):
    figure = Figure(figsize=(2, 1), dpi=50)
    figure.add_subplot().plot([0, 1])
    with Tracker(tmp_path) as tracker:
        tracker.image("curve", figure, 3)
    (event,) = read(tmp_path).Images("curve")
    assert (event.step, event.width, event.height) == (3, 100, 50)


def test_pixels_of_arrays_and_files(tmp_path):
    colours = np.array([[[255, 0, 0], [0, 51, 255]]], dtype=np.uint8)
    assert np.array_equal(picture_array(colours), colours)
    assert np.array_equal(picture_array(colours / 255.0), colours)
    assert picture_array(np.array([[0.0, 1.0]])).tolist() == [[[0, 0, 0], [255, 255, 255]]]
    Image.fromarray(colours).save(tmp_path / "cell.png")
    assert np.array_equal(picture_array(tmp_path / "cell.png"), colours)
    assert np.array_equal(picture_array(str(tmp_path / "cell.png")), colours)
    # Red at 20 % on white: 0.2·(1, 0, 0) + 0.8·(1, 1, 1)
    assert picture_array(np.array([[[255, 0, 0, 51]]], dtype=np.uint8)).tolist() == [
        [[255, 204, 204]]
    ]
    with pytest.raises(ValueError, match=r"\[1, 1, 2\]"):
        picture_array(np.zeros((1, 1, 2)))


def test_texts_and_settings_arrive(tmp_path):
    with Tracker(tmp_path) as tracker:
        tracker.settings({"k": 4, "method": "gdas", "subset": None}, ["epoch/test_accuracy"])
        tracker.text("cell", "normal  0: skip k-1\nreduction  0: sep3 k-2", 2)
        tracker.scalars({"epoch/test_accuracy": 91.0}, 2)
    events = read(tmp_path)
    (text,) = events.Tensors("cell/text_summary")
    assert text.tensor_proto.string_val == [
        b"    normal  0: skip k-1\n    reduction  0: sep3 k-2\n"
    ]
    kept = events.summary_metadata
    assert {name for name in kept if name.startswith("_hparams_")} == {
        "_hparams_/experiment",
        "_hparams_/session_start_info",
        "_hparams_/session_end_info",
    }
    assert b"gdas" in kept["_hparams_/session_start_info"].plugin_data.content


def test_disabled_tracker_writes_and_checks_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with Tracker(None) as tracker:
        tracker.scalars({"loss": 1.0}, 1)
        tracker.histograms({"alpha": torch.ones(2)}, 1)
        tracker.image("curve", tmp_path / "absent.png", 1)
        tracker.flush()
    assert os.listdir(tmp_path) == []


def test_import_is_light_and_figures_leave_pyplot_alone():
    script = (
        "import sys, darts.runs.tracking\n"
        "heavy = {'tensorboard', 'matplotlib', 'torch.utils.tensorboard'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "from matplotlib.figure import Figure\n"
        "array = darts.runs.tracking.picture_array(Figure(figsize=(1, 2), dpi=20))\n"
        "assert array.shape == (40, 20, 3)\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[3], check=True)
