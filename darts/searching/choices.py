"""Measured choices of back ends, kept by machine, versions and shapes: one small JSON file each.

They are in `$XDG_CACHE_HOME/darts/backends` (default: `~/.cache/darts/backends`). The first process
that writes a choice wins, so that searches that start together compute in the same way.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

import cells
import ops
from darts.files import read_json_file, scratch_folder
from darts.searching.measuring import Measurement
from darts.searching.probe import SearchSetting
from darts.system.device import device_name
from ops.backends import BACKENDS
from ops.native.target import TARGET_VARIABLE

# The settings of a search that change what its steps compute, and how much of it.
_SETTINGS = (
    "precision",
    "batch_size",
    "accumulate",
    "recompute_cells",
    "channels",
    "layers",
    "nodes",
    "k",
    "stem",
    "sampling",
    "method",
    "edge_normalisation",
    "order",
    "cuda_graphs",
)


def choice_key(setting: SearchSetting) -> dict[str, Any]:
    """Everything that a measured choice depends on, as plain values."""
    options = setting.options
    space, stage = asdict(setting.space), setting.stage
    return {
        "machine": {
            "device": device_name(setting.device),
            "processor": device_name(torch.device("cpu")),
            "architecture": platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
        },
        "versions": {
            "torch": torch.__version__,
            "sources": _sources(),
            "native target": os.environ.get(TARGET_VARIABLE, ""),
        },
        "shapes": {
            **{name: getattr(options, name) for name in _SETTINGS},
            "parts": options.chosen_parts,
            "drop_path": bool(options.drop_path),
            "stage": stage and [stage.added_layers, stage.k, stage.kept, stage.selects],
            "space": {name: str(value) for name, value in space.items()},
            "image_size": setting.dataset.image_size,
            "classes": setting.dataset.num_classes,
        },
    }


@functools.cache
def _sources() -> str:
    """Hash of all code that evaluates search cells."""
    digest = hashlib.sha256()
    for package in (ops, cells):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".cpp", ".h"):
                digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:24]


def choice_file(key: dict[str, Any]) -> Path:
    """The file of a choice, which may not exist."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    return Path(root) / "darts" / "backends" / f"{digest}.json"


def read_choice(key: dict[str, Any]) -> Measurement | None:
    """The choice that is kept for a key; None if there is none, or the file is damaged."""
    try:
        kept = read_json_file(choice_file(key))
        found = Measurement(**kept["measurement"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if kept.get("key") == key and found.chosen in BACKENDS[1:] else None


def keep_choice(key: dict[str, Any], measurement: Measurement) -> Measurement:
    """Write a choice and return it, or the one that another process has written before.

    A folder that cannot be written keeps nothing; the choice holds for this run.
    """
    target = choice_file(key)
    content = json.dumps({"key": key, "measurement": measurement.as_dict()}, indent=1)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(target.parent, target.stem) as scratch:
            written = scratch / target.name
            written.write_text(content, encoding="utf-8")
            _place(written, target, replaces=read_choice(key) is None)
    except OSError:
        return measurement
    return read_choice(key) or measurement


def _place(written: Path, target: Path, *, replaces: bool) -> None:
    """Give a written file its name, unless another process was faster."""
    try:
        os.link(written, target)
    except FileExistsError:
        if replaces:  # What is there is damaged.
            os.replace(written, target)
    except OSError:  # A file system without links.
        os.replace(written, target)
