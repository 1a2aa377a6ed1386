"""Whole studies on digits: in NAS-Bench-201 against a table, in the DARTS space by retraining."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darts import api
from darts.cli import main
from darts.correlation.options import CorrelationOptions
from darts.correlation.study import CORRELATION_FILE
from darts.errors import UserError
from darts.searching.loaded import load_searched
from darts.searching.protocols import OneShotProtocol
from darts.searching.subnetworks import cells_of
from darts.searching.task import search_cells
from darts.trials.schema import TRIALS_FILE
from darts.trials.store import TrialStore
from genotypes.nasbench201 import (
    all_cells,
    arch_string,
    genotype_of,
    official_index,
    parse_arch_string,
)
from tests.darts.runs_support import search_options

TINY = {"epochs": 1, "train_images": 120, "channels": 4, "backend": "torch"}
CELLS = all_cells()[:40]


def accuracy(operations: Sequence[str]) -> float:
    """A made-up truth that differs between cells: it likes convolutions on late edges."""
    return 50 + sum((place + 1) * name.count("conv_") for place, name in enumerate(operations))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished searches in NAS-Bench-201, and a table that knows 40 cells."""
    place = tmp_path_factory.mktemp("correlation")
    for seed in (0, 1):
        own = {**TINY, "space": "nasbench201", "method": "gdas", "seed": seed}
        search_cells(search_options(place / f"g{seed}", **own))
    rows = [
        f"{arch_string(genotype_of(one))},{accuracy(one) + index / 50},{accuracy(one) + index / 90}"
        for index, one in enumerate(CELLS)
    ]
    (place / "table.csv").write_text("\n".join(["arch,valid_acc,test_acc", *rows]))
    return place


def study(place: Path, *runs: str, **settings: Any) -> dict[str, Any]:
    """The content of `correlation.json`."""
    given = {"table": str(place / "table.csv"), "cells": 30, "batch_size": 20, **settings}
    finished = api.correlate([place / run for run in runs], device="cpu", **given)
    written = json.loads((finished.path / CORRELATION_FILE).read_text())
    assert written == json.loads(json.dumps(finished.correlation.as_dict()))
    return written


def test_against_a_table(place: Path, tmp_path: Path) -> None:
    found = study(place, "g0", "g1", output=str(tmp_path), protocol="reestimated")
    assert len(found["cells"]) == found["setting"]["judged_cells"] == 30
    protocol = OneShotProtocol(name="reestimated", batch_size=20)
    for place_of_run, run in enumerate(("g0", "g1")):
        score = load_searched(place / run, device="cpu").score(protocol)
        for one in found["cells"][:4]:
            genotype = parse_arch_string(one["name"])
            assert one["one_shot"][place_of_run] == score(cells_of(genotype)).accuracy
    for one in found["cells"]:
        number = official_index(parse_arch_string(one["name"]))
        assert one["truth"] == pytest.approx(accuracy(CELLS[number]) + number / 90)
    best = max(range(30), key=lambda index: found["cells"][index]["one_shot"][1])
    truth = [one["truth"] for one in found["cells"]]
    chosen = found["runs"][1]["choice"]
    assert chosen["cell"] == best
    assert chosen["regret"] == pytest.approx(max(truth) - truth[best])
    assert chosen["rank"] == 1 + sum(one > truth[best] for one in truth)
    assert chosen["table_rank"] >= chosen["rank"]
    assert found["random_regret"] == pytest.approx(max(truth) - np.mean(truth))
    kendalls = [run["all"]["kendall"]["middle"] for run in found["runs"]]
    assert found["over_runs"]["kendall"]["mean"] == pytest.approx(np.mean(kendalls))
    assert found["ceiling"]["all"]["spearman"]["middle"] > 0.9
    assert set(found["baselines"]) == {"parameters", "multiply-adds"}
    assert (tmp_path / "one-shot.svg").is_file()


def test_successive_batches(place: Path, tmp_path: Path) -> None:
    """Cell number i is judged on batch number i of three batches of 20 images."""
    found = study(place, "g0", output=str(tmp_path), cells=5, protocol="one-batch", successive=True)
    score = load_searched(place / "g0").score(
        OneShotProtocol(name="one-batch", batch_size=20, successive=True)
    )
    for number, one in enumerate(found["cells"]):
        cells = cells_of(parse_arch_string(one["name"]))
        assert one["one_shot"] == [score(cells, number).accuracy]
        assert (one["one_shot"][0] * 20 / 100).is_integer()


def test_runs_may_be_added_and_finished_cells_are_kept(place: Path, tmp_path: Path) -> None:
    first = study(place, "g0", output=str(tmp_path), cells=6)
    both = study(place, "g0", "g1", output=str(tmp_path), cells=6)
    assert [one["one_shot"][0] for one in both["cells"]] == [
        one["one_shot"][0] for one in first["cells"]
    ]
    with TrialStore(tmp_path / TRIALS_FILE, read_only=True) as store:
        assert [trial.attempts for trial in store.rows()] == [1] * 12
    with pytest.raises(UserError, match="belongs to another experiment: protocol is"):
        study(place, "g0", output=str(tmp_path), cells=6, protocol="running")


def finished(directory: Path) -> int:
    """Number of finished trials of a study that may be just beginning."""
    try:
        with TrialStore(directory / TRIALS_FILE, read_only=True) as store:
            return store.counts()["done"]
    except UserError:
        return 0


def test_a_killed_study_continues_with_the_same_bytes(place: Path, tmp_path: Path) -> None:
    arguments = [str(place / "g0"), "--table", str(place / "table.csv"), "--cells", "10"]
    arguments += ["--device", "cpu", "--batch-size", "4", "--protocol", "reestimated"]
    arguments += ["--statistics-images", "40"]
    command = [sys.executable, "-m", "darts", "benchmark", "correlate", *arguments]
    killed = subprocess.Popen(
        [*command, "-o", str(tmp_path / "a")],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and killed.poll() is None and finished(tmp_path / "a") < 2:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    done = finished(tmp_path / "a")
    assert 2 <= done < 10
    assert not (tmp_path / "a" / CORRELATION_FILE).exists()
    for name in ("a", "b"):
        assert main(["benchmark", "correlate", *arguments, "-o", str(tmp_path / name)]) == 0
    for file in (CORRELATION_FILE, "one-shot.svg", "one-shot.png"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_the_command(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(place / "g0"), str(place / "g1")]
    arguments = ["--table", str(place / "table.csv"), "--cells", "12", "--connected"]
    command = ["benchmark", "correlate", *runs, *arguments, "--device", "cpu"]
    assert main([*command, "-o", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    for words in (
        "12 of ",
        "without cells that have no path",
        "one-shot, 2 runs",
        "parameters",
        "validation accuracy of the table",
        "The supernets were trained on digits",
        "Best one-shot cell of",
        "A cell chosen at random",
        str(tmp_path / "one-shot.svg"),
    ):
        assert words in text, words
    assert main([*command, "-o", str(tmp_path), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / CORRELATION_FILE).read_text())


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two files of images that differ in their test images alone."""
    place, generator = tmp_path_factory.mktemp("pixels"), np.random.default_rng(0)
    images = generator.integers(0, 255, (120, 8, 8, 3), dtype=np.uint8)
    labels = np.arange(120) % 3
    images[..., 0] //= labels[:, None, None].astype(np.uint8) + 1
    files = {}
    for name in ("a", "b"):
        files[name] = place / f"{name}.npz"
        noise = generator.integers(0, 255, (30, 8, 8, 3), dtype=np.uint8)
        tests = {"x_test": noise, "y_test": generator.permutation(np.arange(30) % 3)}
        np.savez(files[name], x_train=images, y_train=labels, **tests)
    return files


def test_by_retraining_on_held_out_training_images(pixels: dict[str, Path], tmp_path: Path) -> None:
    """The test images decide nothing: with other ones the outcome is the same."""
    found = []
    for name, file in pixels.items():
        own = {**TINY, "dataset": f"array:{file}", "method": "darts-v1", "nodes": 2}
        run = tmp_path / name / "run"
        run.parent.mkdir()
        search_cells(search_options(run, **{**own, "train_images": None, "test_images": None}))
        finished = api.correlate(
            [run],
            device="cpu",
            cells=3,
            batch_size=20,
            retrainings=2,
            retrain_epochs=1,
            retrain_batch_size=24,
            hold_out=4,
        )
        assert finished.path == run / "correlation"
        found.append(json.loads((finished.path / CORRELATION_FILE).read_text()))
    one, other = found
    assert one["cells"] == other["cells"]
    recipe = one["setting"]["retraining"]
    assert (recipe["epochs"], recipe["channels"], recipe["layers"]) == (1, 4, 3)
    for cell in one["cells"]:
        # 30 of 120 images are held out.
        counts = [value * 30 / 100 for value in cell["retrained"]]
        assert counts == pytest.approx([round(count) for count in counts])
        assert cell["truth"] == pytest.approx(np.mean(cell["retrained"]))
        assert cell["params"] > 0
    assert one["ceiling"] is not None
    assert "every fourth training image" in " ".join(one["sentences"])


def test_what_cannot_be_compared(place: Path, tmp_path: Path) -> None:
    own = {**TINY, "method": "darts-v1", "nodes": 2}
    search_cells(search_options(tmp_path / "darts", **own))
    table = {"table": str(place / "table.csv"), "device": "cpu"}
    for runs, settings, message in (
        (["g0"], {**table, "cells": 2}, "--cells 2: a rank correlation needs at least 3"),
        (["g0"], {**table, "cells": 41}, "--cells 41: there are only 40 cells"),
        (["g0", "g0"], table, "given twice"),
        ([], table, "Which searches"),
        (["g0"], {**table, "images": 61, "cells": 3}, "has only 60 validation images"),
        ([str(tmp_path / "darts")], {**table, "cells": 3}, "is a search in the space darts"),
        (["g0", str(tmp_path / "darts")], {"cells": 3}, "differ in --nodes"),
        (["g0"], {"cells": 3, "hold_out": 1}, "--hold-out: must be 2 or more"),
        (["nowhere"], {**table, "cells": 3}, "is not a run directory"),
        (["g0"], {**table, "table": str(place / "none.csv")}, "there is no such table"),
        (["g0"], {**table, "protocol": "best"}, "--protocol"),
    ):
        with pytest.raises(UserError, match=message):
            api.correlate([place / run for run in runs], output=str(tmp_path / "out"), **settings)
        assert not (tmp_path / "out").exists()
    assert CorrelationOptions(runs=("a",)).count == 16
    assert CorrelationOptions(runs=("a",), table="t").count == 200
