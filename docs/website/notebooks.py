"""Notebooks as pages: `make docs` runs them, and shows what their cells return.

They are stored without outputs. A cell that fails ends the build.
"""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
# Seconds of a cell; whole notebooks take some ten seconds on two idle cores.
_LIMIT = 300


def pages(folder: Path) -> dict[str, str]:
    """The pages of all notebooks of a folder, by path."""
    files = sorted(folder.glob("*.ipynb"))
    with ThreadPoolExecutor() as pool:
        texts = list(pool.map(lambda file: _markdown(executed(file)), files))
    return {f"notebooks/{file.stem}.md": text for file, text in zip(files, texts, strict=True)}


def executed(file: Path) -> nbformat.NotebookNode:
    """A notebook with outputs, run in a directory of its own and with this checkout.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell fails.
    """
    notebook = nbformat.read(file, as_version=4)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    with tempfile.TemporaryDirectory() as work:
        client = NotebookClient(
            notebook,
            timeout=_LIMIT,
            kernel_name="python3",
            resources={"metadata": {"path": work}},
            extra_arguments=["--log-level=ERROR"],
        )
        client.execute(env=environment)
    return notebook


def _markdown(notebook: nbformat.NotebookNode) -> str:
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        else:
            parts.append(f"```python\n{cell.source}\n```")
            parts += [shown for output in cell.outputs if (shown := _shown(output))]
    return "\n\n".join(parts) + "\n"


def _shown(output: dict[str, Any]) -> str:
    """An output as HTML or text; what a cell writes to standard error is left out."""
    if output["output_type"] == "stream":
        text = output["text"] if output["name"] == "stdout" else ""
        return f"```text\n{text.rstrip()}\n```" if text else ""
    data = output["data"]
    for kind in ("text/html", "image/svg+xml"):
        if kind in data:
            # Markdown ends a block of HTML at an empty line.
            lines = [line for line in data[kind].splitlines() if line.strip()]
            lines = [line for line in lines if not line.startswith(("<?xml", "<!DOCTYPE"))]
            return '<div class="output" tabindex="0">\n' + "\n".join(lines) + "\n</div>"
    return f"```text\n{data['text/plain'].rstrip()}\n```"
