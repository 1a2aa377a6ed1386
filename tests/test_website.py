"""The programs that write pages of the site; `make docs` builds and checks the whole."""

from __future__ import annotations

import doctest
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
pytest.importorskip("nbclient", reason="the extra `docs` is not installed")

from mkdocs.exceptions import PluginError

from darts.sweeps.choice_options import ManySearchOptions
from darts.sweeps.repeat_options import ManyTrainingOptions
from docs.website import hooks, notebooks, reference
from docs.website.sources import Sources


@pytest.mark.parametrize("name", ["doctest_blocks", "reference", "tables"])
def test_examples_run(name: str) -> None:
    outcome = doctest.testmod(import_module(f"docs.website.{name}"))
    assert outcome.attempted
    assert not outcome.failed


def test_links_lead_to_the_copies_of_the_site() -> None:
    for before, after in {
        "[a](../README.md#from-python)": "[a](project/overview.md#from-python)",
        "[b](../setup.cfg)": "[b](files/setup.cfg.txt)",
        "[c](notebooks/judge-a-cell.ipynb)": "[c](notebooks/judge-a-cell.md)",
        "`[d](../README.md)`": "`[d](../README.md)`",
    }.items():
        assert Sources().relinked(before, "design.md") == after
    # A document of the repository moves, and its links with it.
    assert Sources().relinked("[a](docs/gpu.md)", "project/overview.md") == "[a](../gpu.md)"
    outside = "[a](https://example.org/x.md) and [b](nowhere.md)"
    assert Sources().relinked(outside, "design.md") == outside


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script src="https://unpkg.com/x"></script>'),
        ("a.html", '<img alt="x" src="//example.org/x.png">'),
        ("a.html", '<link rel="stylesheet" href="https://fonts.example.org/css">'),
        ("a.css", "@import url(https://fonts.example.org/css)"),
    ],
)
def test_a_site_that_fetches_from_elsewhere_is_refused(
    name: str, text: str, tmp_path: Path
) -> None:
    config = SimpleNamespace(site_dir=str(tmp_path))
    (tmp_path / name).write_text('<a href="https://example.org">x</a><img src="images/a.svg">')
    hooks.on_post_build(config)
    (tmp_path / name).write_text(text)
    with pytest.raises(PluginError, match=name):
        hooks.on_post_build(config)


def test_outputs_of_notebooks() -> None:
    def shown(kind: str, text: str) -> str:
        return notebooks._shown({"output_type": "execute_result", "data": {kind: text}})

    assert shown("text/plain", "1") == "```text\n1\n```"
    svg = shown("image/svg+xml", '<?xml version="1.0"?>\n\n<svg>\n\n</svg>')
    assert svg == '<div class="output" tabindex="0">\n<svg>\n</svg>\n</div>'
    assert not notebooks._shown({"output_type": "stream", "name": "stderr", "text": "epoch 1"})


def test_every_setting_has_its_meaning() -> None:
    groups = reference.setting_groups().values()
    rows = [row for group in groups for cls in group for row in reference._rows(cls)]
    shown = {name.strip("`") for name, *_ in rows}
    assert shown == {
        one.name for cls in (ManySearchOptions, ManyTrainingOptions) for one in fields(cls)
    }
    assert all(meaning for *_, meaning in rows)
