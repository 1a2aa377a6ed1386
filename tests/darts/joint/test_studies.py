"""Studies that train: transfer of a recipe, and ablations of a search."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import darts
from darts.cli import main
from darts.errors import UserError
from darts.joint.directory import read_search
from darts.joint.query import trained_genes
from darts.joint.transfer import found_recipe, own_recipe
from darts.models.registry import find_model
from darts.runs.directory import finite
from darts.training.options import TrainingOptions
from tests.darts.detection.support import tiny_model
from tests.darts.joint.fake import instant_trial


@pytest.fixture
def search(run: Path, tmp_path: Path, monkeypatch: Any) -> Path:
    """A copy of a finished search; trainings take no time."""
    monkeypatch.setattr("darts.joint.arm_trials.train_trial", instant_trial)
    shutil.copytree(run, tmp_path / "search")
    return tmp_path / "search"


def found(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def test_transfer_compares_recipes_by_paired_seeds(search: Path, capsys: Any) -> None:
    flags = ["--models", "resnet18", "pcdarts_cifar10", "--seeds", "3"]
    assert main(["joint", "transfer", str(search), *flags]) == 0
    printed = capsys.readouterr().out
    study = found(search / "transfer" / "transfer.json")
    assert study["sentence"] in printed
    arms = {(one["network"], one["recipe"]): one for one in study["arms"]}
    assert list(arms) == [
        (network, recipe)
        for network in ("resnet18", "pcdarts_cifar10")
        for recipe in ("found", "own")
    ]
    for (_, recipe), one in arms.items():
        assert one["n"] == 3
        assert one["deviation"] == pytest.approx(1.0)  # Errors differ by the seeds 0, 1, 2.
        rate = one["settings"].get("learning_rate", 0.025)
        average = 0.5 if one["settings"].get("ema_share") else 0.0
        assert one["errors"]["1"] == pytest.approx(51 + 10 * rate - average), recipe
    # The seeds cancel: the differences have no deviation.
    for one in study["differences"][:2]:
        assert one["deviation"] == pytest.approx(0.0, abs=1e-9)
    means = [one["mean"] for one in study["differences"]]
    assert means[2] == pytest.approx((means[0] + means[1]) / 2)
    assert study["judged_on"] == "100 held-out training images"
    assert "favours it" in study["notes"][0]
    again = darts.transfer_recipe(search, ["resnet18", "pcdarts_cifar10"], seeds=3)
    assert json.loads(json.dumps(finite(again.as_dict()))) == study
    page = (search / "transfer" / "report.html").read_text()
    assert "found recipe instead of its own, resnet18" in page
    assert "favours it" in page
    assert (search / "transfer" / "transfer.svg").is_file()


def test_both_recipes_train_alike_but_for_the_recipe(run: Path) -> None:
    record = read_search(run)
    best = record.problem.candidate(trained_genes(record)[0]).options
    three = found_recipe(record, 3)
    assert {name: three[name] for name in best} == best
    assert found_recipe(record, 6)["lr_decay_epochs"] == 2 * three["lr_decay_epochs"]
    shared = TrainingOptions(dataset="cifar10", epochs=35, batch_size=128)
    b0 = own_recipe("efficientnet_b0", find_model("efficientnet_b0"), shared)
    # A tenth of 350 epochs, half of its batch: 0.016 / 2, 5 / 10 rounded to even, 2.4 / 10.
    assert (b0["learning_rate"], b0["lr_warmup_epochs"]) == (0.008, 0)
    assert b0["lr_decay_epochs"] == pytest.approx(0.24)
    # Its average remembers 10,000 of 350 · 5,004 steps.
    assert (b0["ema"], b0["ema_share"]) == (0.0, round(10_000 / (350 * 5004), 6))
    cells = own_recipe("darts_v2", find_model("darts_v2"), shared)
    assert (cells["drop_path"], cells["cutout"], cells["auxiliary"]) == (0.3, 16, True)
    imagenet = own_recipe("darts_v2", find_model("darts_v2"), TrainingOptions(dataset="imagenet"))
    assert imagenet["schedule"] == "linear"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_transfer_continues_with_the_same_bytes(
    search: Path, tmp_path: Path, monkeypatch: Any, capfd: Any
) -> None:
    words = ["--models", "resnet18", "regnetx_200mf", "--seeds", "2"]
    shutil.copytree(search, tmp_path / "whole" / "search")
    counter = tmp_path / "trainings"
    monkeypatch.setenv("FAKE_COUNTER", str(counter))
    for death in (1, 4, 8):
        monkeypatch.setenv("FAKE_DEATH", str(death))
        if (child := os.fork()) == 0:
            try:
                main(["joint", "transfer", str(search), *words])
            finally:
                os._exit(1)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == 9
    monkeypatch.setenv("FAKE_DEATH", "0")
    assert main(["joint", "transfer", str(search), *words]) == 0
    assert counter.stat().st_size == 8 + 3  # No finished training is repeated.
    whole = tmp_path / "whole" / "search"
    assert main(["joint", "transfer", str(whole), *words]) == 0
    for name in ("transfer.json", "transfer.svg", "transfer.png"):
        assert (whole / "transfer" / name).read_bytes() == (search / "transfer" / name).read_bytes()


def test_a_failed_training_is_said_and_more_seeds_add_to_a_study(
    search: Path, monkeypatch: Any, capsys: Any
) -> None:
    words = ["joint", "transfer", str(search), "--models", "resnet18"]
    assert main([*words, "--seeds", "1"]) == 0
    assert "Use --seeds 3" in capsys.readouterr().out
    recipe = own_recipe.__module__ + ".own_recipe"
    monkeypatch.setattr(recipe, lambda *_, **__: {"learning_rate": 1000.0})
    assert main([*words, "--seeds", "2", "--epochs", "5"]) == 2
    assert "belongs to another experiment: recipe is" in capsys.readouterr().err
    shutil.rmtree(search / "transfer")
    assert main([*words, "--seeds", "2"]) == 0
    study = found(search / "transfer" / "transfer.json")
    assert study["arms"][1]["n"] == 0
    assert study["differences"][0]["mean"] is None
    assert "resnet18, own: 2 of 2 trainings failed" in " ".join(study["notes"])


@pytest.mark.parametrize("study", ["averaging", "stages", "recipes"])
def test_ablations_that_train(search: Path, study: str, capsys: Any, tmp_path: Path) -> None:
    words = ["joint", "ablate", str(search), "--study", study, "--seeds", "2"]
    if study == "averaging":
        assert main(words) == 2
        assert "name a trained network to distil from: --teacher" in capsys.readouterr().err
        words += ["--teacher", str(tmp_path / "teacher")]
    assert main(words) == 0
    result = found(search / f"ablation-{study}" / f"{study}.json")
    by_title = {one["title"]: one["mean"] for one in result["differences"]}
    if study == "averaging":
        assert list(by_title.values()) == pytest.approx([-0.5, -0.5, -2.0, -2.0])
    elif study == "stages":
        assert list(by_title) == ["best of stage 3 instead of stage 2"]
    else:
        rates = [one["settings"].get("learning_rate", 0.025) for one in result["arms"]]
        assert rates[0] == rates[2] != rates[1] == rates[3]
        gap = 10 * (rates[1] - rates[0])
        assert list(by_title.values()) == pytest.approx([gap, -gap, 0.0, 0.0])
    assert result["sentence"] in capsys.readouterr().out.replace("\n", " ")


def test_final_judges_by_test_images_in_a_place_of_its_own(search: Path, capsys: Any) -> None:
    words = ["joint", "transfer", str(search), "--models", "resnet18", "--seeds", "1", "--json"]
    assert main([*words, "--final"]) == 0
    study = json.loads(capsys.readouterr().out)
    assert study["judged_on"] == "100 test images"
    assert not any("favours" in note for note in study["notes"])
    assert (search / "transfer-final" / "report.html").is_file()


def test_what_cannot_be_transferred_is_one_sentence(search: Path, capsys: Any) -> None:
    for words, message in (
        (["--models", "resnet18", "resnet18"], "--models: resnet18 is named twice"),
        (["--models", "resnet19"], "There is no model 'resnet19'"),
        (["--models", "resnet18", "--seeds", "0"], "--seeds: must be 1 or more"),
        ([], "--models"),
    ):
        assert main(["joint", "transfer", str(search), *words]) == 2
        assert message in capsys.readouterr().err
    assert main(["joint", "ablate", str(search), "--epochs", "3"]) == 2
    assert "--study predictor trains nothing" in capsys.readouterr().err


def test_the_smoke_form_trains_for_real(run: Path, tmp_path: Path, capsys: Any) -> None:
    shutil.copytree(run, tmp_path / "search")
    model = tiny_model(tmp_path)
    words = ["--models", model, "--seeds", "1", "--epochs", "1", "--threads", "1"]
    assert main(["joint", "transfer", str(tmp_path / "search"), *words]) == 0
    study = found(tmp_path / "search" / "transfer" / "transfer.json")
    assert [one["n"] for one in study["arms"]] == [1, 1]
    assert all(0 <= one["mean"] <= 100 for one in study["arms"])


def test_ablations_are_functions_too(search: Path, capsys: Any) -> None:
    assert main(["joint", "ablate", str(search), "--study", "recipes", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    trained = darts.ablate_search(search, "recipes")
    assert json.loads(json.dumps(finite(trained.as_dict()))) == printed
    folder = search / "ablation-recipes"
    assert "To repeat this" not in (folder / "report.html").read_text()
    assert main(["joint", "ablate", str(search), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert finite(darts.ablate_search(search).as_dict()) == printed
    for words, settings in (
        ("no study 'recipe' of a joint search. Did you mean 'recipes'?", {"study": "recipe"}),
        ("predictor trains nothing", {"epochs": 3}),
        ("Unknown setting seed5", {"seed5": 1}),
    ):
        with pytest.raises(UserError, match=re.escape(words)):
            darts.ablate_search(search, **settings)
    for words, models, settings in (
        ("name one network or more", [], {}),
        ("There is no model 'resnet19'", "resnet19", {}),
        ("--seeds 0", ["resnet18"], {"seeds": 0}),
        ("--epochs 0", ["resnet18"], {"epochs": 0}),
    ):
        with pytest.raises(UserError, match=re.escape(words)):
            darts.transfer_recipe(search, models, **settings)
