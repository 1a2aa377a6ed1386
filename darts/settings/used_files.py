"""Python files of the user's own, named by `--use`: read, run, and kept in the run's directory.

A used file defines and registers parts, operations or spaces (`darts.plugins`). Its code runs only
if the user names the file for this command. A run directory keeps its text and its SHA-256, and a
genotype mentions it; neither is ever a reason to run it.

Torch-free.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from darts.errors import UserError
from darts.files import atomic_write, user_path
from darts.run_files import RunFiles

_PREFIX = "darts_used_"


@dataclass(frozen=True)
class UsedFile:
    """A file as it was when it was read. It can be sent to other processes.

    >>> file = UsedFile("parts/mine.py", b"x = 1")
    >>> file.name, file.sha256[:8]
    ('mine.py', '8ff436de')

    Attributes:
        path: Where it was, as the user named it.
        source: Its content.
    """

    path: str
    source: bytes

    @property
    def name(self) -> str:
        """The name of the file, without folders."""
        return Path(self.path).name

    @property
    def sha256(self) -> str:
        """The SHA-256 of the content, in hexadecimal."""
        return hashlib.sha256(self.source).hexdigest()

    @property
    def module(self) -> str:
        """The name of its module: the same in every process, different for other content."""
        return _PREFIX + self.sha256[:16]


def joined_names(use: Any) -> str | None:
    """The value of the option `use` from one path or several.

    >>> joined_names(["a.py", Path("b.py")])
    'a.py,b.py'
    """
    if use is None or isinstance(use, str):
        return use or None
    return ",".join(map(str, use if isinstance(use, Iterable) else [use])) or None


def split_names(use: str | None) -> tuple[str, ...]:
    """The paths in a value of the option `use`.

    >>> split_names("a.py, b.py")
    ('a.py', 'b.py')
    """
    return tuple(filter(None, (name.strip() for name in (use or "").split(","))))


def use_files(use: str | None) -> tuple[UsedFile, ...]:
    """Read and run the files of the option `use`, unless this process has run them already.

    Raises:
        UserError: A file is missing or no Python file, two have one name, a file changed since
            this process has run it, or its code fails.
    """
    files = read_files(use)
    for file in files:
        run_file(file)
    return files


def read_files(use: str | None) -> tuple[UsedFile, ...]:
    """Read the files of the option `use`. Nothing is run.

    Raises:
        UserError: A file is missing or no Python file, or two have one name.
    """
    files: dict[str, UsedFile] = {}
    for path in split_names(use):
        if Path(path).suffix != ".py":
            raise UserError(f"--use {path}: a Python file is needed, such as my_parts.py.")
        try:
            file = UsedFile(path, user_path(path).read_bytes())
        except OSError as error:
            raise UserError(f"--use {path}: the file cannot be read: {error.strerror}.") from None
        if files.setdefault(file.name, file) != file:
            raise UserError(
                f"--use {files[file.name].path} and {path}: both files have the name {file.name}. "
                "Rename one: a run keeps files by name."
            )
    return tuple(files.values())


def run_file(file: UsedFile) -> ModuleType:
    """Run a file as a module of its own, unless this process has run it already.

    Raises:
        UserError: The code fails, or this process has run another version of the file.
    """
    where = str(user_path(file.path).resolve())
    if file.module in sys.modules:
        module = sys.modules[file.module]
        if failure := module.__dict__["__failure__"]:
            raise UserError(failure)
        module.__dict__["__used__"][where] = file
        return module
    if any(where in module.__dict__["__used__"] for module in _modules()):
        raise UserError(
            f"--use {file.path}: the file has changed since this process ran it. Start a new "
            "process: what the old version registered cannot be replaced."
        )
    try:
        code = compile(file.source, where, "exec")
    except (SyntaxError, ValueError) as error:
        raise UserError(f"--use {file.path}: {_described(error, where)}") from None
    module = ModuleType(file.module)
    module.__dict__.update({"__file__": where, "__used__": {where: file}, "__failure__": ""})
    # Before the code runs, because dataclasses look their module up.
    sys.modules[file.module] = module
    try:
        exec(code, module.__dict__)
    except (Exception, SystemExit) as error:
        module.__dict__["__failure__"] = f"--use {file.path}: {_described(error, where)}"
        raise UserError(module.__dict__["__failure__"]) from None
    return module


def files_in_use(use: str | None) -> tuple[UsedFile, ...]:
    """The files of the option `use` as this process ran them, even if they have changed since."""
    known = {where: file for m in _modules() for where, file in m.__dict__["__used__"].items()}
    places = [(path, str(user_path(path).resolve())) for path in split_names(use)]
    return tuple(known[where] if where in known else use_files(path)[0] for path, where in places)


def failure_in_used_file(error: BaseException) -> str | None:
    """Where the code of a used file failed, and how; None if the error did not pass through one."""
    for module in _modules():
        if text := _line_in(error, module.__dict__["__file__"]):
            return f"{module.__dict__['__file__']}: {text}"
    return None


def keep_files(files: Iterable[UsedFile], run: RunFiles) -> None:
    """Write the files into a run's directory, and their checksums as `sha256sum -c` reads them."""
    kept = list(files)
    for file in kept:
        run.used.mkdir(exist_ok=True)
        (run.used / file.name).write_bytes(file.source)
    if kept:
        with atomic_write(run.used_checksums) as stream:
            stream.writelines(f"{file.sha256}  {file.name}\n" for file in kept)


def kept_files(run: RunFiles) -> dict[str, str]:
    """The files that a run used: name and SHA-256.

    Raises:
        UserError: The list is damaged.
    """
    try:
        lines = run.used_checksums.read_text(encoding="utf-8").splitlines()
        return {name: sha256 for sha256, name in (line.split("  ", 1) for line in lines)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{run.used_checksums} is damaged: {error}") from None


def check_same_files(files: Iterable[UsedFile], run: RunFiles) -> None:
    """Check that a run which continues is given the files that it began with. Nothing is run.

    Raises:
        UserError: A file is missing, differs, or was not used; the message says what to do.
    """
    given = {file.name: file for file in files}
    kept = kept_files(run)
    needed = ",".join(str(run.used / name) for name in kept)
    for name, sha256 in kept.items():
        if name not in given:
            raise UserError(
                f"The run {run.path} uses {name}, a file of its user's own; code of such a file "
                "runs only if you name it. The text that the run began with is kept in "
                f"{run.used / name}: read it, then continue with --resume {run.path} --use {needed}"
            )
        if given[name].sha256 != sha256:
            raise UserError(
                f"--use {given[name].path}: the file differs from the one that the run {run.path} "
                f"began with. Continue with the kept text, --use {needed}, or start a new run."
            )
    if unknown := [given[name].path for name in given if name not in kept]:
        raise UserError(
            f"--use {', '.join(unknown)}: the run {run.path} did not use this file; leave it out."
        )


def mentioned(files: Iterable[UsedFile], run: RunFiles) -> dict[str, dict[str, str]]:
    """What a genotype's provenance says about the used files: name, SHA-256 and kept text."""
    return {file.name: {"sha256": file.sha256, "kept": str(run.used / file.name)} for file in files}


def differing_files(mention: Any) -> list[str]:
    """Names of mentioned files of which this process has run another version.

    Args:
        mention: What `mentioned` returned, as a genotype's provenance holds it.
    """
    if not isinstance(mention, Mapping):
        return []
    used = [file for m in _modules() for file in m.__dict__["__used__"].values()]
    found = []
    for name, values in mention.items():
        versions = {file.sha256 for file in used if file.name == name}
        sha256 = values.get("sha256") if isinstance(values, Mapping) else None
        if versions and sha256 not in versions:
            found.append(str(name))
    return found


def _modules() -> Iterator[ModuleType]:
    """The modules of all files that this process has run, also of those that failed."""
    return iter([module for name, module in sys.modules.items() if name.startswith(_PREFIX)])


def _described(error: BaseException, where: str) -> str:
    """A failure of a used file: line, kind and message."""
    if isinstance(error, SyntaxError) and error.filename == where:
        return f"line {error.lineno}: {type(error).__name__}: {error.msg}"
    text = _line_in(error, where) or f"{type(error).__name__}: {error}"
    if isinstance(error, ModuleNotFoundError):
        text += ". A used file can import installed packages, but no file beside it."
    return text


def _line_in(error: BaseException, where: str) -> str | None:
    """The last line of a file that an error passed through, and the error."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == where:
            line = trace.tb_lineno
        trace = trace.tb_next
    if line is None:
        return None
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return f"line {line}: {kind}{error}"
