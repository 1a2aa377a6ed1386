"""`--use`: a user's own file is searched, drawn, costed, resumed, retrained and exported.

Its code runs only if the command line names it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

import darts
from darts.run_files import RunFiles
from darts.settings.used_files import use_files
from darts.trials.attempt import ReportEpoch
from darts.trials.executors import run_trials
from darts.trials.job import Resources
from darts.trials.store import TrialStore
from darts.trials.used import using_files
from ops.registry import list_operations
from tests.darts.apart import Answer, apart, command, interrupted
from tests.darts.runs_support import assert_same_run

FILE = Path(__file__).with_name("my_parts.py")
SMALL = "--dataset digits --preset smoke --device cpu --threads 1 --log-every 1 --train-images 200"
PARTS = (
    "--space scaled --relaxation sharp:temperature=0.4 --regulariser decided:strength=2+entropy "
    "--nodes 2 --channels 4 --k 2"
)
SEARCH = f"search {PARTS} {SMALL}".split()
RETRAIN = f"evaluate --genotype whole/genotype.yaml {SMALL} --channels 4 --epochs 1".split()
USE = ["--use", "my_parts.py"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's folder: the file, another version of it, and a finished search."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copy(FILE, folder)
    (folder / "other").mkdir()
    (folder / "other" / FILE.name).write_text(FILE.read_text() + "\nopen('has-run', 'w')\n")
    answer = command(folder, *SEARCH, *USE, "--run-dir", "whole")
    assert answer.code == 0, answer.err
    return folder


def refused(answer: Answer, *words: str) -> None:
    assert answer.code == 2, answer.err
    assert answer.err.startswith("error: ")
    assert "Traceback" not in answer.err
    for word in words:
        assert word in answer.err


def test_the_parts_are_searched_and_the_file_is_kept(folder: Path) -> None:
    run = RunFiles(folder / "whole")
    lines = run.read_metrics()
    rows = [line for line in lines if line["kind"] == "epoch"][-1]["architecture"]["normal"]
    assert {len(row) for row in rows["operations"]} == {3}
    assert (run.used / "my_parts.py").read_bytes() == FILE.read_bytes()
    sha256 = hashlib.sha256(FILE.read_bytes()).hexdigest()
    assert run.used_checksums.read_text() == f"{sha256}  my_parts.py\n"
    assert run.read_config()["use"] == "my_parts.py"
    provenance = yaml.safe_load(run.genotype.read_text())["provenance"]
    assert provenance["use"] == {
        "my_parts.py": {"sha256": sha256, "kept": "whole/used/my_parts.py"}
    }


def test_an_interrupted_search_continues_with_the_same_file_only(folder: Path) -> None:
    stopped = apart(folder, interrupted, [*SEARCH, *USE, "--run-dir", "broken"], 4)
    assert stopped.code == 130
    resume = ["search", "--resume", "broken"]
    refused(
        command(folder, *resume),
        "uses my_parts.py",
        "--resume broken --use broken/used/my_parts.py",
    )
    refused(command(folder, *resume, "--use", "other/my_parts.py"), "differs from the one")
    assert not (folder / "has-run").exists()
    assert command(folder, *resume, *USE).code == 0
    assert_same_run(folder / "whole", folder / "broken")


def test_a_genotype_is_drawn_and_counted(folder: Path) -> None:
    drawn = command(folder, "draw", "whole/genotype.yaml", "-o", "cells", "--formats", "gv")
    assert drawn.code == 0
    assert 'label="scaled ' in (folder / "cells" / "normal.gv").read_text()
    cost = ["cost", "whole/genotype.yaml", "--layers", "3", "--channels", "8", "--json"]
    refused(command(folder, *cost), "operation scaled_", "add --use whole/used/my_parts.py")
    counted = command(folder, *cost, *USE)
    assert json.loads(counted.out)["params"] > 0
    warned = command(folder, *cost, "--use", "other/my_parts.py")
    assert warned.out == counted.out
    assert "warning: my_parts.py differs from the file that genotype 'whole'" in warned.err
    (folder / "has-run").unlink()


def test_a_genotype_is_retrained_and_exported(folder: Path) -> None:
    refused(command(folder, *RETRAIN), "add --use whole/used/my_parts.py")
    trained = command(folder, *RETRAIN, *USE, "--run-dir", "network")
    assert trained.code == 0, trained.err
    assert (folder / "network" / "used" / "my_parts.py").read_bytes() == FILE.read_bytes()
    refused(command(folder, "evaluate", "--resume", "network"), "network/used/my_parts.py")
    form = "onnx" if find_spec("onnxruntime") else "torch-export"
    export = ["export", "--checkpoint", "network", "-o", "network.file", "--format", form]
    refused(command(folder, *export), "--use")
    exported = command(folder, *export, *USE)
    assert exported.code == 0, exported.err
    assert "largest difference of logits" in exported.out


def test_a_comparison_keeps_the_file(folder: Path) -> None:
    options = (
        "--genotype whole/genotype.yaml --baseline random-cells --population 2 --tolerance 0.9 "
        "--channels 4 --layers 3 --epochs 1 --preset smoke --device cpu --latency-batch 0 "
        "--train-images 64 --test-images 20 --run-dir compared"
    )
    compared = command(folder, "compare", *options.split(), *USE)
    assert compared.code == 0, compared.err
    assert (folder / "compared" / "used" / "my_parts.py").is_file()
    refused(command(folder, "compare", "--resume", "compared"), "compared/used/my_parts.py")
    other = ["--use", "other/my_parts.py"]
    again = command(folder, "compare", *options.split(), *other)
    assert again.code == 2
    assert "differs from the one" in again.err
    (folder / "has-run").unlink()


def operations_known(settings: dict[str, Any], report: ReportEpoch) -> dict[str, Any]:
    return {"test_error": 0.0, "known": "scaled_3x3" in list_operations()}


def trials_in_processes() -> int:
    use_files("my_parts.py")
    with TrialStore("trials.sqlite") as store:
        store.add_all({"only": {}})
        work = using_files("my_parts.py", operations_known)
        run_trials(store, work, executor="processes", resources=Resources(workers=1))
        return 0 if (store.trial("only").result or {})["known"] else 1


def test_trials_in_other_processes_get_the_file(folder: Path) -> None:
    answer = apart(folder, trials_in_processes)
    assert answer.code == 0, answer.err


def test_spaces_and_parts_of_a_file_are_listed(folder: Path) -> None:
    listed = command(folder, "spaces", "scaled", *USE, "--json")
    assert json.loads(listed.out)[0]["supernet_parameters"] > 0
    refused(command(folder, "spaces", "scaled"), "no search space 'scaled'", "--use")
    parts = command(folder, "methods", "parts", "relaxation", *USE, "--json")
    own = json.loads(parts.out)[-1]
    assert (own["name"], own["summary"]) == ("sharp", "A softmax with a temperature")
    assert own["numbers"] == [{"name": "temperature", "type": "float", "default": 0.5}]
    random = command(folder, "genotypes", "--random", "1", "--space", "scaled", *USE)
    assert (folder / random.out.strip()).is_file()


def test_a_recipe_cannot_run_code(folder: Path) -> None:
    again = ["search", "--config", "whole/config.yaml", "--run-dir", "again"]
    refused(command(folder, *again), "add --use my_parts.py")
    assert not (folder / "again").exists()


def test_a_run_that_used_no_file_takes_none(folder: Path) -> None:
    (folder / "plain").mkdir()
    (folder / "plain" / "config.yaml").write_text("dataset: digits\n")
    resume = ["search", "--resume", "plain", "--use", "other/my_parts.py"]
    refused(command(folder, *resume), "did not use this file")
    assert not (folder / "has-run").exists()


OTHER_KINDS = """
from dataclasses import dataclass
from darts.methods.gradient import FirstOrder
from darts.methods.perturbation import RandomPerturbation
from darts.methods.selection import StrongestEdges
from darts.methods.stages import SearchStage
from darts.methods.stopping import Stop
from darts.plugins import register

@register("gradient", "my-gradient")
@dataclass(frozen=True)
class Gradient(FirstOrder):
    factor: float = 1.0

    def __call__(self, problem, validation, training):
        outcome, gradient = super().__call__(problem, validation, training)
        return outcome, tuple(self.factor * part for part in gradient)

@register("perturbation", "my-perturbation")
@dataclass(frozen=True)
class Perturbation:
    def __call__(self, problem, tables, batch, progress, generator):
        return dict(tables)

@register("selection", "my-selection")
@dataclass(frozen=True)
class Selection:
    evaluates = False

    def __call__(self, strengths, topology, space):
        return StrongestEdges()({kind: -one for kind, one in strengths.items()}, topology, space)

@register("stages", "my-stages")
@dataclass(frozen=True)
class Stages:
    first: int = 1

    def plan(self, epochs):
        return (SearchStage(0, self.first), SearchStage(self.first, epochs - self.first))

@register("stopping", "my-stopping")
@dataclass(frozen=True)
class Stopping:
    epochs: int = 2
    measures = ()

    def due(self, epoch):
        return False

    def __call__(self, history, epochs):
        return Stop("It is enough.", self.epochs - 1) if len(history) == self.epochs else None
"""


def test_all_other_kinds_of_parts_are_searched(tmp_path: Path) -> None:
    (tmp_path / "others.py").write_text(OTHER_KINDS)
    parts = (
        "--gradient my-gradient:factor=2 --perturbation my-perturbation --selection my-selection "
        "--stages my-stages --stopping my-stopping:epochs=2 --epochs 4 --method darts --nodes 2 "
        "--channels 4 --run-dir others"
    )
    answer = command(tmp_path, "search", *parts.split(), *SMALL.split(), "--use", "others.py")
    assert answer.code == 0, answer.err
    lines = RunFiles(tmp_path / "others").read_metrics()
    assert [line["epoch"] for line in lines if line["kind"] == "epoch"] == [0, 1]


def from_python() -> int:
    settings = dict(zip(SMALL.replace("--", "").split()[::2], SMALL.split()[1::2], strict=True))
    numbers = {name.replace("-", "_"): yaml.safe_load(text) for name, text in settings.items()}
    result = darts.search(
        use=[Path("my_parts.py")],
        space="scaled",
        regulariser="decided",
        run_dir="from-python",
        nodes=2,
        channels=4,
        k=2,
        **numbers,
    )
    return 0 if result.genotype.rules.name == "scaled" else 1


def test_the_same_from_python(folder: Path) -> None:
    answer = apart(folder, from_python)
    assert answer.code == 0, answer.err
    assert (folder / "from-python" / "used" / "my_parts.py").is_file()
