"""Numbers of small commands: out of range is one sentence before anything is read or written."""

from __future__ import annotations

import pytest

from darts.cli import main


@pytest.mark.parametrize(
    ("line", "flag"),
    [
        ("fit digits --seed -1", "--seed"),
        ("fit digits --threads -3 --plan", "--threads"),
        ("fit digits --threads 99999999 --plan", "--threads"),
        ("fit digits --workers -1 --plan", "--workers"),
        ("fit digits --workers 99999999 --plan", "--workers"),
        ("advise digits --image-size 99999999", "--image-size"),
        ("fit digits --image-size 0", "--image-size"),
        ("advise digits --image-size -2", "--image-size"),
        ("advise digits --threads -1", "--threads"),
        ("score darts_v2 --batch 0", "--batch"),
        ("score --sample -1", "--sample"),
        ("score darts_v2 --seeds 0", "--seeds"),
        ("predict photo.jpg --checkpoint run --top-k 0", "--top-k"),
        ("predict photo.jpg --checkpoint run --batch-size -4", "--batch-size"),
        ("cost darts_v2 --channels -16", "--channels"),
        ("cost darts_v2 --resolution 0", "--resolution"),
        ("cost darts_v2 --latency --batch 0", "--batch"),
        ("scale darts_v2 --phi nan", "--phi"),
        ("scale darts_v2 --alpha inf", "--alpha"),
        ("genotypes --random -3", "--random"),
        ("space sample --space regnetx --n 0", "--n"),
        ("space sample --space regnetx --seed -1", "--seed"),
        ("spaces darts --layers 10000000000000000", "--layers"),
        ("genotypes --random 99999999999", "--random"),
        ("space list --stages 9223372036854775808", "--stages"),
        ("draw regnetx_200mf --resolution -1", "--resolution"),
        ("export --genotype darts_v2 --layers 0 -o x.onnx", "--layers"),
    ],
)
def test_a_number_out_of_range_is_one_sentence(
    line: str, flag: str, capsys: pytest.CaptureFixture[str], monkeypatch, tmp_path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {flag}: must be ")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "line",
    [
        "fit ~nosuchuser/run --quick --plan",
        "advise ~nosuchuser",
        "predict ~nosuchuser/x.png --checkpoint ~nosuchuser/run",
        "joint show ~nosuchuser",
        "benchmark nasbench201 --table ~nosuchuser/table.csv",
        "detect --train-annotations ~nosuchuser/a.json --train-images ~nosuchuser",
        "search --use ~nosuchuser/mine.py",
        "search --dataset folder:~nosuchuser --preset smoke",
        "space " + "y/" * 2100,
    ],
)
def test_a_home_of_nobody_and_a_long_name_are_one_sentence(
    line: str, capsys: pytest.CaptureFixture[str], monkeypatch, tmp_path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("darts.fitting.run.measure_machine", None)
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert error.count("error: ") == 1
    assert len(error) < 3000
