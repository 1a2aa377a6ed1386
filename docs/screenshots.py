"""Small pictures of pages for the guides: `python docs/screenshots.py PAGE:NAME …`.

PAGE is the directory of a run, or an HTML file. Writes the upper part of each page to
docs/images/page-NAME.png, five eighths of its size and in few colours. Needs Playwright and a
Chromium of the system.
"""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"
WIDTH, HEIGHT = 1280, 1000
LARGEST = 60_000
"""Bytes that a picture may have; it gets fewer colours until it is as small."""


def main(wanted: list[str]) -> None:
    """Photograph the page of each run."""
    found = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for one in wanted:
            place, _, name = one.rpartition(":")
            file = Path(place).resolve()
            page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
            page.goto((file if file.is_file() else file / "report.html").as_uri())
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            small = picture.resize((WIDTH * 5 // 8, HEIGHT * 5 // 8), Image.Resampling.LANCZOS)
            (IMAGES / f"page-{name}.png").write_bytes(reduced(small))
            page.close()
        browser.close()


def reduced(picture: Image.Image) -> bytes:
    """The picture as PNG with as many colours as its size allows."""
    for colours in (96, 64, 48, 32, 24, 16):
        stream = io.BytesIO()
        few = picture.quantize(colours, Image.Quantize.MAXCOVERAGE, 1, dither=Image.Dither.NONE)
        few.save(stream, "PNG", optimize=True)
        if stream.tell() <= LARGEST:
            break
    return stream.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:])
