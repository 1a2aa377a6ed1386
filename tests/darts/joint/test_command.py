import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

import darts
from darts.cli import main
from darts.errors import UserError
from darts.joint.report import write_joint_report
from darts.joint.space_file import list_joint_spaces
from tests.browser import check_soundness


def test_search_reports(run: Path) -> None:
    page = (run / "report.html").read_text()
    for words in ("12 of 12", "Rank correlation by epoch", "Importance of the variables"):
        assert words in page
    for plot in ("rounds", "predictions", "correlations", "front", "importance"):
        assert (run / "plots" / f"{plot}.svg").is_file()
        assert (run / "plots" / f"{plot}.png").is_file()


def test_report_of_the_baseline(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    config = yaml.safe_load((copy / "config.yaml").read_text())
    (copy / "config.yaml").write_text(yaml.safe_dump({**config, "strategy": "random"}))
    page = write_joint_report(copy).read_text()
    assert "All rounds are quasi-random" in page
    assert "Rank correlation by epoch" not in page


def test_the_page_is_sound_in_a_browser(run: Path, browser: Any) -> None:
    check_soundness(browser, run / "report.html")


def test_evolve_writes_recipes_that_evaluate_takes(run: Path, capsys) -> None:
    assert main(["joint", "evolve", str(run), "--max-macs", "1", "2.5"]) == 0
    printed = capsys.readouterr().out
    for name in ("macs-1M", "macs-2.5M"):
        path = run / "evolved" / f"{name}.yaml"
        assert str(path) in printed
        with pytest.raises(SystemExit) as ended:
            main(["evaluate", "--config", str(path), "--print-config"])
        assert ended.value.code == 0
    recipe = yaml.safe_load(path.read_text())
    assert recipe["dataset"] == "digits"
    assert "hold_out" not in recipe
    from darts.models.anynet.cost import anynet_cost
    from darts.models.registry import find_model

    config = find_model(recipe["model"])
    assert anynet_cost(config, resolution=8, num_classes=10).macs <= 2.5e6


def test_the_search_and_its_evolution_are_functions_too(run: Path, tmp_path: Path, capsys) -> None:
    assert main(["joint", "evolve", str(run), "--max-macs", "2.5"]) == 0
    found = darts.evolve_candidate(run, max_macs="2.5M")
    row = capsys.readouterr().out.splitlines()[1]
    assert f"{found.accuracy:.2f} %" in row
    assert f"{found.macs:,}" in row
    assert found.recipe == run / "evolved" / "macs-2.5M.yaml"
    with pytest.raises(UserError, match="cheapest"):
        darts.evolve_candidate(run, max_macs="1k")
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    again = darts.search_jointly(resume=str(copy))
    assert json.loads((copy / "result.json").read_text()) == json.loads(
        (run / "result.json").read_text()
    )
    assert again.run_dir == copy
    with pytest.raises(UserError, match="Unknown setting rouns"):
        darts.search_jointly(rouns=3)


def test_the_best_trial_is_a_recipe_that_evaluate_takes(run: Path, capsys) -> None:
    from darts.joint.directory import read_search
    from darts.joint.query import best_candidate

    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "--config", str(run / "best.yaml"), "--print-config"])
    assert ended.value.code == 0
    recipe = yaml.safe_load((run / "best.yaml").read_text())
    best = best_candidate(read_search(run))
    assert recipe["drop_path"] == best["regularisation"]
    assert recipe["epochs"] == 3
    assert "hold_out" not in recipe


def test_another_executor_can_continue(run: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    seen: list[tuple[str, int]] = []

    def watch(store, work, *, executor, resources, **others) -> None:
        seen.append((executor, resources.workers))

    monkeypatch.setattr("darts.joint.stored_rounds.run_trials", watch)
    resume = ["joint", "search", "--resume", str(copy)]
    assert main([*resume, "--executor", "processes", "--parallel", "3"]) == 0
    assert set(seen) == {("processes", 3)}
    assert main([*resume, "--rounds", "9"]) == 2
    printed = capsys.readouterr().err
    allowed = (
        printed.partition("beside --resume only ")[2].partition(" may be given")[0].split(", ")
    )
    assert {"--executor", "--gpus-per-trial", "--parallel"} <= set(allowed)


def test_predict(run: Path, tmp_path: Path, capsys) -> None:
    assert main(["joint", "predict", str(run)]) == 0
    assert main(["joint", "predict", str(run), "--set", "learning_rate=0.5"]) == 0
    first, second = capsys.readouterr().out.strip().split("predicted accuracy")[1:]
    assert first != second
    from darts.joint.directory import read_search
    from darts.joint.query import best_candidate

    row = best_candidate(read_search(run))
    path = tmp_path / "candidates.yaml"
    path.write_text(yaml.safe_dump([row, {**row, "w0": 16}]))
    assert main(["joint", "predict", str(run), str(path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_evolve_trades_accuracy_for_cost(run: Path, capsys) -> None:
    """The score is the predicted accuracy times a power of the cost; steep ones choose cheap."""
    from darts.joint.directory import limits_of, read_search
    from darts.joint.query import TradeOff, evolve_record, scorer_of

    record = read_search(run)
    limits = limits_of(None, 4, None)
    mild, steep = (
        evolve_record(record, limits, 0, TradeOff(2e6, exponent)) for exponent in (-0.07, -2.0)
    )
    for found, exponent in ((mild, -0.07), (steep, -2.0)):
        macs = record.problem.costs(found.genes[:1]).macs
        score = scorer_of(record)(found.genes[:1]) * (macs / 2e6) ** exponent
        assert found.scores[0] == pytest.approx(score[0])
    assert steep.costs.macs[0] < mild.costs.macs[0]
    flags = "--max-macs 4 --target-macs 2M --cost-exponent -2"
    assert main(["joint", "evolve", str(run), *flags.split()]) == 0
    path = run / "evolved" / "macs-4M-target-2M-exponent-2.yaml"
    printed = capsys.readouterr().out
    assert str(path) in printed
    assert f"{steep.costs.macs[0]:,.0f}" in printed
    assert main(["joint", "evolve", str(run), "--target-macs", "2M", "--cost-exponent", "1"]) == 2
    assert "--cost-exponent: must be below 0, not 1.0" in capsys.readouterr().err


def test_ablate_compares_predictors_on_the_same_folds(run: Path, tmp_path: Path, capsys) -> None:
    assert main(["joint", "ablate", str(run), "--folds", "3", "--seeds", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["candidates"], found["folds"], found["seeds"]) == (12, 3, 2)
    # Eight of twelve candidates are learnt at most, and each of three folds is predicted twice.
    sizes = [(one["candidates"], one["pretrained"]) for one in found["qualities"]]
    assert sizes == [(n, kind) for n in (3, 5, 8) for kind in (True, False)]
    assert {one["error"]["n"] for one in found["qualities"]} == {6}
    means = {one["pretrained"]: one["error"]["mean"] for one in found["qualities"][-2:]}
    assert found["difference"]["mean"] == pytest.approx(means[True] - means[False])
    page = (run / "ablation" / "report.html").read_text()
    assert found["sentence"].partition(":")[0] in page
    assert (run / "ablation" / "ablation.svg").is_file()
    before = (run / "ablation" / "ablation.json").read_bytes()
    assert main(["joint", "ablate", str(run), "--folds", "3", "--seeds", "2"]) == 0
    assert (run / "ablation" / "ablation.json").read_bytes() == before


def test_what_cannot_be_ablated_is_one_sentence(run: Path, capsys) -> None:
    assert main(["joint", "ablate", str(run), "--folds", "7"]) == 2
    error = capsys.readouterr().err
    assert "has 12 trained candidates; 14 or more are needed for 7 folds" in error
    assert main(["joint", "ablate", str(run), "--folds", "1"]) == 2
    assert "--folds: must be 2 or more, not 1" in capsys.readouterr().err


def test_show(run: Path, capsys) -> None:
    assert main(["joint", "show"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in list_joint_spaces())
    assert main(["joint", "show", "recipe"]) == 0
    printed = capsys.readouterr().out
    assert "rule: where optimiser is sgd: learning_rate x 4" in printed
    assert main(["joint", "show", str(run)]) == 0
    assert str(run / "report.html") in capsys.readouterr().out


def test_evolve_answers_the_feasible_ceilings(run: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("darts.joint.problem._MOST_DRAWS", 10_000)
    assert main(["joint", "evolve", str(run), "--max-macs", "0.000001", "2.5"]) == 0
    _, impossible, possible = capsys.readouterr().out.splitlines()
    assert impossible.split()[:3] == ["1e-06", "M", "none"]
    cheapest = int(impossible.rpartition("the cheapest has ")[2].replace(",", ""))
    assert 1 < cheapest < 2_500_000
    assert str(run / "evolved/macs-2.5M.yaml") in possible
    assert not (run / "evolved/macs-1e-06M.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serach"], "there is no command 'serach'"),
        (["search", "--space", "regnets"], "Did you mean regnet"),
        (["search", "--space", "regnet", "--pol", "3"], "--pol"),
        (["evolve", "/nowhere"], "/nowhere is not the directory of a joint search"),
        (["predict", "/nowhere"], "/nowhere is not the directory of a joint search"),
        (["show", "/nowhere"], "no such file"),
        (["evolve", "RUN", "--max-macs", "0.000001"], "none of 10,000 sampled"),
        (["predict", "RUN", "--set", "depth"], "give NAME=VALUE"),
        (["predict", "RUN", "--set", "width=3"], "has no variable width"),
        (["predict", "RUN", "/nowhere.yaml"], "cannot be read"),
    ],
)
def test_wrong_arguments_end_with_code_2(
    run: Path, arguments: list[str], message: str, capsys, monkeypatch
) -> None:
    monkeypatch.setattr("darts.joint.problem._MOST_DRAWS", 10_000)
    given = [str(run) if argument == "RUN" else argument for argument in arguments]
    assert main(["joint", *given]) == 2
    assert message in capsys.readouterr().err


def test_values_that_training_options_reject(tmp_path: Path, capsys) -> None:
    path = tmp_path / "wrong.yaml"
    recipe = {"schedule": {"choice": ["cosine", "exponential-ish"]}}
    path.write_text(yaml.safe_dump({"name": "wrong", "recipe": recipe}))
    flags = ["--model", "regnetx_200mf", "--dataset", "digits"]
    assert main(["joint", "search", "--space", str(path), *flags]) == 2
    printed = capsys.readouterr().err
    assert "wrong: variable schedule" in printed
    assert "exponential-ish" in printed


def test_a_report_needs_a_search(tmp_path: Path) -> None:
    from darts.errors import UserError

    with pytest.raises(UserError, match="is not the directory of a joint search"):
        write_joint_report(tmp_path)


@pytest.mark.parametrize("line", ["layers: x", "resolution:", "num_classes: 1.5", "stem: [1]"])
def test_settings_of_another_kind_are_damage(line: str, tmp_path: Path, capsys) -> None:
    (tmp_path / "setting.yaml").write_text(line)
    assert main(["joint", "show", str(tmp_path)]) == 2
    assert "setting.yaml is damaged" in capsys.readouterr().err
