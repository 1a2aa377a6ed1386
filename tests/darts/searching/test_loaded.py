"""A searched supernet, loaded from its run directory."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from darts.errors import UserError
from darts.runs.checkpoints import load_checkpoint
from darts.searching.loaded import load_searched
from darts.searching.norm_statistics import OfEachBatch, Reestimated
from darts.searching.protocols import OneShotProtocol
from darts.searching.subnetworks import cells_of
from darts.searching.task import SearchTask, search_cells
from genotypes import load_genotype
from tests.darts.runs_support import assert_same, search_options

SMALL = {
    "space": "nasbench201",
    "method": "gdas",
    "epochs": 1,
    "train_images": 120,
    "channels": 4,
    "backend": "torch",
}
PROTOCOL = OneShotProtocol(name="reestimated", batch_size=20, statistics_images=50, seed=3)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("searched") / "run"
    search_cells(search_options(path, **SMALL))
    return path


def test_weights_architecture_and_images_are_those_of_the_search(searched: Path) -> None:
    before = {file: file.read_bytes() for file in searched.rglob("*") if file.is_file()}
    loaded = load_searched(searched)
    state = load_checkpoint(searched)["task"]
    assert_same(dict(loaded.supernet.state_dict()), dict(state["supernet"]))
    assert_same(dict(loaded.architecture.state_dict()), dict(state["architecture"]))
    assert (loaded.epochs, loaded.planned) == (1, 1)
    derived = load_genotype(searched / "genotype.yaml")
    assert loaded.architecture.derive("x").normal == derived.normal
    task = SearchTask(search_options(searched.parent / "unused", **SMALL))
    assert loaded.images.validation_indices.equal(task.images.validation_indices)
    cells = cells_of(derived)
    assert loaded.score(PROTOCOL)(cells) == load_searched(searched).score(PROTOCOL)(cells)
    assert {file: file.read_bytes() for file in searched.rglob("*") if file.is_file()} == before


def test_common_images_are_validation_images_in_an_order_of_the_seed(searched: Path) -> None:
    loaded = load_searched(searched)
    some = replace(PROTOCOL, images=30)
    score, other = loaded.score(some), loaded.score(replace(some, seed=4))
    first, again = (list(loaded.score(some).validation()) for _ in range(2))
    assert [len(labels) for _, labels in first] == [20, 10]
    assert all(one.equal(two) for (one, _), (two, _) in zip(first, again, strict=True))
    assert not first[0][0].equal(next(iter(other.validation()))[0])
    assert len(score.validation) == 2
    images, labels = next(iter(score.validation.only(1)()))
    assert images.equal(first[1][0])
    assert labels.equal(first[1][1])
    own = loaded.images
    assert set(score.validation.indices.tolist()) <= set(own.validation_indices.tolist())  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"--images 61: .* has only 60 validation images"):
        loaded.score(replace(some, images=61))


def test_statistics_use_full_batches_of_the_other_half(searched: Path) -> None:
    loaded = load_searched(searched)
    batches = list(loaded.images.statistics_batches(50))
    assert [len(labels) for _, labels in batches] == [20, 20]
    same = list(loaded.images.statistics_batches(50))
    assert all(one[0].equal(two[0]) for one, two in zip(batches, same, strict=True))
    training = loaded.images.dataset.train.labels[loaded.images.weight_indices]
    assert len(training) == 60


@pytest.mark.parametrize("statistics", ["batch", "reestimated"])
@pytest.mark.parametrize(
    "selection", ["best-child:samples=2,rounds=1", "evolution:generations=1,population=2"]
)
def test_a_selection_judges_by_the_statistics_that_it_names(
    searched: Path, selection: str, statistics: str, tmp_path: Path
) -> None:
    named = f"{selection},statistics={statistics}"
    options = search_options(tmp_path / "a", **{**SMALL, "method": "spos", "selection": named})
    task = SearchTask(options)
    assert task.selecting is not None
    found = task.selecting.score.statistics  # type: ignore[attr-defined]
    assert isinstance(found, Reestimated if statistics == "reestimated" else OfEachBatch)
    task.begin_epoch(0)
    before = {name: value.clone() for name, value in task.supernet.state_dict().items()}
    task.selecting.finish()
    assert 0 <= task.selecting.state_dict()["accuracy"] <= 100
    assert_same(dict(task.supernet.state_dict()), before)


def test_what_is_no_search_is_refused(searched: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is not a run directory: it has no config\.yaml"):
        load_searched(tmp_path)
    (tmp_path / "config.yaml").write_text("genotype: darts_v2\nepochs: 3\n")
    with pytest.raises(UserError, match="not the run of a search, so it has no supernet"):
        load_searched(tmp_path)
    copied = tmp_path / "copied"
    shutil.copytree(searched, copied)
    for name in ("checkpoint.pt", "checkpoint.previous.pt"):
        (copied / name).unlink(missing_ok=True)
    with pytest.raises(UserError, match="There is no checkpoint"):
        load_searched(copied)


def test_files_of_the_users_own_run_only_if_they_are_named(searched: Path, tmp_path: Path) -> None:
    copied = tmp_path / "copied"
    shutil.copytree(searched, copied)
    (copied / "used").mkdir()
    (copied / "used" / "mine.py").write_text("raise SystemExit('it ran')\n")
    sha = hashlib.sha256((copied / "used" / "mine.py").read_bytes()).hexdigest()
    (copied / "used" / "SHA256SUMS").write_text(f"{sha}  mine.py\n")
    config = yaml.safe_load((copied / "config.yaml").read_text())
    (copied / "config.yaml").write_text(yaml.safe_dump({**config, "use": "mine.py"}))
    with pytest.raises(UserError, match=r"uses mine.py, .*add --use .*used/mine.py"):
        load_searched(copied)


def test_a_space_of_ones_own_is_read_from_the_run(tmp_path: Path) -> None:
    space = {"name": "two", "operations": ["skip_connect", "sep_conv_3x3"], "zero": None}
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump(space))
    small = {**SMALL, "space": str(file), "method": "darts-v1", "nodes": 2}
    search_cells(search_options(tmp_path / "run", **small))
    file.unlink()
    loaded = load_searched(tmp_path / "run")
    assert loaded.architecture.space.operations == ("skip_connect", "sep_conv_3x3")
    score = loaded.score(replace(PROTOCOL, name="batch"))
    assert 0 <= score(cells_of(load_genotype(tmp_path / "run" / "genotype.yaml"))).accuracy <= 100
    assert torch.is_grad_enabled()
