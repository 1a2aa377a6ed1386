"""Small finished runs of every kind, made once in a process, that tries copy and damage."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from unittest.mock import patch

from darts.cli import main
from tests.darts.joint.fake import InstantTraining
from tests.torture.stopping import going_on

_PLACE = ["--device", "cpu", "--threads", "1"]
_DIGITS = ["--dataset", "digits", "--train-images", "60", "--test-images", "20"]
_SMALL = [*_DIGITS, *_PLACE, "--preset", "smoke", "--batch-size", "20", "--epochs", "1"]
_CELLS = ["--channels", "4", "--layers", "3"]
_EXAMPLES = {
    "search": ["search", *_SMALL, *_CELLS, "--nodes", "2", "--run-dir", "search"],
    "training": ["evaluate", "--genotype", "darts_v2", *_SMALL, *_CELLS, "--run-dir", "training"],
    "population": [
        *("space", "train", "--space", "regnetx", "--n", "2", "--macs", "20k-60k"),
        *("--stem-width", "8", "--epochs", "1", "--batch-size", "20", *_DIGITS, *_PLACE),
        *("--out", "population"),
    ],
    "joint": [
        *("joint", "search", "--space", "nb201", "--rounds", "1", "--candidates", "4"),
        *("--pool", "20", "--epochs", "1", "--preset", "smoke", *_DIGITS, *_PLACE),
        *("--run-dir", "joint"),
    ],
    "sweep": [
        *("sweep", "--methods", "gdas", "--seeds", "1", "--out", "sweep", *_SMALL, *_CELLS),
        *("--nodes", "2"),
    ],
    "onnx": ["export", "--checkpoint", "training", "--format", "onnx", "-o", "net.onnx"],
}


@cache
def example(name: str) -> Path:
    """The directory of a finished run, which must not be changed."""
    folder = _folder()
    if name == "onnx":
        example("training")
    before = Path.cwd()
    os.chdir(folder)
    text = io.StringIO()
    try:
        with (
            going_on(),
            patch.dict(os.environ, {"DARTS_BACKEND": "torch"}),
            patch("darts.joint.stored_rounds.TrainCandidate", InstantTraining),
            contextlib.redirect_stdout(text),
            contextlib.redirect_stderr(text),
        ):
            code = main(_EXAMPLES[name])
    finally:
        os.chdir(before)
    if code:
        raise RuntimeError(f"the example {name} cannot be made: {text.getvalue()}")
    return folder / ("net.onnx" if name == "onnx" else name)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="torture-examples-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
