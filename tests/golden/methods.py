"""Golden searches: what every method finds, mixtures of parts and all spaces, to the last bit.

Each is a search of some steps on 40 digits. Its record is the derived cell and, of the last
checkpoint, sum, magnitude and digest of all tensors (see `tests.golden.trajectories`).

Bits depend on the processor, on PyTorch and, where native kernels take part, on the compiler:
`this_key` names them. On another machine there is nothing to compare with until

    python -m tests.golden.record --methods

has been run there on a commit whose results are known to be right.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from darts.methods.catalogue import METHODS
from darts.searching.task import search_cells
from genotypes import SPACES, load_genotype
from tests.darts.runs_support import search_options
from tests.golden import trajectories

FILE = Path(__file__).with_name("methods.json")

TINY = {
    "preset": "smoke",
    "train_images": 40,
    "arch_fraction": 0.5,
    "arch_warmup_epochs": 0,
    "batch_size": 10,
    "channels": 8,
    "nodes": 2,
    "layers": 3,
    "checkpoint_every": 1,
    "log_every": 1,
}
MIXTURES: tuple[dict[str, Any], ...] = (
    {"relaxation": "gumbel:temperature=5,final_temperature=0.5", "gradient": "single-level"},
    {"relaxation": "hard-gumbel", "weights_first": True, "k": 2},
    {"relaxation": "reinmax", "regulariser": "beta-decay+entropy"},
    {"relaxation": "dirichlet", "regulariser": "dirichlet-kl"},
    {"relaxation": "sigmoid", "regulariser": "zero-one:norm=l1"},
    {
        "relaxation": "binary-paths:mode=two",
        "arch_every": 2,
        "arch_betas": (0.0, 0.999),
        "arch_weight_decay": 0.0,
    },
    {"perturbation": "adversarial:steps=2", "regulariser": "lambda:strength=0.5"},
    {"perturbation": "random", "regulariser": "freezing:window=1,threshold=0.2"},
    {"selection": "projection:interval=1,epochs=2", "epochs": 2},
    {"skips": "dropout:rate=0.5", "drop_path": 0.4, "recompute_cells": True, "epochs": 2},
    {"space": "s4", "nodes": 4, "drop_path": 0.4},
    {"stopping": "fixed-epoch:epochs=2", "epochs": 4},
)


def _of_space(name: str) -> dict[str, Any]:
    restricted = name in ("s1", "s2", "s3", "s4")
    cells = name == "nasbench201"  # It has nodes and layers of its own.
    nodes = None if cells else 4 if restricted else 2
    layers = None if cells else 3
    return {"space": name, "nodes": nodes, "layers": layers, "epochs": 1, "channels": 4, "k": 1}


CASES: Mapping[str, Mapping[str, Any]] = {
    **{name: {"method": name} for name in METHODS},
    **{str(parts): {"method": "pc-darts", **parts} for parts in MIXTURES},
    **{f"space {name}": {"method": "pc-darts", **_of_space(name)} for name in SPACES},
}


def search(name: str, place: Path) -> None:
    """Do the search of a case in the new directory `place`."""
    search_cells(search_options(place, **settings_of(name)))


def settings_of(name: str) -> dict[str, Any]:
    """The settings of the search of a case."""
    settings = {**TINY, **CASES[name]}
    return {key: value for key, value in settings.items() if value is not None}


def record_of(run: Path) -> dict[str, Any]:
    """The record of a search that has ended."""
    genotype = load_genotype(run / "genotype.yaml").as_dict()
    del genotype["name"]
    found = trajectories.summary(torch.load(run / "checkpoint.pt", weights_only=True))
    return {"genotype": genotype, **found["norm"], "digest": found["digest"]}


def this_key() -> str:
    """What the bits depend on."""
    backend = os.environ.get("DARTS_BACKEND", "auto")
    return f"{trajectories.this_key()}, {backend}, {_compiler()}"


def _compiler() -> str:
    compiler = shutil.which("c++")
    if compiler is None:
        return "no compiler"
    said = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout
    return said.partition("\n")[0]


def load_records() -> dict[str, dict[str, Any]]:
    """The records of all machines, by key and case."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def save_records(records: Mapping[str, Mapping[str, Any]]) -> None:
    """Write all records, one case a line."""
    keys = (
        f"{json.dumps(key)}: {{\n"
        + ",\n".join(f"{json.dumps(case)}: {json.dumps(cases[case])}" for case in cases)
        + "\n}"
        for key, cases in records.items()
    )
    FILE.write_text("{\n" + ",\n".join(keys) + "\n}\n", encoding="utf-8")


def difference(name: str, run: Path) -> str | None:
    """What differs from the record of a case; None if nothing does, or there is no record."""
    known = load_records().get(this_key(), {}).get(name)
    if known is None:
        return None
    found = json.loads(json.dumps(record_of(run)))
    differing = [
        f"{key} is {found[key]}, was {known[key]}" for key in known if found[key] != known[key]
    ]
    return f"{name}: {'; '.join(differing)}" if differing else None
