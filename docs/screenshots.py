"""Small pictures of pages for the guides: `python docs/screenshots.py RUN:NAME …`.

Writes the upper part of each page, half its size and in few colours, to docs/images/page-NAME.png.
Needs Playwright and a Chromium of the system.
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1280, 1000


def main(wanted: list[str]) -> None:
    """Photograph the page of each run."""
    found = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for one in wanted:
            run, _, name = one.rpartition(":")
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto((Path(run).resolve() / "report.html").as_uri())
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            small = picture.resize((WIDTH * 5 // 8, HEIGHT * 5 // 8), Image.Resampling.LANCZOS)
            small.quantize(96, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
                IMAGES / f"page-{name}.png", optimize=True
            )
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
