"""Pages in a headless Chromium of the system; tests skip where it or Playwright is missing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
WIDTHS = (375, 768, 1920)
PAPER = {"light": "rgb(246, 248, 250)", "dark": "rgb(15, 18, 22)"}
CONTRAST = 4.5
"""Least contrast of text (WCAG 2, level AA)."""

# axe would take seconds for the thousands of shapes of a plot, which has a label as a whole.
_EMPTY = "for (const one of document.querySelectorAll('figure svg')) one.replaceChildren()"

# Only what is wrong comes back: what is right would take longer than the checks.
_VIOLATIONS = """
axe.run(document, {resultTypes: ["violations"], %s})
  .then(found => found.violations.map(one => [one.id, one.nodes[0].html]))
"""
_CONTRAST_ONLY = 'runOnly: ["color-contrast"]'


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser for as long as the context lasts."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: pip install playwright"
    )
    if not CHROMIUM:
        pytest.skip("no Chromium on the PATH: apt-get install chromium")
    with playwright.sync_playwright() as play:
        # Tests may run as root, where Chromium's sandbox does not start.
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


class Visit:
    """An opened page, and everything that went wrong in it."""

    def __init__(
        self, browser: Any, path: Path, width: int = 1280, *, still: bool = False, **context: Any
    ) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, **context)
        self.page = self.context.new_page()
        if still:  # Time passes only when the test says so.
            self.page.clock.install()
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda one: self.errors.append(f"{one.type}: {one.text}"))
        self.page.on("pageerror", lambda one: self.errors.append(str(one)))
        self.page.on("request", lambda one: self.requests.append(one.url))
        self.page.goto(path.as_uri())

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()

    def __call__(self, script: str) -> Any:
        return self.page.evaluate(script)


def check_soundness(browser: Any, path: Path) -> None:
    """Check what every page must be.

    No error and no request; no width at which the page scrolls sideways; first sentence, labels and
    contrast in both themes; nothing closed and no control on paper.
    """
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe is not installed")
    with Visit(browser, path, color_scheme="light") as visit:
        assert not visit.errors
        # Nothing but the page itself and pictures that are part of it.
        asked = [url for url in visit.requests if not url.startswith("data:")]
        assert asked == [path.as_uri()]
        assert visit("document.querySelector('h1').textContent").strip()
        assert len(visit("document.querySelector('.outcome').textContent")) > 20
        for width in WIDTHS:
            visit.page.set_viewport_size({"width": width, "height": 900})
            assert visit("document.documentElement.scrollWidth") <= width
        visit.page.set_viewport_size({"width": 1280, "height": 900})
        visit(_EMPTY)
        visit(axe.Axe().axe_script)
        for scheme, paper in PAPER.items():
            visit.page.emulate_media(color_scheme=scheme)
            assert visit("getComputedStyle(document.body).backgroundColor") == paper
            assert visit(_VIOLATIONS % ("" if scheme == "light" else _CONTRAST_ONLY)) == []
        visit.page.emulate_media(media="print")
        assert visit("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        visible = "one => one.getClientRects().length > 0"
        assert visit(f"[...document.querySelectorAll('button:not(th *)')].some({visible})") is False
        visit("dispatchEvent(new Event('beforeprint'))")
        assert visit("document.querySelectorAll('details:not([open])').length") == 0
        visit("dispatchEvent(new Event('afterprint'))")
        # An A4 sheet between its margins has 688 pixels of 1/96 inch.
        visit.page.set_viewport_size({"width": 688, "height": 900})
        wide = "e => [e.scrollWidth - e.clientWidth, e.textContent.trim().slice(0, 40)]"
        tables = visit(f"[...document.querySelectorAll('.wide')].map({wide})")
        assert [table for table in tables if table[0] > 1] == []
    check_plots(path.read_text(encoding="utf-8"))


def check_plots(page: str) -> None:
    """Check that text of plots has enough contrast on white paper and on its dark counterpart."""
    texts = re.findall(r"<text\b[^>]*", page)
    colours = {one for text in texts for one in re.findall(r"fill\s*[=:]\s*\"?\s*(#\w{6})", text)}
    for colour in colours:
        light, dark = _rgb(colour), _turned(_rgb(colour))
        assert _contrast(light, (1, 1, 1)) >= CONTRAST, colour
        assert _contrast(dark, _turned((1, 1, 1))) >= CONTRAST, colour


Colour = tuple[float, ...]


def _rgb(text: str) -> Colour:
    return tuple(int(text[start : start + 2], 16) / 255 for start in (1, 3, 5))


@cache
def _turned(colour: Colour) -> Colour:
    """What `filter: invert(0.9) hue-rotate(180deg)` makes of a colour."""
    inverted = [0.9 - 0.8 * one for one in colour]
    rows = ((-0.574, 1.43, 0.144), (0.426, 0.43, 0.144), (0.426, 1.43, -0.856))
    mixed = (sum(a * b for a, b in zip(row, inverted, strict=True)) for row in rows)
    return tuple(min(1.0, max(0.0, one)) for one in mixed)


def _contrast(first: Colour, second: Colour) -> float:
    lights = sorted((_light(first), _light(second)))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _light(colour: Colour) -> float:
    """Relative luminance."""
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
