"""Pages from templates: each study has its own, on the base and parts that are here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from darts.files import atomic_write
from darts.report.formatting import date_and_time
from darts.system.plain_text import printable

# The characters of a page that name its template.
_HEAD = 1000


def render_page(package: str, template: str, path: Path, context: Mapping[str, Any]) -> Path:
    """Write a page; return its path.

    Args:
        package: The package whose folder `templates/` has the template. Templates of `darts.report`
            (`base.html`, `parts.html`) are found as well.
        template: File name of the template.
        path: The file to write.
        context: The variables of the template.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(name) for name in dict.fromkeys((package, __package__))]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template).render(
        **context, written=date_and_time(), page_kind=template
    )
    with atomic_write(path) as stream:
        stream.write(printable(page))
    return path


def page_kind(path: Path) -> str:
    """The template of a page that `render_page` wrote; empty for other files and earlier pages.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open(encoding="utf-8", errors="replace") as stream:
        head = stream.read(_HEAD)
    found = re.search(r'<meta name="darts-page" content="([\w.-]+)">', head)
    return found[1] if found else ""
