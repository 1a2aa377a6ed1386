"""Small detectors and data for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from darts.detection.options import DetectionOptions, detection_overlay
from darts.detection.shapes import draw_shapes
from darts.settings.parsing import options_from

TINY = """
anynet:
  block: vr
  stem_width: 16
  stages:
  - {depth: 1, width: 16}
  - {depth: 1, width: 16}
  - {depth: 1, width: 16}
"""


def draw_few(folder: Path, train: int = 12, val: int = 4, size: int = 64) -> Path:
    """Draw a small data set and return its folder for `--data-dir`."""
    return draw_shapes(folder, train=train, val=val, size=size)


def tiny_model(folder: Path) -> str:
    """Write the file of a tiny network and return its path."""
    path = folder / "tiny.yaml"
    path.write_text(TINY)
    return str(path)


def detection_options(folder: Path, **settings: Any) -> DetectionOptions:
    """Options of a training of a few seconds on a dozen drawn images."""
    defaults = {
        "preset": "smoke",
        "model": tiny_model(folder),
        "data_dir": str(draw_few(folder / "shapes")),
        "image_size": 64,
        "batch_size": 4,
        "workers": 0,
        "device": "cpu",
        "threads": 1,
        "log_every": 1,
    }
    return options_from(DetectionOptions, {**defaults, **settings}, detection_overlay)


def rewrite(path: Path, change: Any) -> None:
    """Change the content of a JSON file in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
