"""Every link in the markdown of the repository leads to a file, and to a heading in it."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
NOTEBOOKS = sorted(ROOT.glob("docs/notebooks/*.ipynb"))


def read(document: Path) -> str:
    """The text of a document without its blocks of code; of a notebook, its texts."""
    text = document.read_text(encoding="utf-8")
    if document.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """The targets of links and pictures; what stands in backquotes is none.

    >>> links("[a](b.md#c), ![d](e.svg), [`f`](g) and `[h](i)`")
    ['b.md#c', 'e.svg', 'g']
    """
    text = re.sub(r"`[^`\n]*`", "code", text)
    return re.findall(r"\]\(([^)]*)\)", text)


def anchors(text: str) -> set[str]:
    """The anchors of headings, as code hosts and the site make them.

    >>> sorted(anchors("# What it's for\\n## A `b`\\n## A b"))
    ['a-b', 'a-b-1', 'what-its-for']
    """
    names, times = set(), Counter[str]()
    for line in re.findall(r"^#+ (.*?)\s*$", text, re.MULTILINE):
        shown = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", line)
        name = re.sub(r"[^\w -]", "", shown).strip().lower().replace(" ", "-")
        names.add(f"{name}-{times[name]}" if times[name] else name)
        times[name] += 1
    return names


def fault(document: Path, target: str) -> str | None:
    """What is wrong with a link, if anything is. Addresses are checked for their form only."""
    if "://" in target:
        parts = urlsplit(target)
        sound = parts.scheme == "https" and re.fullmatch(r"([\w-]+\.)+[a-z]{2,}", parts.netloc)
        return None if sound else "is no address of a public page"
    name, _, anchor = target.partition("#")
    file = document.parent / name if name else document
    if not file.exists():
        return "does not exist"
    if not file.resolve().is_relative_to(ROOT):
        return "is outside the repository"
    return "has no such heading" if anchor and anchor not in anchors(read(file)) else None


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, *NOTEBOOKS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_links_lead_somewhere(document: Path) -> None:
    targets = links(read(document))
    assert {target: wrong for target in targets if (wrong := fault(document, target))} == {}


@pytest.mark.parametrize(
    "target",
    ["nowhere.md", "../README.md#nothing-of-that", "http://example.org", "https://x", "../../x"],
)
def test_a_wrong_link_is_found(target: str) -> None:
    assert fault(ROOT / "docs/design.md", target)


def test_every_page_has_one_title() -> None:
    wrong = [one for one in DOCUMENTS if len(re.findall(r"^# ", read(one), re.MULTILINE)) != 1]
    assert wrong == []


def test_no_picture_is_left_over() -> None:
    shown = {(one.parent / target).resolve() for one in DOCUMENTS for target in links(read(one))}
    assert {path.resolve() for path in ROOT.glob("docs/images/*.[sp][vn]g")} - shown == set()


def test_every_page_has_a_place_in_the_site() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    # Other pages are written when the site is built.
    placed = set(re.findall(r"([\w/-]+\.md)$", text, re.MULTILINE))
    pages = {str(one.relative_to(ROOT / "docs")) for one in ROOT.glob("docs/**/*.md")}
    assert pages - placed == set()
