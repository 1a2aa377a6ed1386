"""A run goes on with its own settings and its own checkpoint, or says which of them differs."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
import torch
import yaml

from darts.cli import main
from darts.errors import UserError
from darts.run_files import RunFiles
from darts.runs.checkpoints import load_checkpoint, save_checkpoint
from darts.runs.same_settings import check_settings, kept_settings
from darts.searching.options import SearchOptions
from darts.training.options import TrainingOptions

COMMANDS = {"search": "search", "evaluate": "evaluate"}
TINY = "--dataset digits --preset smoke --epochs 1 --train-images 40 --test-images 10 --threads 1"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search in `search`, one of other size in `wide`, a retraining in `evaluate`."""
    folder = tmp_path_factory.mktemp("runs")
    search = f"search {TINY} --batch-size 20 --channels 4 --layers 3 --backend torch"
    words = [
        (f"{search} --run-dir {folder}/search", "search"),
        (f"{search} --channels 8 --run-dir {folder}/wide", "wide"),
        (
            f"evaluate {TINY} --batch-size 20 --genotype darts_v1 --channels 4 --layers 3 "
            f"--run-dir {folder}/evaluate",
            "evaluate",
        ),
    ]
    for line, _ in words:
        assert main(line.split()) == 0
    return folder


def refused(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(line.split()) == 2
    lines = capsys.readouterr().err.splitlines()
    errors = [one for one in lines if one.startswith("error: ")]
    assert len(errors) == 1
    assert "Traceback" not in "\n".join(lines)
    return errors[0]


def copied(run: Path, target: Path, **changes: object) -> Path:
    shutil.copytree(run, target)
    files = RunFiles(target)
    files.config.write_text(yaml.safe_dump({**files.read_config(), **changes}))
    return target


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        ("search", {"channels": 12}, "channels is 12 in config.yaml and 4 in the checkpoint"),
        ("search", {"layers": 4}, "layers is 4 in config.yaml and 3"),
        ("search", {"nodes": 4}, "nodes is 4 in config.yaml and 3"),
        ("search", {"space": "nasbench201"}, "space is nasbench201"),
        ("search", {"seed": 9}, "seed is 9 in config.yaml and 2"),
        ("search", {"epochs": 5}, "epochs is 5 in config.yaml and 1"),
        ("search", {"batch_size": 10}, "batch_size is 10"),
        ("evaluate", {"learning_rate": 0.5}, "learning_rate is 0.5"),
        ("evaluate", {"grad_clip": 0.0, "cutout": 1}, "; "),
    ],
)
def test_an_edited_setting_is_named(kind, changes, said, runs, tmp_path, capsys) -> None:
    run = copied(runs / kind, tmp_path / "run", **changes)
    before = {file: file.read_bytes() for file in run.rglob("*") if file.is_file()}
    error = refused(f"{kind} --resume {run}", capsys)
    assert said in error
    assert "Put the old value back" in error
    del before[run / "metrics.jsonl"]  # Rewritten with the same lines.
    before.pop(run / "environment.json")
    assert all(file.read_bytes() == content for file, content in before.items())


def test_the_checkpoint_of_another_run_is_refused(runs, tmp_path, capsys) -> None:
    run = copied(runs / "search", tmp_path / "a")
    shutil.copy(runs / "wide" / "checkpoint.pt", run / "checkpoint.pt")
    error = refused(f"search --resume {run}", capsys)
    assert "channels is 4 in config.yaml and 8 in the checkpoint" in error
    shutil.copy(runs / "evaluate" / "checkpoint.pt", run / "checkpoint.pt")
    assert "another kind of run" in refused(f"search --resume {run}", capsys)


def test_a_checkpoint_that_knows_no_settings_is_one_sentence_too(runs, tmp_path, capsys) -> None:
    run = copied(runs / "search", tmp_path / "a")
    state = load_checkpoint(runs / "wide")
    del state["task"]["settings"]
    save_checkpoint(state, run)
    assert "the checkpoint does not fit config.yaml" in refused(f"search --resume {run}", capsys)


@pytest.mark.parametrize("line", ["report {run}/search", "draw darts_v2 -o {run}/cells"])
def test_a_target_that_cannot_be_written(line, runs, capsys, monkeypatch) -> None:
    def read_only(path: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    before = sorted(path for path in runs.rglob("*") if path.is_file())
    monkeypatch.setattr("genotypes.atomic._own_file", read_only)
    assert "Read-only file system. " in refused(line.format(run=runs), capsys)
    assert sorted(path for path in runs.rglob("*") if path.is_file()) == before


@pytest.mark.parametrize(
    ("command", "run", "right"),
    [
        ("search", "evaluate", "a retraining; continue it with python evaluate.py --resume"),
        ("evaluate", "search", "a search; continue it with python search.py --resume"),
        ("detect", "search", "a search; continue it with python search.py --resume"),
        ("compare", "evaluate", "a retraining; continue it with python evaluate.py --resume"),
        ("joint search", "search", "a search; continue it with python search.py --resume"),
    ],
)
def test_a_run_of_another_kind_names_its_command(command, run, right, runs, capsys) -> None:
    assert right in refused(f"{command} --resume {runs / run}", capsys)


def test_what_may_change_may_change(runs, tmp_path) -> None:
    run = copied(runs / "evaluate", tmp_path / "moved")
    assert main(f"evaluate --resume {run} --threads 2 --log-every 3".split()) == 0


def test_a_folder_of_images_may_move_but_not_become_another_source() -> None:
    saved = kept_settings(SearchOptions(dataset="folder:/old/photos"))
    check_settings(saved, SearchOptions(dataset="folder:/new/photos"))
    with pytest.raises(
        UserError, match=r"dataset is digits in config\.yaml and folder:/old/photos"
    ):
        check_settings(saved, SearchOptions(dataset="digits"))


def test_a_teacher_may_move_but_not_appear_or_go() -> None:
    saved = kept_settings(TrainingOptions(teacher="/old/run"))
    check_settings(saved, TrainingOptions(teacher="/new/run"))
    with pytest.raises(UserError, match=r"teacher is not set in config\.yaml and /old/run"):
        check_settings(saved, TrainingOptions())


def test_a_checkpoint_can_hold_the_settings() -> None:
    for options in (SearchOptions(), TrainingOptions()):
        kept = kept_settings(options)
        assert not {"run_dir", "resume", "threads", "device", "workers"} & kept.keys()
        assert {"seed", "epochs", "dataset", "batch_size"} <= kept.keys()
        torch.save(kept, "/dev/null")
        check_settings(kept, options)
        check_settings(None, options)
