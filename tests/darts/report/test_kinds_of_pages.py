"""Each kind of run has its own page, and no command writes over another's."""

import json
from pathlib import Path

import pytest
import yaml

from darts import api
from darts.cli import main
from darts.errors import UserError
from darts.files import atomic_write
from darts.report.record import read_run
from darts.report.render import page_kind
from darts.trials.store import TrialStore
from tests.darts.report.conftest import make_retraining, make_search

COSTS = {"cheap": (100, 90.0), "dear": (300, 95.0), "beaten": (200, 80.0)}


def trained(folder: Path, macs: int, accuracy: float) -> Path:
    """A finished retraining with costs."""
    run = make_retraining(folder, accuracy=accuracy)
    result = json.loads((run / "result.json").read_text()) | {"macs": macs, "parameters": 7 * macs}
    (run / "result.json").write_text(json.dumps(result))
    return run


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    found = [trained(tmp_path / name, *costs) for name, costs in COSTS.items()]
    return [*found, make_search(tmp_path / "searched", tables=False)]


def test_several_runs_show_costs_and_the_front(
    runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", *map(str, runs)]) == 0
    first = Path(capsys.readouterr().out.strip())
    page = first.read_text()
    assert first.name == "comparison.html"
    assert "<td>300</td>" in page
    assert "<td>2,100</td>" in page
    assert page.count('aria-label="Accuracy over cost"') == 1
    # A new name, never over another page.
    assert main(["report", *map(str, runs)]) == 0
    assert Path(capsys.readouterr().out.strip()).name == "comparison-2.html"
    assert first.read_text() == page


def test_a_file_of_another_kind_is_left_alone(runs: list[Path], tmp_path: Path) -> None:
    mine = tmp_path / "mine.html"
    mine.write_text("<p>my notes</p>")
    for directories in (runs[:2], runs[:1]):
        with pytest.raises(UserError, match="left as it is"):
            api.report(directories, mine)
    assert mine.read_text() == "<p>my notes</p>"
    page = api.report(runs[:1], tmp_path / "one.html")
    assert page_kind(page) == "report.html"
    with pytest.raises(UserError, match="left as it is"):
        api.report(runs[:2], page)
    both = api.report(runs[:2], tmp_path / "two.html")
    assert api.report(runs[:2], both) == both


def test_the_page_of_a_comparison_stays(tmp_path: Path) -> None:
    """It can be made only by the comparison itself."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"baseline": "regnetx", "epochs": 1}))
    with TrialStore(tmp_path / "trials.sqlite"):
        pass
    with pytest.raises(UserError, match=r"comparison without a page.*compare --resume"):
        api.report([tmp_path])
    page = tmp_path / "report.html"
    page.write_text('<meta name="darts-page" content="outcome.html">A comparison.')
    assert api.report([tmp_path]) == page
    assert "A comparison." in page.read_text()
    page.write_text("A comparison of an earlier version.")
    assert api.report([tmp_path]) == page
    assert "earlier version" in page.read_text()


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"seeds": 5, "model": "resnet50"}, "evaluate.py --resume"),
        ({"seeds": 5, "method": "pc-darts"}, "search.py --resume"),
        ({}, "the command that began it"),
    ],
)
def test_a_study_that_has_not_ended(tmp_path: Path, config: dict, words: str) -> None:
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with TrialStore(tmp_path / "trials.sqlite"):
        pass
    with pytest.raises(UserError, match=words):
        api.report([tmp_path])
    assert not (tmp_path / "report.html").exists()


def test_a_mean_over_seeds_has_its_interval(tmp_path: Path) -> None:
    run = trained(tmp_path / "run", 100, 90.0)
    measures = {"test_accuracy": {"interval": {"low": 88.0, "middle": 90.0, "high": 92.0}}}
    result = json.loads((run / "result.json").read_text()) | {"repeats": {"measures": measures}}
    with atomic_write(run / "result.json") as stream:
        json.dump(result, stream)
    record = read_run(run)
    assert record.accuracy_interval == (88.0, 92.0)
    assert record.costs == {"macs": 100.0, "params": 700.0}
