"""A small search: what moves when, what is written, and how it fails."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from darts.errors import UserError
from darts.runs.checkpoints import load_checkpoint
from darts.searching.task import SEARCH_STREAMS, SearchTask, search_cells
from genotypes import load_genotype
from ops.backends import VARIABLE, BackendError
from ops.native import build, kernels
from tests.darts.runs_support import assert_same, search_options


def test_a_search_writes_what_the_run_directory_promises(tmp_path: Path) -> None:
    seen = []
    options = search_options(tmp_path / "run", validate_every=1)
    result = search_cells(options, on_epoch=lambda *call: seen.append(call[2:]))
    run = tmp_path / "run"
    names = {path.name for path in run.iterdir()}
    assert names == {
        "config.yaml", "environment.json", "backend.json", "metrics.jsonl", "result.json",
        "genotype.yaml",
        "checkpoint.pt", "checkpoint.previous.pt", "genotypes", "tensorboard", ".lock",
    }  # fmt: skip
    assert sorted(path.name for path in (run / "genotypes").iterdir()) == [
        "epoch-001.yaml",
        "epoch-002.yaml",
    ]
    assert load_genotype(str(run / "genotype.yaml")) == result.genotype
    assert load_genotype(str(run / "genotypes/epoch-002.yaml")) == result.genotype
    assert result.genotype.nodes == 2
    assert result.genotype.provenance["searched_on"] == "digits"
    assert result.genotype.provenance["stem"] == "cifar"
    assert [(epoch, step) for epoch, step, _ in seen] == [(1, 5), (2, 10)]
    assert yaml.safe_load((run / "config.yaml").read_text())["channels"] == 8

    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line for line in lines if line["kind"] == "step"]
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert [line["step"] for line in steps] == list(range(1, 11))
    assert [line["step"] for line in epochs] == [5, 10]
    assert "architecture_loss" not in steps[0]
    assert "architecture_loss" in steps[5]
    means = sum(line["loss"] for line in steps[:5]) / 5
    assert epochs[0]["train_loss"] == pytest.approx(means, rel=1e-5)
    table = epochs[1]["architecture"]["normal"]
    assert len(table["operations"]) == 5
    assert sum(table["operations"][0]) == pytest.approx(1.0, abs=1e-6)
    assert table["edges"][0] + table["edges"][1] == pytest.approx(1.0, abs=1e-6)
    stored = json.loads((run / "result.json").read_text())
    assert stored["validation_accuracy"] == epochs[1]["validation_accuracy"]
    assert stored["genotype"] == result.genotype.as_dict()


@pytest.mark.parametrize("given", [".", ""])
def test_the_cell_of_a_run_in_the_current_directory_has_its_name(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    result = search_cells(replace(search_options(tmp_path), run_dir=given, epochs=1))
    assert result.genotype.name == "mine"
    assert load_genotype("genotype.yaml") == result.genotype


def test_alpha_and_beta_stay_during_the_warm_up_and_move_after_it(tmp_path: Path) -> None:
    task = SearchTask(search_options(tmp_path / "run", arch_warmup_epochs=1))
    initial = [parameter.detach().clone() for parameter in task.architecture.parameters()]
    weights = [parameter.detach().clone() for parameter in task.supernet.parameters()]
    task.begin_epoch(0)
    task.step()
    for before, now in zip(initial, task.architecture.parameters(), strict=True):
        assert before.equal(now)
    assert any(not b.equal(n) for b, n in zip(weights, task.supernet.parameters(), strict=True))
    task.begin_epoch(1)
    task.step()
    for before, now in zip(initial, task.architecture.parameters(), strict=True):
        assert not before.equal(now)


def test_both_halves_are_disjoint_and_hold_all_training_images(tmp_path: Path) -> None:
    task = SearchTask(search_options(tmp_path / "run"))
    ours = task.training._indices.tolist()
    theirs = task.validation._indices.tolist()
    assert not set(ours) & set(theirs)
    assert sorted(ours + theirs) == list(range(200))
    assert len(ours) == 100


def test_the_same_seed_gives_the_same_search_and_another_seed_another(tmp_path: Path) -> None:
    states = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        search_cells(search_options(tmp_path / name, seed=seed, epochs=1, arch_warmup_epochs=0))
        states.append(load_checkpoint(tmp_path / name)["task"])
    assert_same(states[0], states[1])
    for one, other in zip(
        states[0]["architecture"].values(), states[2]["architecture"].values(), strict=True
    ):
        assert not one.equal(other)


def test_no_draw_touches_the_global_generator(tmp_path: Path) -> None:
    torch.manual_seed(5)
    search_cells(search_options(tmp_path / "a", epochs=1, arch_warmup_epochs=0, sampling="random"))
    torch.manual_seed(6)
    search_cells(search_options(tmp_path / "b", epochs=1, arch_warmup_epochs=0, sampling="random"))
    states = [load_checkpoint(tmp_path / name)["task"] for name in "ab"]
    assert_same(*states)
    assert set(states[0]["streams"]) == set(SEARCH_STREAMS)


@pytest.mark.parametrize(
    "settings",
    [
        {"precision": "fp64"},
        {"precision": "bf16"},
        {"k": 1},
        {"method": "darts"},
        {"nodes": 5, "layers": 4},
    ],
    ids=str,
)
def test_variants_run(settings: dict, tmp_path: Path) -> None:
    search_cells(search_options(tmp_path / "run", epochs=1, arch_warmup_epochs=0, **settings))


def test_a_diverging_search_says_where_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    options = search_options(
        tmp_path / "run", learning_rate=1e30, grad_clip=0.0, checkpoint_every=1
    )
    with pytest.raises(UserError, match=r"Step \d+ \(epoch 1\): .*last good checkpoint is .*run"):
        search_cells(options)
    state = load_checkpoint(tmp_path / "run")
    assert all(value.isfinite().all() for value in state["task"]["architecture"].values())
    assert all(value.isfinite().all() for value in state["task"]["supernet"].values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "array:nowhere.npz"}, "nowhere.npz"),
        ({"batch_size": 400}, "batch"),
        ({"image_size": 10}, "multiple"),
        ({"nodes": 1}, "--nodes"),
        ({"arch_fraction": 1.5}, "--arch-fraction"),
        ({"layers": 2}, "--layers"),
    ],
)
def test_wrong_settings_leave_no_run_directory(
    settings: dict, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=message):
        search_cells(search_options(tmp_path / "run", **settings))
    assert not (tmp_path / "run").exists()


def test_the_run_keeps_the_back_end_that_auto_became(tmp_path: Path) -> None:
    search_cells(search_options(tmp_path / "run", epochs=1))
    kept = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["backend"]
    assert kept in ("torch", "native")
    search_cells(search_options(tmp_path / "bf16", epochs=1, precision="bf16"))
    assert yaml.safe_load((tmp_path / "bf16" / "config.yaml").read_text())["backend"] == "torch"


def test_a_run_goes_on_with_another_back_end_where_its_own_does_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    search_cells(search_options(run, epochs=1, backend="native"))

    def lacking(*_: object) -> None:
        raise build.BuildError("there is no compiler")

    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(kernels, "prepare_kernels", lacking)
    resumed = replace(search_options(run, epochs=1, backend="native"), resume=str(run))
    assert search_cells(resumed).genotype == load_genotype(str(run / "genotype.yaml"))
    said = capsys.readouterr().err
    assert "began with the back end native, which does not work here: there is no compiler" in said
    with pytest.raises(BackendError, match="native back end does not work here"):
        search_cells(search_options(tmp_path / "new", backend="native"))


def test_both_back_ends_give_the_same_search(tmp_path: Path) -> None:
    """In float64, over ten steps of both kinds; the last bits differ."""
    settings = {"precision": "fp64", "arch_warmup_epochs": 0}
    search_cells(search_options(tmp_path / "auto", **settings))
    search_cells(search_options(tmp_path / "torch", backend="torch", **settings))
    ours, theirs = (
        load_checkpoint(tmp_path / name)["task"]["architecture"] for name in ("auto", "torch")
    )
    for name, value in ours.items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-6, atol=1e-6)


def test_weight_decay_follows_its_schedule(tmp_path: Path) -> None:
    options = search_options(tmp_path / "run", epochs=3, weight_decay_end=0.0027)
    task = SearchTask(options)
    decays = []
    for epoch in range(3):
        task.begin_epoch(epoch)
        decays.append(task.weight_optimiser.param_groups[0]["weight_decay"])
    assert decays == pytest.approx([0.0003, 0.0015, 0.0027], rel=1e-12)
