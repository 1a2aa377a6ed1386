"""Reports are complete and self-contained, escape hostile text, and tolerate missing files."""

from __future__ import annotations

import base64
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from darts.errors import UserError
from darts.report.page import write_comparison, write_report
from genotypes import load_genotype, save_genotype
from genotypes.search_space import DARTS

from .conftest import make_retraining, make_search


class Page(HTMLParser):
    """The tags of a page, its addresses, and its visible text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.attributes: list[str] = []
        self.text = ""
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href", "xlink:href")
        ]

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def film_data(page: Page) -> dict[str, Any]:
    """What the script of a search's page shows."""
    match = re.search(r"^const film = (\{.*\});$", page.source, re.MULTILINE)
    assert match is not None
    return dict(json.loads(match[1]))


def normal_edges() -> list[tuple[int, int]]:
    """(source, target) of the edges of a cell with four nodes, in the order of alpha."""
    return [(source, target) for target in range(2, 6) for source in range(target)]


@pytest.fixture(scope="module")
def search_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    run = make_search(tmp_path_factory.mktemp("runs") / "a-search")
    path = write_report(run)
    assert path == run / "report.html"
    return Page(path)


def test_a_search(search_page: Page) -> None:
    page = search_page
    for words in (
        "a-search",
        "Search of a cell on digits · pc-darts, K = 4 · seed 2",
        "Supernet accuracy, last epoch 90.25 %",
        "3 of 3 finished",
        "Time 3 min 03 s",
        "Peak memory 1.50 GiB",
        "299,578",
        "Skip connections 2 of 8 operations in the normal cell",
        "All numbers are from the last epoch, not the best one",
        "The cell at the last epoch",
        "The derived cell changed after epoch 3.",
        "Operations of the normal cell: softmax of alpha",
        "Edges of the reduction cell: softmax of beta",
        "arch_warmup_epochs",
        "packages.torch 2.13.0",
    ):
        assert words in page.words
    assert "Left out" not in page.words
    # 4 training plots, alpha and beta of 2 kinds of cell.
    assert page.tags.count("svg") == 8
    assert page.tags.count("img") == 4


def test_a_report_needs_no_other_file(search_page: Page) -> None:
    page = search_page
    assert page.addresses
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert "link" not in page.tags
    assert "@import" not in page.source
    assert not re.search(r"url\((?!#)", page.source)


def test_pictures_of_epochs_are_kept_once(search_page: Page) -> None:
    page = search_page
    film = film_data(page)
    assert film["frames"] == [
        {"epoch": 1, "normal": 0, "reduce": 1},
        {"epoch": 2, "normal": 0, "reduce": 1},
        {"epoch": 3, "normal": 2, "reduce": 3},
    ]
    assert len(film["pictures"]) == 4
    assert max(picture["width"] for picture in film["pictures"]) == 100


def test_the_tables_of_the_film_are_those_of_the_run(search_page: Page, tmp_path: Path) -> None:
    run = make_search(tmp_path / "again")
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    known = [line["architecture"] for line in lines if line["kind"] == "epoch"]
    normal, reduce = film_data(search_page)["heat"]
    assert (normal["kind"], reduce["kind"], normal["columns"]) == ("normal", "reduce", 8)
    for number, tables in enumerate(known):
        assert normal["betas"][number] == pytest.approx(tables["normal"]["edges"], abs=5.1e-4)
        for row, truth in zip(
            reduce["alphas"][number], tables["reduce"]["operations"], strict=True
        ):
            assert row == pytest.approx(truth, abs=5.1e-4)
    # Eight of fourteen edges are kept, each with one of the eight operations.
    for kept in normal["kept"]:
        assert sum(column >= 0 for column in kept) == 8
    genotype = load_genotype("pcdarts_imagenet")
    last = dict(zip(normal_edges(), normal["kept"][-1], strict=True))
    for node, pair in enumerate(genotype.normal, start=2):
        for operation, source in pair:
            assert DARTS.operations[last[source, node]] == operation


def test_a_drawing_that_the_run_kept_is_used(plain_search_run: Path) -> None:
    (plain_search_run / "cells").mkdir()
    (plain_search_run / "cells" / "epoch-001-normal.svg").write_text("<svg>kept</svg>")
    page = Page(write_report(plain_search_run))
    assert base64.b64encode(b"<svg>kept</svg>").decode() in page.source


def test_a_retraining(retraining_run: Path) -> None:
    page = Page(write_report(retraining_run))
    for words in (
        "Training from scratch on digits · genotype darts_v2 · seed 0",
        "Test accuracy, last epoch 97.50 % not the best epoch",
        "Test error, last epoch 2.50 % 360 test images",
        "1 h 02 min",
        "200 MiB",
    ):
        assert words in page.words
    assert "epoch by epoch" not in page.words
    assert "softmax" not in page.words
    assert page.tags.count("svg") == 3


def test_an_unfinished_run_says_so(plain_search_run: Path) -> None:
    (plain_search_run / "result.json").unlink()
    lines = (plain_search_run / "metrics.jsonl").read_text().splitlines()
    (plain_search_run / "metrics.jsonl").write_text("\n".join(lines[:6]) + "\n")
    page = Page(write_report(plain_search_run))
    assert "2 of 3 not finished" in page.words
    assert "Supernet accuracy, last epoch not yet known" in page.words


def test_an_accuracy_before_the_end_names_its_epoch(retraining_run: Path) -> None:
    (retraining_run / "result.json").unlink()
    lines = (retraining_run / "metrics.jsonl").read_text().splitlines()
    (retraining_run / "metrics.jsonl").write_text("\n".join(lines[:2]) + "\n")
    page = Page(write_report(retraining_run))
    assert "Test accuracy, epoch 2 87.50 %" in page.words
    assert "Test error" not in page.words


FILES = ("config.yaml", "metrics.jsonl", "genotype.yaml", "genotypes", "result.json")


@pytest.mark.parametrize("missing", FILES)
def test_any_file_may_be_missing(missing: str, plain_search_run: Path) -> None:
    path = plain_search_run / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert "a-search" in Page(write_report(plain_search_run)).words


@pytest.mark.parametrize("only", [name for name in FILES if name != "genotypes"])
def test_any_file_may_be_the_only_one(only: str, plain_search_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "lone"
    run.mkdir()
    shutil.copy(plain_search_run / only, run / only)
    assert "lone" in Page(write_report(run)).words


def test_damage_is_listed(plain_search_run: Path) -> None:
    (plain_search_run / "config.yaml").write_text("a: [1")
    page = Page(write_report(plain_search_run))
    assert "Left out config.yaml cannot be read" in page.words


@pytest.mark.parametrize(
    "tables", [{}, {"operations": "x"}, {"operations": [[1, 2]]}, {"operations": [[]], "edges": 3}]
)
def test_tables_of_another_shape_are_left_out(tables: object, plain_search_run: Path) -> None:
    architecture = {"normal": tables, "reduce": tables}
    line = {"kind": "epoch", "step": 10, "epoch": 0, "architecture": architecture}
    (plain_search_run / "metrics.jsonl").write_text(json.dumps(line) + "\n")
    page = Page(write_report(plain_search_run))
    assert "softmax of alpha" not in page.words.replace("softmax of alpha (times", "")


HOSTILE = "<script>alert('x')</script><img src=x onerror=alert(1)>\"&'$x^2$"


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "∕")
    run, other = make_search(tmp_path / name, tables=False), make_retraining(tmp_path / "other")
    config = {"dataset": HOSTILE, "method": HOSTILE, HOSTILE: HOSTILE}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    save_genotype(load_genotype("darts_v2").with_name(HOSTILE), run / "genotype.yaml")
    (run / "cells").mkdir()
    (run / "cells" / "epoch-001-normal.svg").write_text(f"<svg>{HOSTILE}</svg>")
    (run / "genotypes" / "epoch-002.yaml").write_text(f"'{HOSTILE.replace(chr(39), '')}': 1")
    for path in (write_report(run), write_comparison([run, other], tmp_path / "both.html")):
        page = Page(path)
        assert page.tags.count("script") == 1 + ("const film" in page.source)
        assert "onerror" not in page.attributes
        assert all(address.startswith(("data:", "#")) for address in page.addresses)
        assert HOSTILE in page.text


def test_a_comparison(tmp_path: Path) -> None:
    runs = [
        make_retraining(tmp_path / "first", seed=0, accuracy=97.5),
        make_retraining(tmp_path / "second", seed=1, accuracy=96.25),
        make_search(tmp_path / "third", tables=False),
    ]
    path = write_comparison(runs, tmp_path / "new" / "comparison.html")
    page = Page(path)
    assert "Comparison of 3 runs" in page.words
    for words in ("97.50 %", "96.25 %", "90.25 %", "first (test)", "third (validation)"):
        assert words in page.words
    assert "first has the highest test accuracy of 2 trained networks, 97.50 %." in page.words
    assert page.source.count('class="best"') == 1
    assert "run epochs genotype seed" in page.words
    assert "dataset digits" not in page.words  # Not a setting that differs.
    assert page.tags.count("svg") == 4


def test_runs_of_one_name_are_told_apart_by_path(tmp_path: Path) -> None:
    runs = [make_retraining(tmp_path / parent / "run") for parent in ("a", "b")]
    page = Page(write_comparison(runs, tmp_path / "comparison.html"))
    assert str(tmp_path / "a" / "run") in page.words
    assert "Settings that differ None." in page.words


def test_no_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a run directory"):
        write_report(tmp_path)
    with pytest.raises(UserError, match="needs run directories"):
        write_comparison([], tmp_path / "x.html")
