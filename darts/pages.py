"""Which page belongs to which directory: each kind of run has its own; none overwrites another.

A page names its template (`page_kind`), so that a file of another kind is noticed and left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from darts.errors import UserError
from darts.files import atomic_write
from darts.run_files import RunFiles
from darts.trials.schema import TRIALS_FILE


def page_of(directory: Path) -> Path:
    """Write the page of a run of any kind from its files; return its path.

    The pages of comparisons and fits are written at their end, with what only they know; such a
    page is returned as it is.

    Raises:
        UserError: There is no run, or it has no page yet; the message says how it gets one.
    """
    from darts.report.page import write_report
    from darts.report.render import page_kind
    from darts.scaling.report import is_scaling, write_scaling_report
    from darts.sweeps.choice_page import has_choice, write_choice_report
    from darts.sweeps.directory import is_sweep
    from darts.sweeps.repeats_page import has_repeats, write_repeats_report

    page = RunFiles(directory).report
    if is_sweep(directory):
        return _sweep_page(directory)
    if (directory / "setting.yaml").is_file() and (directory / TRIALS_FILE).is_file():
        from darts.joint.report import write_joint_report

        return write_joint_report(directory)
    if is_scaling(directory):
        return write_scaling_report(directory)
    if has_repeats(directory):
        return write_repeats_report(directory)
    if has_choice(directory):
        return write_choice_report(directory)
    if page.is_file() and page_kind(page) not in ("", "report.html"):
        return page
    if (directory / TRIALS_FILE).is_file():
        if page.is_file():
            return page
        raise UserError(_unfinished(directory))
    return write_report(directory)


def page_of_several(
    directories: Sequence[Path],
    output: Path | None = None,
    latencies: Mapping[Path, float] | None = None,
) -> Path:
    """Write one page that compares runs; return its path.

    Args:
        directories: Directories of runs.
        output: The file; by default a new one beside the first run.
        latencies: Seconds of a forward pass of trained networks, by directory.

    Raises:
        UserError: A directory holds no run, or the file is a page of another kind.
    """
    from darts.report.page import write_comparison
    from darts.report.render import page_kind

    if output is None:
        output = _new_file(directories[0].resolve().parent)
        return write_comparison(directories, output, latencies)
    if output.exists() and (not output.is_file() or page_kind(output) != "comparison.html"):
        raise UserError(
            f"--output {output}: this is no page that compares runs; it is left as it is. Give "
            "another file."
        )
    return write_comparison(directories, output, latencies)


def copy_page(page: Path, output: Path) -> Path:
    """Copy a page to another file; return it.

    Raises:
        UserError: The file exists and is no page.
    """
    from darts.report.render import page_kind

    if output.exists() and (not output.is_file() or not page_kind(output)):
        raise UserError(f"--output {output}: this is no report; it is left as it is.")
    content = page.read_bytes()
    with atomic_write(output, "wb") as stream:
        stream.write(content)
    return output


def _new_file(folder: Path) -> Path:
    """A file that does not exist: comparison.html, comparison-2.html …"""
    number, path = 1, folder / "comparison.html"
    while path.exists():
        number += 1
        path = folder / f"comparison-{number}.html"
    return path


def _sweep_page(directory: Path) -> Path:
    from darts.sweeps.directory import read_sweep
    from darts.sweeps.sweep_outcome import outcome_of
    from darts.sweeps.sweep_report import write_sweep_report

    return write_sweep_report(outcome_of(read_sweep(directory)))


def _unfinished(directory: Path) -> str:
    """What to do with a study that has trials but no page."""
    config = _config(directory)
    what, further = "study", "Continue it with the command that began it"
    if config.get("recipes") or "baseline" in config:
        what, further = "comparison", f"python -m darts compare --resume {directory} continues it"
    elif config.get("seeds") is not None:
        script = "search.py" if "method" in config else "evaluate.py"
        what, further = "run of several seeds", f"python {script} --resume {directory} continues it"
    return (
        f"{directory} holds a {what} without a page: it has not ended. {further}, and writes the "
        "page."
    )


def _config(directory: Path) -> Mapping[str, Any]:
    try:
        found = RunFiles(directory).read_config()
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, Mapping) else {}
