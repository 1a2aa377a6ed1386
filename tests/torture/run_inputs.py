"""Bad files of runs: checkpoints, records of all kinds, experiments in SQLite, joint searches."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import torch
import yaml
from PIL import Image

from darts.runs.checkpoints import _MARK
from tests.torture.examples import example
from tests.torture.mutations import (
    NUMBERS,
    WORDS,
    Runs,
    broken_tree,
    damaged,
    wrong_text,
    yaml_text,
)
from tests.torture.trying import commands


def _copy(name: str, folder: Path) -> Path:
    """A copy of an example, under its name."""
    shutil.copytree(example(name), folder / name, symlinks=True)
    return folder / name


@cache
def _state(name: str) -> Any:
    return torch.load(example(name) / "checkpoint.pt", weights_only=True)


def _signed(state: Any) -> bytes:
    """A file with a right digest, whatever it holds."""
    stream = io.BytesIO()
    torch.save(state, stream)
    archive = stream.getvalue()
    return archive + _MARK + hashlib.sha256(archive).digest()


def _wrong_state(random: Random, state: Any) -> Any:
    """A state in which values, also tensors, are missing, of another kind, or of another shape."""
    if random.random() < 0.15:
        return {**state, "x": Runs()}
    found = broken_tree(random, state) if random.random() < 0.6 else dict(state)
    for holder, key in _tensors(found):
        if random.random() < 0.05:
            holder[key] = random.choice(
                (
                    torch.zeros(3),
                    torch.full_like(holder[key], float("nan"))
                    if holder[key].is_floating_point()
                    else torch.zeros(2, 2),
                    torch.zeros(0),
                    holder[key].to(torch.int8),
                    torch.empty(1).expand(10**6),
                    7,
                )
            )
    return found


def _tensors(tree: Any) -> list[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    if not isinstance(tree, (dict, list, tuple)):
        return found
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in list(items):
        if isinstance(value, torch.Tensor):
            if not isinstance(tree, tuple):
                found.append((tree, key))
        elif isinstance(value, (dict, list)):
            found += _tensors(value)
    return found


def _checkpoint(random: Random, folder: Path) -> list[str]:
    name = random.choice(("training", "training", "search"))
    run = _copy(name, folder)
    files = [run / "checkpoint.pt", run / "checkpoint.previous.pt"]
    for path in files if random.random() < 0.5 else files[:1]:
        match random.randrange(4):
            case 0:
                path.write_bytes(damaged(random, path.read_bytes(), path.read_bytes()))
            case 1:
                archive = path.read_bytes().rpartition(_MARK)[0]
                archive = damaged(random, archive)
                path.write_bytes(archive + _MARK + hashlib.sha256(archive).digest())
            case _:
                path.write_bytes(_signed(_wrong_state(random, _state(name))))
    if name == "search":
        return ["search", "--resume", "search"]
    return _with_training(random, folder)


def _with_training(random: Random, folder: Path) -> list[str]:
    """A command that reads a retraining."""
    Image.new("RGB", (8, 8), (200, 9, 9)).save(folder / "photo.png")
    genotype = ["--genotype", "darts_v2", "--channels", "4", "--layers", "3"]
    return random.choice(
        (
            ["evaluate", "--resume", "training"],
            ["predict", "photo.png", "--checkpoint", "training", "--device", "cpu"],
            ["predict", "photo.png", "--checkpoint", "training/checkpoint.pt", "--device", "cpu"],
            ["cam", "photo.png", "--checkpoint", "training", "-o", "cam.png"],
            [
                *("evaluate", *genotype, "--dataset", "digits", "--preset", "smoke"),
                *("--device", "cpu", "--threads", "1", "--test-images", "20"),
                *("--checkpoint", "training", "--test-only"),
            ],
        )
    )


_WRITERS = {".yaml": yaml_text, ".json": json.dumps}


def _spoil(random: Random, path: Path) -> None:
    """Damage a text file as what it is, or remove it."""
    if random.random() < 0.05:
        path.unlink()
        return
    if path.suffix == ".jsonl":
        lines = path.read_text().splitlines()
        for place in random.sample(range(len(lines)), min(len(lines), random.choice((1, 1, 3)))):
            text = wrong_text(random, json.loads(lines[place]), json.dumps)
            lines[place] = text.decode("utf-8", "replace").replace("\n", " ")
        path.write_text("\n".join(lines), errors="replace")
    elif path.suffix in _WRITERS:
        read = yaml.safe_load if path.suffix == ".yaml" else json.loads
        path.write_bytes(wrong_text(random, read(path.read_text()), _WRITERS[path.suffix]))
    else:
        path.write_bytes(damaged(random, path.read_bytes()))


def _record(random: Random, folder: Path) -> list[str]:
    """The files beside the checkpoint: settings, metrics, results, genotypes, pictures."""
    name = random.choice(("search", "training"))
    run = _copy(name, folder)
    texts = sorted(run.rglob("*.json*")) + sorted(run.rglob("*.yaml")) + sorted(run.rglob("*.svg"))
    for path in random.sample(texts, random.choice((1, 1, 2, 4))):
        _spoil(random, path)
    if random.random() < 0.45:
        return ["report", name]
    if name == "search":
        return random.choice(
            (["search", "--resume", name], ["genotypes", name, "--as", "yaml"], ["report", name])
        )
    return _with_training(random, folder)


def _joint(random: Random, folder: Path) -> list[str]:
    run = _copy("joint", folder)
    texts = sorted(run.glob("*.yaml")) + sorted(run.glob("*.json"))
    candidate = yaml.safe_load((run / "best.yaml").read_text())
    (folder / "own.yaml").write_text(yaml_text(candidate))
    place = random.randrange(10)
    if place < 5:
        _spoil(random, random.choice(texts))
    elif place < 7:
        (folder / "own.yaml").write_bytes(wrong_text(random, candidate, yaml_text))
    elif place < 9:
        _spoil(random, run / "predictor.pt")
    else:
        (run / "predictor.pt").write_bytes(_saved({"x": Runs()}))
    return random.choice(
        (
            ["joint", "show", "joint"],
            ["joint", "predict", "joint"],
            ["joint", "predict", "joint", "own.yaml"],
            ["joint", "evolve", "joint", "--max-macs", "100M"],
            ["joint", "search", "--resume", "joint"],
            ["report", "joint"],
        )
    )


def _saved(state: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


def _joint_space(random: Random, folder: Path) -> list[str]:
    from tests.darts.joint.small import DESCRIBED

    space = {**DESCRIBED, "constraints": [{"nondecreasing": ["w0", "wa"]}]}
    (folder / "own.yaml").write_bytes(wrong_text(random, space, yaml_text))
    return ["joint", "show", random.choice(("own.yaml", "own.yaml", "own.yaml+recipe"))]


def _store(random: Random, folder: Path) -> list[str]:
    """An experiment whose file is damaged, or whose values are."""
    name, file = random.choice(
        (
            ("population", "population.sqlite"),
            ("joint", "trials.sqlite"),
            ("sweep", "trials.sqlite"),
        )
    )
    run = _copy(name, folder)
    path = run / file
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    if random.random() < 0.4:
        path.write_bytes(damaged(random, path.read_bytes()))
    else:
        _change_rows(random, path)
    return {
        "population": random.choice(
            (
                ["space", "show", "population"],
                ["space", "show", "population", "--json"],
                [
                    "space",
                    "show",
                    "population",
                    "--trial",
                    random.choice(("'; DROP TABLE trial; --", "1", *WORDS)).replace("\0", ""),
                ],
                ["space", "analyse", "population", "-o", "pages"],
                ["space", "rank", "population"],
            )
        ),
        "joint": random.choice(
            (["joint", "show", "joint"], ["joint", "search", "--resume", "joint"])
        ),
        "sweep": random.choice((["sweep", "show", "sweep"], ["report", "sweep"])),
    }[name]


def _change_rows(random: Random, path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    tables = {
        "trial": (
            "key",
            "settings",
            "status",
            "attempts",
            "milliseconds",
            "result",
            "error",
            "number",
        ),
        "experiment": ("name", "value"),
        "curve": ("measured", "epoch"),
        "environment": ("description",),
    }
    for _ in range(random.choice((1, 1, 2))):
        table = random.choice(list(tables))
        column = random.choice(tables[table])
        row = connection.execute(
            f"SELECT {column} FROM {table} ORDER BY random() LIMIT 1"
        ).fetchone()
        value: Any = row[0] if row else None
        try:
            value = wrong_text(random, json.loads(value), json.dumps).decode("utf-8", "replace")
        except (TypeError, ValueError):
            value = random.choice((None, random.choice(NUMBERS), random.choice(WORDS), b"\xff"))
        if isinstance(value, int) and abs(value) >= 2**63:
            value = str(value)
        try:
            connection.execute(f"UPDATE {table} SET {column} = ?", (value,))
        except (sqlite3.Error, UnicodeError):
            continue
    connection.commit()
    connection.close()


KINDS = (
    commands(
        "checkpoints",
        "damaged checkpoints, also with a right digest; pickled code",
        _checkpoint,
        500,
        0,
    ),
    commands(
        "records", "damaged settings, metrics, results and genotypes of runs", _record, 750, 0
    ),
    commands("joint-runs", "damaged joint searches, candidates and predictors", _joint, 300, 0),
    commands("joint-spaces", "damaged files of joint spaces", _joint_space, 1500, 5),
    commands("stores", "damaged experiments in SQLite: pages, rows, values", _store, 350, 0),
)
