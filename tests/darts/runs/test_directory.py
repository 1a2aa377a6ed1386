import getpass
import importlib.metadata
import json
import math
import os
import platform
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from darts.errors import UserError
from darts.run_files import RunFiles
from darts.runs import directory as runs
from darts.runs.checkpoints import load_checkpoint, save_checkpoint
from darts.runs.directory import RunDirectory
from ops.native.target import describe_target

ROOT = Path(__file__).parents[3]


@pytest.fixture
def run(tmp_path):
    return RunDirectory.create(tmp_path / "run", config={"seed": 2})


def test_default_directories_are_named_by_time_and_never_shared(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = [RunDirectory.create(what="search").path for _ in range(3)]
    assert len(set(made)) == 3
    for path in made:
        assert re.fullmatch(r"runs/\d{8}-\d{6}-search(-\d+)?", str(path))
        assert path.is_dir()


def test_same_second_gets_a_number(tmp_path, monkeypatch):
    class Frozen(runs.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2024, 2, 29, 13, 5, 9)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runs, "datetime", Frozen)
    names = [RunDirectory.create(what="evaluate").path.name for _ in range(3)]
    assert names == [f"20240229-130509-evaluate{end}" for end in ("", "-2", "-3")]


def test_directory_with_a_run_is_refused(run):
    with pytest.raises(UserError, match=r"already holds a run.*--resume .*run.*another --run-dir"):
        RunDirectory.create(run.path)


def test_existing_directory_without_a_run_is_taken(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert RunDirectory.create(tmp_path).path == tmp_path
    # Nothing to resume yet, so that a start that failed does not block the next one.
    RunDirectory.create(tmp_path)


def test_impossible_directory_is_a_clear_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file.* cannot be created: "):
        RunDirectory.create(tmp_path / "file" / "run")
    with pytest.raises(UserError, match=r"file cannot be created: File exists"):
        RunDirectory.create(tmp_path / "file")


def test_open_takes_runs_only(run, tmp_path):
    assert RunDirectory.open(str(run.path)) == run
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UserError, match="is not a run directory"):
            RunDirectory.open(path)


def test_config_comes_back_in_its_order(run):
    config = {"seed": 2, "arch": {"k": 4, "betas": [0.5, 0.999]}, "data_dir": None, "name": "à"}
    run.write_config(config)
    found = yaml.safe_load((run.path / "config.yaml").read_text(encoding="utf-8"))
    assert found == config
    assert [*found] == [*config]


def test_paths(run):
    assert run.epoch_genotype(7).relative_to(run.path) == Path("genotypes/epoch-007.yaml")
    names = [run.genotype, run.cells, run.tensorboard, run.report, run.metrics]
    assert [path.name for path in names] == [
        "genotype.yaml", "cells", "tensorboard", "report.html", "metrics.jsonl",
    ]  # fmt: skip


def strict(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def test_metrics_are_strict_json_lines(run):
    run.log_metrics({"kind": "step", "step": 1, "epoch": 0, "loss": math.nan})
    run.log_metrics({"kind": "epoch", "step": 2, "epoch": 0, "table": [[-math.inf, 0.1]]})
    lines = [strict(line) for line in run.metrics.read_text().splitlines()]
    assert lines == [
        {"kind": "step", "step": 1, "epoch": 0, "loss": None},
        {"kind": "epoch", "step": 2, "epoch": 0, "table": [[None, 0.1]]},
    ]
    assert run.read_metrics() == lines


@pytest.mark.parametrize("record", [{"kind": "step"}, {"step": 1}, {}])
def test_metrics_need_kind_and_step(run, record):
    with pytest.raises(ValueError, match="'kind' and 'step'"):
        run.log_metrics(record)
    with pytest.raises(TypeError):
        run.log_metrics({"kind": "step", "step": 1, "loss": torch.zeros(())})
    assert not run.metrics.exists()


def test_truncation_drops_what_the_checkpoint_has_not_seen(run):
    run.truncate_metrics(0)
    for step in range(1, 7):
        run.log_metrics({"kind": "step", "step": step, "loss": 1 / (3 * step)})
    run.log_metrics({"kind": "epoch", "step": 4})
    kept = [*run.metrics.read_text().splitlines()[:4], '{"kind": "epoch", "step": 4}']
    with run.metrics.open("a") as stream:
        stream.write('{"kind": "step", "ste')
    assert len(run.read_metrics()) == 7
    run.truncate_metrics(4)
    assert run.metrics.read_text().splitlines() == kept
    run.log_metrics({"kind": "step", "step": 5})
    assert [record["step"] for record in run.read_metrics()] == [1, 2, 3, 4, 4, 5]


@pytest.mark.parametrize("torn", ["", "7", '{"kind"', "\x00\x00"])
def test_torn_last_line_is_dropped(run, torn):
    run.log_metrics({"kind": "step", "step": 1})
    whole = run.metrics.read_text()
    run.metrics.write_text(whole + torn)
    run.truncate_metrics(1)
    assert run.metrics.read_text() == whole


def test_checkpoints_lie_in_the_run(run):
    save_checkpoint({"step": 1, "values": torch.arange(3)}, run.path)
    save_checkpoint({"step": 2, "values": torch.arange(4)}, run.path)
    assert load_checkpoint(run.path, ("values",))["values"].tolist() == [0, 1, 2, 3]
    with pytest.raises(UserError, match="lacks supernet"):
        load_checkpoint(run.path, ("supernet",))


def test_result_is_strict_json(run):
    run.write_result({"test_accuracy": 97.5, "loss": math.inf})
    text = (run.path / "result.json").read_text()
    assert strict(text) == {"test_accuracy": 97.5, "loss": None}


def test_environment_is_recorded_at_each_start(run):
    run.record_environment(device="cpu")
    first, second = strict((run.path / "environment.json").read_text())
    assert first["python"] == platform.python_version()
    assert first["torch"] == importlib.metadata.version("torch")
    assert first["numpy"] == importlib.metadata.version("numpy")
    assert first["cpus"] == os.cpu_count()
    assert first["native_target"] == describe_target()
    assert second.pop("device") == "cpu"
    assert second.keys() == first.keys()


def test_environment_names_neither_user_nor_host_nor_paths():
    text = json.dumps(runs.environment())
    for private in (str(Path.home()), str(ROOT), os.getcwd()):
        if len(private) > 1:
            assert private not in text
    for private in (getpass.getuser(), socket.gethostname()):
        assert private not in runs.environment().values()


def test_import_is_light():
    script = "import sys, darts.runs.directory; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_lines_of_another_kind_count_as_damaged(tmp_path: Path) -> None:
    files = RunFiles(tmp_path)
    good = '{"kind": "step", "step": 1, "epoch": 0}'
    bad = ['{"kind": 3}', '{"step": "x"}', '{"step": null}', '{"epoch": 1.5}', "[" * 9000, "[1]"]
    files.metrics.write_text("\n".join([good, *bad]))
    assert files.read_metric_lines() == ([{"kind": "step", "step": 1, "epoch": 0}], len(bad))
