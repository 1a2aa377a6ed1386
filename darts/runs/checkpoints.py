"""Checkpoints: written atomically, the previous one kept, refused when damaged.

The file is a `torch.save` archive, readable by `torch.load`, followed by a SHA-256 digest. The
checksums inside the archive are not enough: `torch.load` does not verify them, and they do not
cover the archive's directory, where one flipped bit can shorten a tensor without an error.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from darts.errors import UserError, in_one_line
from darts.files import atomic_write
from darts.run_files import RunFiles

_FORMAT_KEY = "darts_checkpoint"
_FORMAT = 1
_MARK = b"darts-checkpoint-sha256:"

_LEAVES = (type(None), bool, int, float, str, bytes, torch.Tensor, torch.nn.Parameter, torch.Size)


class _Unreadable(Exception):
    """Why a file is not a usable checkpoint; the text completes the sentence "FILE …"."""


def save_checkpoint(state: Mapping[str, Any], directory: Path | str) -> None:
    """Write `state` to `directory/checkpoint.pt`; the old file becomes the previous checkpoint.

    After the first call, `checkpoint.pt` is complete at every moment, even if the process is
    killed. Only one process may write to a directory; partial files of a killed one are removed.

    Args:
        state: Tensors and plain values (numbers, text, None) in dicts, lists and tuples. The key
            `step`, the number of finished steps, is required.
        directory: The run directory.

    Raises:
        TypeError: A value in `state` could not be read back with `weights_only=True`.
        ValueError: The key `step` is missing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_checkpoint({"step": 3, "weight": torch.ones(2)}, folder)
    ...     load_checkpoint(folder, required=["weight"])["step"]
    3
    """
    if "step" not in state:
        raise ValueError("the state of a checkpoint needs the key 'step'")
    _check_readable(state, "state")
    newest, previous = _files(directory)
    retired = _retired(previous)
    retired.unlink(missing_ok=True)
    if newest.exists():
        _duplicate(newest, retired)
    archive = io.BytesIO()
    torch.save({_FORMAT_KEY: _FORMAT, **state}, archive)
    with atomic_write(newest, "wb") as stream:
        stream.write(archive.getbuffer())
        stream.write(_MARK + hashlib.sha256(archive.getbuffer()).digest())
    # Last, so that the older file stays until the new one is complete: if the current
    # checkpoint.pt were damaged, the previous one would be the only usable file.
    if retired.exists():
        os.replace(retired, previous)


def settle_checkpoints(directory: Path | str) -> None:
    """Finish, or undo, what `save_checkpoint` was doing when its process was killed.

    Only for the one process that may write to the directory.
    """
    newest, previous = _files(directory)
    retired = _retired(previous)
    if not retired.exists():
        return
    # It is the one before `newest`, or `newest` itself, or an incomplete copy of that.
    if is_checkpoint(retired) and _end_of(retired) != _end_of(newest):
        os.replace(retired, previous)
    else:
        retired.unlink()


def has_checkpoint(directory: Path | str) -> bool:
    """Whether a run has a checkpoint, damaged or not."""
    return any(file.exists() for file in _files(directory))


def has_begun(directory: Path | str) -> bool:
    """Whether a run has done a step; else nothing is lost if it starts from the beginning.

    It is false only if the run was stopped before its first checkpoint, which precedes all steps.
    """
    return has_checkpoint(directory) or bool(RunFiles(Path(directory)).read_metrics())


def load_checkpoint(directory: Path | str, required: Iterable[str] = ()) -> dict[str, Any]:
    """Read the newest undamaged checkpoint of a run; tensors are on the CPU.

    If `checkpoint.pt` is damaged, a warning says so and the previous checkpoint is read.

    Args:
        directory: The run directory.
        required: Keys that the state must have, besides `step`.

    Raises:
        UserError: There is no checkpoint, or all are damaged.
    """
    newest, previous = _files(directory)
    if not has_checkpoint(directory):
        raise UserError(
            f"There is no checkpoint in {directory}: the run stopped before it wrote one. "
            "Start again in another directory, or delete this one first."
        )
    try:
        return _read(newest, required)
    except _Unreadable as reason:
        damage = f"{newest} {reason}"
    try:
        state = _read(previous, required)
    except _Unreadable as reason:
        raise UserError(
            f"No checkpoint in {directory} can be used: {damage}; {previous} {reason}."
        ) from None
    warnings.warn(
        f"{damage}; continuing from the previous checkpoint, {previous} (step {state['step']}).",
        stacklevel=2,
    )
    return state


def load_checkpoint_file(path: Path | str, required: Iterable[str] = ()) -> dict[str, Any]:
    """Read one checkpoint file, or the newest undamaged one of a run directory, on the CPU.

    Args:
        path: A checkpoint file or a run directory.
        required: Keys that the state must have, besides `step`.

    Raises:
        UserError: The file is missing, damaged, or not a checkpoint of this toolkit.
    """
    path = Path(path)
    if path.is_dir():
        return load_checkpoint(path, required)
    try:
        return _read(path, required)
    except _Unreadable as reason:
        raise UserError(f"{path} {reason}. Give a checkpoint.pt or a run directory.") from None


def is_checkpoint(path: Path | str) -> bool:
    """Whether a file is a checkpoint of this toolkit, by its end; a damaged one may be, too.

    >>> is_checkpoint("no-such-file.pt")
    False
    """
    return _end_of(Path(path)).startswith(_MARK)


def _files(directory: Path | str) -> tuple[Path, Path]:
    files = RunFiles(Path(directory))
    return files.checkpoint, files.previous_checkpoint


def _retired(previous: Path) -> Path:
    """Where the current checkpoint waits to become the previous one."""
    return previous.with_name(f".{previous.name}")


def _end_of(path: Path) -> bytes:
    """The mark and the digest of a checkpoint; as many bytes of another file, or none."""
    try:
        with path.open("rb") as stream:
            stream.seek(-len(_MARK) - hashlib.sha256().digest_size, os.SEEK_END)
            return stream.read()
    except (OSError, ValueError):  # Missing, or shorter than that.
        return b""


def _read(path: Path, required: Iterable[str]) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise _Unreadable("does not exist") from None
    except OSError as error:
        raise _Unreadable(f"cannot be read ({error.strerror or error})") from None
    archive, mark, digest = data.rpartition(_MARK)
    if not mark:
        raise _Unreadable("is damaged, or is not a checkpoint of this toolkit")
    if hashlib.sha256(archive).digest() != digest:
        raise _Unreadable("is damaged (its checksum differs)")
    try:
        state = torch.load(io.BytesIO(archive), map_location="cpu", weights_only=True)
    except Exception as error:  # torch documents no exception for an unreadable archive.
        reason = in_one_line(error)[:200]
        raise _Unreadable(f"cannot be read by torch {torch.__version__} ({reason})") from None
    if not isinstance(state, dict):
        raise _Unreadable("is not a checkpoint of this toolkit")
    version = state.pop(_FORMAT_KEY, None)
    if type(version) is not int or version != _FORMAT:
        raise _Unreadable(
            f"has format {str(version)[:20]}, but this version of the toolkit reads format "
            f"{_FORMAT}"
        )
    missing = sorted({"step", *required} - state.keys())
    if missing:
        raise _Unreadable(f"lacks {', '.join(missing)}: it is a checkpoint of another kind of run")
    if type(state["step"]) is not int or state["step"] < 0:
        raise _Unreadable("does not say after how many steps it was written")
    return state


def _check_readable(value: Any, where: str) -> None:
    if type(value) in (dict, OrderedDict) or (where == "state" and isinstance(value, Mapping)):
        for key, part in value.items():
            _check_readable(key, f"a key of {where}")
            _check_readable(part, f"{where}[{key!r}]")
    elif type(value) in (list, tuple):
        for index, part in enumerate(value):
            _check_readable(part, f"{where}[{index}]")
    elif type(value) not in _LEAVES:
        raise TypeError(
            f"{where} is a {type(value).__name__}; checkpoints hold only tensors and plain values"
        )


def _duplicate(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # Some file systems have no hard links.
        shutil.copyfile(source, target)
