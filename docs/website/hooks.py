"""What `make docs` adds to the pages of docs/: the repository's own documents, the API reference,
the galleries and the notebooks. MkDocs calls these functions; mkdocs.yml names this file.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

from docs.website import gallery, models, notebooks, reference
from docs.website.sources import Sources

# Attributes that make a browser fetch something when it shows a page.
_FETCHED = re.compile(r"""<(?:script|img|iframe|source)\b[^>]*?\bsrc=["'](\w+:)?//([^"']+)""")
_LINKED = re.compile(r"""<link\b(?=[^>]*\brel=["'](?:stylesheet|icon|pre))[^>]*//([^"']+)""")
_IMPORTED = re.compile(r"""(?:@import|url\()\s*["']?(?:https?:)?//([^"')]+)""")

_sources = Sources()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Make anchors as code hosts do, so that a link is right in both places."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slugify(case="lower")
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are written by a program, and the files outside docs/ that pages show."""
    _sources.start(files)
    with ThreadPoolExecutor() as pool:
        # Notebooks run in processes of their own, beside the rest.
        running = pool.submit(notebooks.pages, Path(config.docs_dir) / "notebooks")
        pages: dict[str, str | bytes] = {
            **_sources.documents(),
            **reference.pages(),
            **gallery.pages(),
            **models.pages(),
        }
        pages |= running.result()
    for path, content in pages.items():
        if (old := files.get_file_from_path(path)) is not None:
            files.remove(old)
        files.append(File.generated(config, path, content=content))
    for path, name in _sources.linked(files).items():
        files.append(File.generated(config, name, content=path.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links to the rest of the repository into links to the site's copies."""
    return _sources.relinked(markdown, page.file.src_uri)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Give the theme's search a name for screen readers."""
    return output.replace('role="dialog"', 'role="dialog" aria-label="Search"', 1)


def on_post_build(config: MkDocsConfig) -> None:
    """Refuse a site whose pages fetch anything from another machine."""
    site = Path(config.site_dir)
    found: dict[str, Any] = {}
    for page in (*site.rglob("*.html"), *site.rglob("*.css")):
        text = page.read_text(encoding="utf-8")
        patterns = (_IMPORTED,) if page.suffix == ".css" else (_FETCHED, _LINKED)
        if wrong := [match for pattern in patterns for match in pattern.findall(text)]:
            found[str(page.relative_to(site))] = wrong
    if found:
        raise PluginError(f"Pages fetch files from elsewhere: {found}")
