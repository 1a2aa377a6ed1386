"""Pages in a real browser: no error, no request, and everything that moves does what it says.

Needs Playwright and a Chromium of the system; skipped where either is missing.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from darts.report.page import write_comparison, write_report
from darts.scaling.report import ScalingDescription, write_scaling_report

from .conftest import make_retraining, make_search

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe is not installed")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium on the PATH")

WIDTHS = (375, 768, 1920)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as play:
        # Tests may run as root, where Chromium's sandbox does not start.
        opened = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    search = make_search(folder / "search", epochs=4)
    several = [search]
    for number in range(8):
        name = f"training-{number}"
        several.append(make_retraining(folder / name, seed=number, accuracy=90 + number / 2))
    return {
        "scaling": scaling_page(folder / "scaling"),
        "search": write_report(search),
        "training": write_report(several[1]),
        "comparison": write_comparison(several, folder / "comparison.html"),
    }


def scaling_page(folder: Path) -> Path:
    """The page of a small study."""
    rows = [
        {
            "strategy": strategy,
            "name": name,
            "macs": macs,
            "params": macs // 100,
            "accuracy": 90 + gain + macs / 10**6,
            "deviation": 0.4,
            "seeds": 3,
            **dict.fromkeys(("depth", "channels", "resolution"), 8),
            **({"advantage": 1 - gain, "error": 0.3, "off": 0.01} if macs > 10**6 else {}),
        }
        for strategy, gain in (("compound", 1), ("width", 0))
        for name, macs in (("base", 10**6), ("2M", 2 * 10**6), ("4M", 4 * 10**6))
    ]
    folder.mkdir()
    (folder / "study.json").write_text(json.dumps(rows))
    ScalingDescription(title="a cell", command="python -m darts scale study").write(folder)
    return write_scaling_report(folder)


class Visit:
    """An opened page, and everything that went wrong in it."""

    def __init__(self, browser: Any, path: Path, width: int = 1280, **context: Any) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, **context)
        self.page = self.context.new_page()
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["search", "training", "comparison", "scaling"])
def test_a_page_is_sound(browser: Any, pages: dict[str, Path], kind: str, scheme: str) -> None:
    with Visit(browser, pages[kind], color_scheme=scheme) as visit:
        assert not visit.errors
        # Nothing but the page itself and pictures that are part of it.
        assert [url for url in visit.requests if not url.startswith("data:")] == [
            pages[kind].as_uri()
        ]
        for width in WIDTHS:
            visit.page.set_viewport_size({"width": width, "height": 900})
            assert visit("document.documentElement.scrollWidth") <= width
        found = axe.Axe().run(visit.page)
        assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
        light = visit("getComputedStyle(document.body).backgroundColor") == "rgb(246, 248, 250)"
        assert light == (scheme == "light")


def test_the_slider_moves_the_picture_and_nothing_else(
    browser: Any, pages: dict[str, Path]
) -> None:
    with Visit(browser, pages["search"]) as visit:
        slider = visit.page.locator("#epoch")
        seen = {"pictures": set(), "heights": set(), "values": []}
        for index in range(4):
            slider.fill(str(index))
            assert visit.page.locator("#shown").inner_text() == f"epoch {index + 1}"
            assert slider.get_attribute("aria-valuetext") == f"epoch {index + 1}"
            seen["pictures"].add(visit("document.getElementById('normal').src"))
            seen["heights"].add(visit("document.body.scrollHeight"))
            first = "document.getElementById('heat-normal').tBodies[0].rows[0].cells[1].textContent"
            seen["values"].append(visit(first))
        assert len(seen["pictures"]) == 2
        assert len(seen["heights"]) == 1
        assert len(set(seen["values"])) > 1
        slider.press("ArrowLeft")
        assert visit.page.locator("#shown").inner_text() == "epoch 3"
        assert visit("document.querySelectorAll('#heat-normal td.kept').length") == 8


def test_both_cells_have_one_scale_and_small_screens_scroll(
    browser: Any, pages: dict[str, Path]
) -> None:
    heights = (
        "[...document.querySelectorAll('.stage img')].slice(0, 2)"
        ".map(i => i.getBoundingClientRect().width / i.naturalWidth)"
    )
    for width in (375, 1280):
        with Visit(browser, pages["search"], width) as visit:
            first, second = visit(heights)
            assert first == pytest.approx(second, rel=0.02)
            # Text of 14 pixels stays readable.
            assert first > 0.6


def test_play_runs_to_the_end_and_stops(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["search"]) as visit:
        button = visit.page.locator("#play")
        button.click()
        assert visit.page.locator("#shown").inner_text() == "epoch 1"
        assert button.inner_text() == "Pause"
        expect = playwright.expect
        expect(button).to_have_text("Play", timeout=20_000)
        assert visit.page.locator("#shown").inner_text() == "epoch 4"


def test_tables_sort_by_number_and_filter(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["comparison"]) as visit:
        column = (
            "[...document.querySelectorAll('table')[0].tBodies[0].rows].filter(r => !r.hidden)"
            ".map(r => r.cells[0].textContent)"
        )
        head = visit.page.get_by_role("button", name="Test accuracy, last epoch")
        head.click()
        names = [f"training-{number}" for number in range(8)]
        assert visit(column) == [*names, "search"]
        head.press("Enter")
        # What is unknown stays last.
        assert visit(column) == [*reversed(names), "search"]
        assert visit("document.querySelectorAll('th[aria-sort=descending]').length") == 1
        assert visit("document.querySelector('tr.best').cells[0].textContent") == "training-7"
        visit.page.locator(".filter").first.fill("TRAINING-3 darts")
        assert visit(column) == ["training-3"]


def test_the_theme_can_be_chosen(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["training"], color_scheme="dark") as visit:
        button = visit.page.locator("#theme")
        assert button.inner_text() == "Light"
        button.click()
        assert visit("getComputedStyle(document.body).backgroundColor") == "rgb(246, 248, 250)"
        assert button.inner_text() == "Dark"


def test_the_command_is_copied(browser: Any, pages: dict[str, Path]) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    with Visit(browser, pages["search"], permissions=permissions) as visit:
        visit.page.get_by_role("button", name="Copy the command").click()
        copied = visit("navigator.clipboard.readText()")
        assert copied == visit("document.querySelector('.command pre').textContent")
        assert copied.startswith("python search.py --config ")


def test_without_script_everything_can_be_read(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["search"], java_script_enabled=False) as visit:
        assert visit.page.locator("h1").inner_text() == "search"
        assert visit.page.locator("#normal").get_attribute("src").startswith("data:image/svg")
        assert not visit.page.locator("#theme").is_visible()


def test_printing_is_light_and_has_no_controls(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["search"], color_scheme="dark") as visit:
        # Chosen by the reader and by the system.
        visit("document.documentElement.dataset.theme = 'dark'")
        visit.page.emulate_media(media="print", color_scheme="dark")
        assert visit("getComputedStyle(document.querySelector('h1')).color") == "rgb(31, 41, 55)"
        assert visit("getComputedStyle(document.querySelector('.drawing')).filter") == "none"
        assert not visit.page.locator("#play").is_visible()
        assert visit("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
