"""Links from the pages to the rest of the repository.

The markdown is also read on code hosts, so a page links to `../README.md` or
`../configs/search_imagenet.yaml`. The site has a page for each of the repository's documents, and a
copy of every other file that is linked.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable
from pathlib import Path

from mkdocs.structure.files import Files

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
# Documents of the repository, and their pages.
DOCUMENTS = {
    "README.md": "project/overview.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
}
_LINK = re.compile(r"\]\(([^)\s#]+)(#[^)]*)?\)")
_CODE = re.compile(r"(^```.*?^```$|`[^`\n]+`(?!\]))", re.MULTILINE | re.DOTALL)


def outside_code(markdown: str, change: Callable[[re.Match[str]], str]) -> str:
    """Apply `change` to every link that is not in code."""
    pieces = _CODE.split(markdown)
    pieces[::2] = [_LINK.sub(change, piece) for piece in pieces[::2]]
    return "".join(pieces)


class Sources:
    """The places of the repository's files in the site."""

    def start(self, files: Files) -> None:
        """Begin a build with the files of docs/."""
        self._written = {name: (ROOT / name).read_text("utf-8") for name in DOCUMENTS}
        self._pages = [one.src_uri for one in files if one.src_uri.endswith(".md")]

    def documents(self) -> dict[str, str]:
        """The pages of the repository's documents."""
        return {page: self._written[name] for name, page in DOCUMENTS.items()}

    def linked(self, files: Files) -> dict[Path, str]:
        """The other files that pages link to, and the names of their copies."""
        found: dict[Path, str] = {}
        texts = {page: (DOCS / page).read_text("utf-8") for page in self._pages} | self.documents()
        for page, text in texts.items():

            def note(match: re.Match[str], page: str = page) -> str:
                path = self._path(page, match[1])
                if path and path.is_file() and not self._is_page(path):
                    found[path] = _copy_of(path)
                return match[0]

            outside_code(text, note)
        return {path: name for path, name in found.items() if not path.is_relative_to(DOCS)}

    def relinked(self, markdown: str, page: str) -> str:
        """The text of a page with links that work in the site."""

        def change(match: re.Match[str]) -> str:
            path = self._path(page, match[1])
            if path is None or not path.is_file():
                return match[0]
            relative = posixpath.relpath(self._place(path), posixpath.dirname(page) or ".")
            return f"]({relative}{match[2] or ''})"

        return outside_code(markdown, change)

    def _path(self, page: str, target: str) -> Path | None:
        """The file of the repository that a link of a page leads to."""
        if "://" in target or target.startswith(("mailto:", "/")):
            return None
        home = {place: ROOT / name for name, place in DOCUMENTS.items()}.get(page, DOCS / page)
        path = Path(os.path.normpath(home.parent / target))
        return path if path.is_relative_to(ROOT) else None

    @staticmethod
    def _is_page(path: Path) -> bool:
        return path.parent == ROOT and path.name in DOCUMENTS

    def _place(self, path: Path) -> str:
        if self._is_page(path):
            return DOCUMENTS[path.name]
        if not path.is_relative_to(DOCS):
            return _copy_of(path)
        # Notebooks become pages.
        place = path.relative_to(DOCS)
        return (place.with_suffix(".md") if place.suffix == ".ipynb" else place).as_posix()


def _copy_of(path: Path) -> str:
    """The name of a file's copy; browsers show text under this suffix, instead of storing it."""
    return f"files/{path.relative_to(ROOT).as_posix()}.txt"
