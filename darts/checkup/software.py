"""Which libraries and programs are here, and what the missing ones are for.

Nothing heavy is imported: what a library is missing or too old for must be found without it.
"""

from __future__ import annotations

import importlib.metadata
import platform
import shlex
import shutil
import subprocess
from collections.abc import Iterator

from packaging.requirements import Requirement

from darts.checkup.finding import Finding
from darts.system.versions import commit, version_of

_PURPOSES = {
    "cluster": "trainings on a Ray cluster",
    "completion": "completion by the TAB key",
    "detection": "the average precision of detectors",
    "export": "ONNX files",
    "gpu": "kernels for CUDA",
    "track": "runs in Weights & Biases or MLflow",
}
"""What the libraries of an extra are for; those for developers are left out."""


def versions() -> Iterator[Finding]:
    """This toolkit, Python, and the libraries that it needs, with what is missing or too old."""
    own = version_of("darts-nas") or "not installed"
    yield Finding(what="darts", value=f"{own}, commit {commit() or 'unknown'}")
    yield Finding(what="Python", value=f"{platform.python_version()}, {platform.platform()}")
    wanted = [Requirement(one) for one in importlib.metadata.requires("darts-nas") or []]
    plain = [one for one in wanted if one.marker is None]
    lacking = [one for one in plain if not _satisfied(one)]
    named = [f"{one.name} {version_of(one.name)}" for one in plain if one not in lacking]
    yield Finding(what="libraries", value=", ".join(named))
    for one in lacking:
        there = version_of(one.name)
        value = f"{there} is here, {one.specifier} is needed" if there else "is not here"
        yield Finding(what=one.name, value=value, state="failed", remedy=f"pip install '{one}'")
    for extra, purpose in _PURPOSES.items():
        of_extra = [
            one
            for one in wanted
            if one.marker is not None and one.marker.evaluate({"extra": extra})
        ]
        yield from _optional(extra, purpose, of_extra)


def _optional(extra: str, purpose: str, wanted: list[Requirement]) -> Iterator[Finding]:
    lacking = [one for one in wanted if not _satisfied(one)]
    if not wanted:
        return
    if lacking:
        names = ", ".join(one.name for one in lacking)
        install = " ".join(shlex.quote(f"{one.name}{one.specifier}") for one in lacking)
        yield Finding(
            what=extra,
            value=f"{names}: not here, for {purpose}",
            state="missing",
            remedy=f"pip install {install}",
        )
        return
    there = ", ".join(f"{one.name} {version_of(one.name)}" for one in wanted)
    yield Finding(what=extra, value=f"{there}, for {purpose}")


def _satisfied(wanted: Requirement) -> bool:
    there = version_of(wanted.name)
    return there is not None and wanted.specifier.contains(there, prereleases=True)


def programs() -> Iterator[Finding]:
    """The compiler of the native kernels, and graphviz."""
    from ops.native.build import BuildError, compiler
    from ops.native.target import describe_target

    try:
        path, version = compiler()
        yield Finding(what="C++ compiler", value=f"{version} ({path}), {describe_target()}")
    except BuildError as error:
        yield Finding(
            what="C++ compiler",
            value=f"{error} Searches on the CPU are several times slower without it.",
            state="missing",
            remedy="apt-get install g++, or xcode-select --install",
        )
    dot = shutil.which("dot")
    if dot is None:
        yield Finding(
            what="graphviz",
            value="no dot program; only pictures in rare formats want it",
            state="note",
            remedy="apt-get install graphviz, or brew install graphviz",
        )
        return
    done = subprocess.run([dot, "-V"], capture_output=True, text=True, timeout=10, check=False)
    yield Finding(what="graphviz", value=(done.stderr or done.stdout).strip())
