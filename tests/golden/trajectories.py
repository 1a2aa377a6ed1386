"""Golden trajectories: tiny runs whose every number is known, to the last bit.

A run is started through `darts.search`, `darts.evaluate` or `darts.api.train_population`, and read
back from its files. Nothing here names a module inside `darts`, so modules may move.

A record of a run has these parts:

- `losses`: all losses, accuracies, costs and learning rates that the run logged, in that order.
  Times and memory are left out.
- `alphas`: the architecture parameters at the end, in full.
- `norm`: sum and sum of magnitudes of all floating-point tensors of the last checkpoint.
- `digest`: SHA-256 of all tensors of the last checkpoint: weights, architecture, buffers, state of
  the optimisers. It covers type, shape and bytes of each tensor, in the order of the checkpoint.
  Names of modules and keys are left out, so they may change. The order of parameters may not.

A population keeps no checkpoints: its record is the losses and errors of its trials.

Bits depend on the processor and on PyTorch. `this_key` names both, and `trajectories.json` has
records by key. The native kernels also depend on the C++ compiler, which is no part of the key.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from matplotlib.figure import Figure

import darts
import darts.api

FILE = Path(__file__).with_name("trajectories.json")

Record = dict[str, Any]
Records = dict[str, dict[str, Record]]

SHARED = {
    "preset": "smoke",
    "train_images": None,
    "test_images": None,
    "batch_size": 8,
    "device": "cpu",
    "threads": 1,
    "log_every": 1,
    "epochs": 2,
}
SEARCH = {
    **SHARED,
    "method": "pc-darts",
    "k": 4,
    "channels": 8,
    "layers": 3,
    "nodes": 2,
    "arch_warmup_epochs": 0,
    "arch_learning_rate": 6e-3,
}
SEARCHES: Mapping[str, Mapping[str, Any]] = {
    "first-order": {},
    "second-order": {"order": 2},
    "random-channels": {"sampling": "random"},
    "cost-ceiling": {"max_macs": "9M"},
}
RETRAINING = {
    **SHARED,
    "genotype": "pcdarts_cifar10",
    "channels": 4,
    "layers": 3,
    "drop_path": 0.3,
    "drop_path_schedule": "constant",
    "auxiliary": True,
    "ema": 0.9,
    "mixup": 0.2,
    # With seed 0 (the default), a rounding of another processor changes a gradient by 1e-4.
    "seed": 1,
}
POPULATION = {
    **{name: value for name, value in SHARED.items() if name not in ("preset", "log_every")},
    "space": "regnetx",
    "n": 3,
    "macs": "20k-60k",
    "stem_width": 8,
    # With the recipe's own rate, roundings of fp32 grow to some per cent within two epochs.
    "learning_rate": 0.005,
    "executor": "in-process",
    "parallel": 1,
}

LATER = frozenset(
    (
        *("supernet_loss", "supernet_accuracy", "derived_loss", "derived_accuracy"),
        *("test_balanced_accuracy", "average_test_balanced_accuracy"),
        *("validation_balanced_accuracy", "validation_top5_accuracy"),
    )
)
"""Numbers that runs did not log yet when the records were made; the records leave them out."""
LATER_WITHOUT_CEILINGS = frozenset(("expected_macs", "expected_params"))
"""Numbers that only searches with ceilings logged then."""

_LOGGED = re.compile("loss|accuracy|error|learning_rate|macs|params|changed")
_ARCHITECTURE = re.compile("(alpha|beta)")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One run.

    Attributes:
        precision: fp32 or fp64.
        record: Does the run in an empty directory and returns its record.
    """

    precision: str
    record: Callable[[Path], Record]


def _cases() -> Iterator[tuple[str, Case]]:
    for precision in ("fp32", "fp64"):
        for backend in ("torch", "native"):
            for name, settings in SEARCHES.items():
                chosen = {**SEARCH, **settings, "backend": backend, "precision": precision}
                search = partial(_search, settings=chosen)
                yield (
                    f"search-{name}-{backend}-{precision}",
                    Case(precision=precision, record=search),
                )
    for precision in ("fp32", "fp64"):
        retrain = partial(retrain_plainly, settings={**RETRAINING, "precision": precision})
        yield f"retraining-{precision}", Case(precision=precision, record=retrain)
    yield "population-fp32", Case(precision="fp32", record=_plain_population)


def _search(directory: Path, settings: Mapping[str, Any]) -> Record:
    images = _images(directory, train=32, side=8)
    with _nothing_drawn():
        darts.search(**settings, dataset=images, run_dir=str(directory / "run"))
    # Half of the images are the weights': 2 steps an epoch.
    capped = any(name.startswith("max_") for name in settings)
    later = LATER if capped else LATER | LATER_WITHOUT_CEILINGS
    return _record(directory / "run", steps=4, later=later)


def retrain_plainly(directory: Path, settings: Mapping[str, Any]) -> Record:
    """Retrain in PyTorch, without the native kernels."""
    with mock.patch.dict(os.environ, {"DARTS_BACKEND": "torch"}):
        return retrain(directory, settings)


def _plain_population(directory: Path) -> Record:
    with mock.patch.dict(os.environ, {"DARTS_BACKEND": "torch"}):
        return _population(directory)


def retrain(directory: Path, settings: Mapping[str, Any]) -> Record:
    # The smallest images that the auxiliary head takes are those of CIFAR.
    images = _images(directory, train=16, side=32)
    with _nothing_drawn():
        darts.evaluate(**settings, dataset=images, run_dir=str(directory / "run"))
    return _record(directory / "run", steps=4, later=LATER)


def _population(directory: Path) -> Record:
    images = _images(directory, train=48, side=8)
    out = directory / "population"
    population = darts.api.train_population(**POPULATION, dataset=images, out=str(out))
    losses = []
    with closing(sqlite3.connect(out / "population.sqlite")) as file:
        rows = file.execute(
            "SELECT key, epoch, measured FROM curve JOIN trial ON trial = number "
            "ORDER BY number, epoch"
        ).fetchall()
    for trial, epoch, measured in rows:
        line = {name: value for name, value in json.loads(measured).items() if name not in LATER}
        losses += _numbers(f"{trial} epoch {epoch}", line)
    for trial, error in zip(population.labels, population.errors.tolist(), strict=True):
        losses.append([f"{trial} error", error])
    return {"losses": losses}


def _images(directory: Path, *, train: int, side: int) -> str:
    """A data set of four classes in a file: noise over one pattern a class."""
    random = np.random.default_rng(0)
    patterns = random.integers(0, 128, (4, side, side, 3))

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % 4
        noise = random.integers(0, 128, (count, side, side, 3))
        return (patterns[labels] + noise).astype(np.uint8), labels

    (x_train, y_train), (x_test, y_test) = draw(train), draw(16)
    file = directory / "images.npz"
    np.savez(file, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return f"array:{file}"


class _DrawingBeginsError(Exception):
    """A report is drawn: all else is written."""


@contextmanager
def _nothing_drawn() -> Iterator[None]:
    """Leave a run as soon as its report is drawn, which takes ten times as long as the run.

    Cells are not drawn after an epoch. `_record` checks that the run came to its end.
    """
    with (
        suppress(_DrawingBeginsError),
        mock.patch("darts.searching.drawing.draw_epoch"),
        mock.patch.object(Figure, "__init__", side_effect=_DrawingBeginsError),
    ):
        yield


def _record(run: Path, steps: int, later: Collection[str] = ()) -> Record:
    """The record of a run of `steps` steps, without the numbers named in `later`."""
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    assert state["step"] == steps, f"the run ended at step {state['step']}, not {steps}"
    losses: list[list[Any]] = []
    for text in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        line = {k: v for k, v in json.loads(text).items() if k not in later}
        losses += _numbers(f"{line['kind']} {line['step']}", line)
    return {
        "losses": losses,
        "alphas": {
            name: tensor.flatten().tolist()
            for name, tensor in _tensors(state)
            if _ARCHITECTURE.match(name)
        },
        **summary(state),
    }


def summary(state: Mapping[str, Any]) -> Record:
    """Sum, magnitude and digest of all tensors of a checkpoint."""
    tensors = list(_tensors(state))
    digest = hashlib.sha256()
    for _, tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    floats = [tensor.double() for _, tensor in tensors if tensor.is_floating_point()]
    return {
        "norm": {
            "sum": sum(values.sum().item() for values in floats),
            "magnitude": sum(values.abs().sum().item() for values in floats),
        },
        "digest": digest.hexdigest(),
    }


def _numbers(where: str, line: Mapping[str, Any]) -> list[list[Any]]:
    """The logged numbers of a line that a repetition must give again, with their names."""
    return [
        [f"{where} {name}", float(value)]
        for name, value in line.items()
        if isinstance(value, (int, float)) and _LOGGED.search(name)
    ]


def _tensors(state: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """All tensors in nested dicts and lists in their order, each with its innermost key."""
    if isinstance(state, torch.Tensor):
        yield name, state
    elif isinstance(state, Mapping):
        for key, part in state.items():
            yield from _tensors(part, str(key))
    elif isinstance(state, (list, tuple)):
        for part in state:
            yield from _tensors(part, name)


CASES = dict(_cases())


def this_key() -> str:
    """What bits depend on: the processor, the vector instructions in use, and PyTorch."""
    return f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(re.findall(r"^(\S[^\t\n]*?)\s*: (.*)$", text.split("\n\n")[0], re.MULTILINE))
    for names in (
        ("vendor_id", "cpu family", "model"),
        ("CPU implementer", "CPU architecture", "CPU part"),
    ):
        if all(name in facts for name in names):
            return " ".join(facts[name] for name in names)
    return platform.processor() or platform.machine()


def load_records() -> Records:
    """The records of all processors, by key and case."""
    return json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}


def save_records(records: Records) -> None:
    """Write all records, one case a line."""
    keys = (
        f"{json.dumps(key)}: {{\n"
        + ",\n".join(f"{json.dumps(case)}: {json.dumps(cases[case])}" for case in cases)
        + "\n}"
        for key, cases in records.items()
    )
    FILE.write_text("{\n" + ",\n".join(keys) + "\n}\n", encoding="utf-8")
