"""Small runs whose every number is recorded: what a change of structure must not change.

Runs go through the public functions of `darts` and are read back from the files they leave, so no
test here knows where a module lives.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

import darts
from darts import api

RECORD = Path(__file__).with_name("trajectories.json")

_SHARED = {
    "preset": "smoke",
    "dataset": "digits",
    "device": "cpu",
    "threads": 1,
    "workers": 0,
    "log_every": 1,
    "batch_size": 16,
    "train_images": 96,
    "test_images": 40,
}
_SEARCH = {**_SHARED, "channels": 8, "layers": 3, "nodes": 2, "epochs": 1, "arch_warmup_epochs": 0}
_KINDS: dict[str, dict[str, Any]] = {
    "first order": {"epochs": 2, "arch_warmup_epochs": 1},
    "second order": {"order": 2},
    "random channels": {"sampling": "random"},
    "cost ceiling": {"max_macs": "150k", "target_channels": 8, "target_layers": 3},
}
_SEARCHES = {
    f"search, {kind}, {precision}, {backend}": {
        **_SEARCH,
        **settings,
        "precision": precision,
        "backend": backend,
    }
    for kind, settings in _KINDS.items()
    for precision in ("fp32", "fp64")
    for backend in ("torch", "native")
}
_RETRAININGS = {
    f"retraining, {precision}": {
        **_SHARED,
        "genotype": "darts_v2",
        "image_size": 32,
        "channels": 4,
        "layers": 3,
        "epochs": 1,
        "drop_path": 0.3,
        "auxiliary": True,
        "ema": 0.9,
        "mixup": 0.2,
        "precision": precision,
    }
    for precision in ("fp32", "fp64")
}
_POPULATION = {
    "dataset": "digits",
    "train_images": 64,
    "test_images": 50,
    "batch_size": 32,
    "epochs": 2,
    "space": "regnetx",
    "macs": "20k-60k",
    "stem_width": 8,
    "n": 3,
    "device": "cpu",
    "threads": 1,
    "workers": 0,
}
CASES = (*_SEARCHES, *_RETRAININGS, "population")


def run_case(case: str, folder: Path) -> dict[str, Any]:
    """Run a case in an empty folder and return its record.

    The record holds every logged number that is not a time (`metrics`), the values of alpha and
    beta (`architecture`), the sum of the absolute values of all tensors of the checkpoint (`size`)
    and a digest of their names and bytes (`digest`).
    """
    if case == "population":
        api.train_population(**_POPULATION, out=str(folder / "population"))
        [store] = (folder / "population").glob("*.sqlite")
        return {"metrics": list(_trials(store)), "architecture": [], "size": 0.0, "digest": ""}
    run = folder / "run"
    if case in _SEARCHES:
        darts.search(**_SEARCHES[case], run_dir=str(run))
    else:
        darts.evaluate(**_RETRAININGS[case], run_dir=str(run))
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    tensors = dict(_tensors(torch.load(run / "checkpoint.pt", weights_only=True)))
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().numpy().tobytes())
    floats = [tensor for tensor in tensors.values() if tensor.is_floating_point()]
    return {
        "metrics": [number for line in lines for number in _numbers(line)],
        "architecture": [
            value
            for name in sorted(tensors)
            if "/architecture/" in name
            for value in tensors[name].flatten().tolist()
        ],
        "size": sum(tensor.double().abs().sum().item() for tensor in floats),
        "digest": digest.hexdigest(),
    }


def processor() -> str:
    """What the bits of a run depend on: the processor, the kernels torch chooses, its version."""
    told = {}
    if Path("/proc/cpuinfo").is_file():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            told.setdefault(name.strip(), value.strip())
    names = ("vendor_id", "cpu family", "model")
    model = "/".join(told[name] for name in names if name in told) or platform.machine()
    return f"{model}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"


def _trials(store: Path) -> Iterator[Any]:
    """Curve and result of each trial of a population, in the order of their keys."""
    with sqlite3.connect(store) as connection:
        trials = connection.execute("SELECT number, key, settings, result FROM trial ORDER BY key")
        for number, key, *texts in trials.fetchall():
            curve = "SELECT measured FROM curve WHERE trial = ? ORDER BY epoch"
            texts += [text for (text,) in connection.execute(curve, (number,))]
            yield key
            for text in texts:
                yield from _numbers(json.loads(text))


def _numbers(value: Any) -> Iterator[float]:
    """All numbers in plain values but times and memory, in order of their names."""
    if isinstance(value, bool):
        return
    if isinstance(value, (int, float)):
        yield value
    elif isinstance(value, Mapping):
        for name in sorted(value):
            if not any(word in name for word in ("second", "memory", "time", "latency")):
                yield from _numbers(value[name])
    elif isinstance(value, list):
        for one in value:
            yield from _numbers(one)


def _tensors(value: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key in value:
            yield from _tensors(value[key], f"{name}/{key}")
    elif isinstance(value, (list, tuple)):
        for index, one in enumerate(value):
            yield from _tensors(one, f"{name}/{index:06d}")
