"""Pages in a real browser: no error, no request, and everything that moves does what it says.

The page of joint searches is opened beside their other tests (`tests/darts/joint/test_command.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser import PAPER, Visit, check_soundness
from tests.darts.report.every_page import PAGES

Pages = Callable[[str], Path]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    """The page of a kind, which is written once."""
    folder = tmp_path_factory.mktemp("pages")
    known: dict[str, Path] = {}

    def page(kind: str) -> Path:
        if kind not in known:
            known[kind] = PAGES[kind](folder / kind)
        return known[kind]

    return page


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_is_sound(browser: Any, pages: Pages, kind: str) -> None:
    check_soundness(browser, pages(kind))


def test_the_slider_moves_the_picture_and_nothing_else(browser: Any, pages: Pages) -> None:
    with Visit(browser, pages("search")) as visit:
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


def test_both_cells_have_one_scale_and_small_screens_scroll(browser: Any, pages: Pages) -> None:
    heights = (
        "[...document.querySelectorAll('.stage img')].slice(0, 2)"
        ".map(i => i.getBoundingClientRect().width / i.naturalWidth)"
    )
    for width in (375, 1280):
        with Visit(browser, pages("search"), width) as visit:
            first, second = visit(heights)
            assert first == pytest.approx(second, rel=0.02)
            # Text of 14 pixels stays readable.
            assert first > 0.6


def test_play_runs_to_the_end_and_stops(browser: Any, pages: Pages) -> None:
    with Visit(browser, pages("search"), still=True) as visit:
        button = visit.page.locator("#play")
        button.click()
        assert visit.page.locator("#shown").inner_text() == "epoch 1"
        assert button.inner_text() == "Pause"
        visit.page.clock.run_for(2500)
        assert button.inner_text() == "Play"
        assert visit.page.locator("#shown").inner_text() == "epoch 4"


def test_play_is_slow_where_motion_is_unwanted(browser: Any, pages: Pages) -> None:
    with Visit(browser, pages("search"), still=True, reduced_motion="reduce") as visit:
        visit.page.locator("#play").click()
        visit.page.clock.run_for(2500)
        assert visit.page.locator("#shown").inner_text() == "epoch 2"


def test_tables_sort_by_number_and_filter(browser: Any, pages: Pages) -> None:
    with Visit(browser, pages("several")) as visit:
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


def test_the_theme_can_be_chosen(browser: Any, pages: Pages) -> None:
    with Visit(browser, pages("training"), color_scheme="dark") as visit:
        button = visit.page.locator("#theme")
        assert button.inner_text() == "Light"
        button.click()
        assert visit("getComputedStyle(document.body).backgroundColor") == PAPER["light"]
        assert button.inner_text() == "Dark"


def test_the_command_is_copied(browser: Any, pages: Pages) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    with Visit(browser, pages("search"), permissions=permissions) as visit:
        visit.page.get_by_role("button", name="Copy the command").click()
        copied = visit("navigator.clipboard.readText()")
        assert copied == visit("document.querySelector('.command pre').textContent")
        assert copied.startswith("python search.py --config ")


def test_without_script_everything_can_be_read(browser: Any, pages: Pages) -> None:
    with Visit(browser, pages("search"), java_script_enabled=False) as visit:
        assert visit.page.locator("h1").inner_text() == "search"
        assert visit.page.locator("#normal").get_attribute("src").startswith("data:image/svg")
        assert not visit.page.locator("#theme").is_visible()


def test_printing_is_light_and_has_no_controls(browser: Any, pages: Pages) -> None:
    with Visit(browser, pages("search"), color_scheme="dark") as visit:
        # Chosen by the reader and by the system.
        visit("document.documentElement.dataset.theme = 'dark'")
        visit.page.emulate_media(media="print", color_scheme="dark")
        assert visit("getComputedStyle(document.querySelector('h1')).color") == "rgb(31, 41, 55)"
        assert visit("getComputedStyle(document.querySelector('.drawing')).filter") == "none"
        assert not visit.page.locator("#play").is_visible()
        assert visit("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
