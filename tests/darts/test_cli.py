"""The commands as a user meets them: printed answers, exit codes, one message an error."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from darts.cli import main


def fails(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one message of a command that refuses its arguments."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err
    return captured.err


def test_cost_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "pcdarts_cifar10", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "model": "pcdarts_cifar10",
        "params": 3_634_678,
        "macs": 556_670_592,
        "activations": 9_621_504,
        "resolution": 32,
        "channels": 36,
        "layers": 20,
        "auxiliary": False,
    }


@pytest.mark.parametrize(
    ("arguments", "params", "macs"),
    [
        (["pcdarts_imagenet"], 5_342_464, 581_627_328),
        (["pcdarts_imagenet", "--auxiliary"], 6_603_240, 581_627_328),
        (["pcdarts_imagenet", "--setting", "cifar"], 3_721_510, 570_466_944),
        (["darts_v2", "--setting", "imagenet"], 4_718_752, 529_911_552),
        (["pcdarts_cifar10", "--classes", "100"], 3_686_608, 556_722_432),
    ],
)
def test_cost_of_settings(
    arguments: list[str], params: int, macs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cost", *arguments, "--json"]) == 0
    counted = json.loads(capsys.readouterr().out)
    assert (counted["params"], counted["macs"]) == (params, macs)


def test_cost_for_people_shows_the_published_rule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "pcdarts_imagenet"]) == 0
    assert "597,056,448" in capsys.readouterr().out


def test_genotypes_lists_the_zoo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["genotypes"]) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]]
    assert names == sorted(names)
    assert {"darts_v1", "darts_v2", "pcdarts_cifar10", "pcdarts_imagenet", "pdarts_cifar10",
            "nasnet", "amoebanet"} <= set(names)  # fmt: skip


def test_random_genotypes_repeat_from_a_seed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in ("a", "b"):
        assert (
            main(["genotypes", "--random", "3", "--seed", "1", "-o", str(tmp_path / folder)]) == 0
        )
    written = capsys.readouterr().out.splitlines()
    assert len(written) == 6
    texts = [Path(path).read_text() for path in written]
    assert texts[:3] == texts[3:]
    assert len(set(texts[:3])) == 3


def test_draw_writes_both_cells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw", "pcdarts_imagenet", "-o", str(tmp_path), "--formats", "svg"]) == 0
    names = {Path(line).name for line in capsys.readouterr().out.splitlines()}
    assert names == {"normal.gv", "normal.svg", "reduce.gv", "reduce.svg"}
    assert "<svg" in (tmp_path / "reduce.svg").read_text()


def test_datasets_names_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [
        "digits", "cifar10", "cifar100", "svhn", "fashion-mnist", "imagenet",
        "flowers102", "pets", "food101", "cars",
    ]  # fmt: skip
    assert rows[0]["present"]


def test_too_little_memory_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "nb201-0", "--scores", "synflow", "--batch", "99999999999"]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("error: There is too little memory for this (RuntimeError: ")
    assert "smaller batches" in said


def test_no_command_shows_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "evaluate" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["serach"], ["no command 'serach'"]),
        (["search", "--dataset", "digits", "--k", "3"], ["--k", "valid K: 1, 2, 4, 8"]),
        (["search", "--order", "3"], ["--order", "1, 2"]),
        (["search", "--epochs", "many"], ["--epochs", "whole number"]),
        (["search", "--epochs", "0", "--dataset", "digits"], ["--epochs", "1 or more"]),
        (["search", "--chanels", "8"], ["--chanels", "did you mean --channels?"]),
        (["search", "--config", "nowhere.yaml"], ["nowhere.yaml", "search_cifar10"]),
        (["search", "--dataset", "mnist"], ["mnist", "digits"]),
        (["search", "--device", "cuda:9", "--dataset", "digits"], ["cuda:9", "cpu"]),
        (["search", "--resume", "nowhere"], ["nowhere", "earlier run"]),
        (["search", "--resume", "nowhere", "--epochs", "9"], ["--epochs", "keeps its own"]),
        (["evaluate"], ["--genotype", "python -m darts genotypes"]),
        (["evaluate", "--genotype", "pcdart_cifar10"], ["pcdarts_cifar10"]),
        (["evaluate", "--test-only", "--genotype", "darts_v1"], ["--checkpoint"]),
        (
            ["evaluate", "--genotype", "darts_v1", "--dataset", "digits", "--auxiliary"],
            ["--auxiliary", "--image-size 32"],
        ),
        (["cost", "resnet5"], ["resnet5"]),
        (["cost"], ["model"]),
        (["draw", "nothing"], ["nothing", "nasnet"]),
        (["predict", "a.png", "--checkpoint", "nowhere.pt"], ["a.png", "no such file"]),
        (["report", "nowhere"], ["nowhere"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_wrong_input_gets_one_message_and_leaves_nothing(
    arguments: list[str],
    parts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    message = fails(arguments, capsys)
    for part in parts:
        assert part in message
    assert list(tmp_path.iterdir()) == []


def test_a_config_with_an_unknown_key_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("k: 2\nlearning_rat: 3\n")
    message = fails(["search", "--config", str(config)], capsys)
    assert "there is no setting 'learning_rat'. Did you mean 'learning_rate'?" in message


def shown(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> dict:
    """What --print-config prints; it ends the command as --help does."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--print-config"])
    assert ended.value.code == 0
    return yaml.safe_load(capsys.readouterr().out)


def test_flags_win_over_config_over_preset_over_method(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("epochs: 7\nlayers: 9\nmethod: darts\npreset: quick\n")
    settings = shown(["search", "--layers", "4", "--config", str(config)], capsys)
    assert settings["layers"] == 4
    assert settings["epochs"] == 7
    assert settings["channels"] == 8  # The preset's.
    assert (settings["k"], settings["edge_normalisation"]) == (1, False)  # The method's.
    assert settings["weight_decay"] == 3e-4  # The default.


@pytest.mark.parametrize(
    ("flags", "auxiliary"),
    [
        (["--auxiliary"], True),
        (["--no-auxiliary"], False),
        (["--auxiliary", "false"], False),
        (["--auxiliary=false"], False),
        (["--auxiliary", "--epochs", "3"], True),
    ],
)
def test_switches_stand_alone_or_take_a_value(
    flags: list[str], auxiliary: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(["evaluate", "--genotype", "darts_v1", *flags], capsys)["auxiliary"] is auxiliary


def test_the_shipped_recipes_are_the_defaults_of_the_paper(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = shown(["search"], capsys)
    assert {**plain, "split": "paper"} == shown(["search", "--config", "search_cifar10"], capsys)
    plain = shown(["evaluate"], capsys)
    recipe = shown(["evaluate", "--config", "evaluate_cifar10"], capsys)
    written_out = {"stem": "cifar", "channels": 36, "layers": 20}
    assert {**plain, **written_out} == recipe


def test_imagenet_brings_its_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    settings = shown(["evaluate", "--genotype", "pcdarts_imagenet"], capsys)
    assert settings["dataset"] == "imagenet"
    assert (settings["schedule"], settings["lr_warmup_epochs"]) == ("linear", 5)
    assert (settings["label_smoothing"], settings["batch_size"]) == (0.1, 1024)
    settings = shown(["search", "--dataset", "imagenet"], capsys)
    assert (settings["k"], settings["arch_warmup_epochs"]) == (2, 35)
    assert settings["arch_grad_clip"] == 5.0


@pytest.mark.skipif(os.name != "posix", reason="needs pipes")
def test_closed_streams_end_no_command(tmp_path: Path) -> None:
    """As when the terminal is closed, or after `2>&1 | head`."""
    read, write = os.pipe()
    os.close(read)
    script = (
        "import sys; from darts.system.terminal import prepare_streams; prepare_streams()\n"
        "for _ in range(3): print('result'); print('progress', file=sys.stderr)\n"
        f"open({str(tmp_path / 'done')!r}, 'w')"
    )
    done = subprocess.run([sys.executable, "-c", script], stdout=write, stderr=write)
    os.close(write)
    assert done.returncode == 0
    assert (tmp_path / "done").exists()
