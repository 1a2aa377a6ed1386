"""A checkpoint knows the settings it was written with, so that a resumed run cannot change them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from darts.errors import MISFITS, UserError
from darts.runs.directory import RunDirectory
from darts.settings.options import LoopOptions, PlaceOptions, names_of, tagged

_NOT_KEPT = ("use", "checkpoint", "test_only")
# How a search computes, which the machine decides where it goes on.
_FORMS = ("backend", "cuda_graphs")
# What the data are is checked by their classes and files, so that a folder may move.
_DATA = "dataset"
# The teacher is compared by the digest of its checkpoint, so that it may move, too.
_TEACHER = "teacher"
# Where neither is named, the network is the one in the run directory.
_NETWORK = ("genotype", "model")


def kept_settings(options: PlaceOptions) -> dict[str, Any]:
    """The settings that decide what a run computes, as plain values for its checkpoint.

    Left out is where and how fast it runs, what may be given beside --resume, and how often it
    logs.
    """
    left_out = _left_out(type(options))
    return {name: value for name, value in asdict(options).items() if name not in left_out}


def _left_out(cls: type[PlaceOptions]) -> set[str]:
    """The names of settings that may differ."""
    free = {*tagged(cls, "where"), *tagged(cls, "resumable"), *names_of(LoopOptions)}
    return {*free, *_NOT_KEPT, *_FORMS}


def check_settings(saved: Mapping[str, Any] | None, options: PlaceOptions) -> None:
    """Check that a run goes on with the settings of its checkpoint.

    Args:
        saved: The `kept_settings` of the checkpoint; None if an earlier version wrote it.
        options: The settings of the run that resumes.

    Raises:
        UserError: A setting differs, or the checkpoint is of another kind of run.
    """
    if saved is None:
        return
    own = kept_settings(options)
    # Earlier versions also kept some that may differ now.
    free = _left_out(type(options))
    saved = {name: value for name, value in saved.items() if name not in free}
    if saved.keys() - own.keys():
        raise UserError(
            "The checkpoint was written by another kind of run, or by a later version of the "
            "toolkit. Put the run's own checkpoint back."
        )
    differing = [
        f"{name} is {_words(own[name])} in config.yaml and {_words(value)} in the checkpoint"
        for name, value in saved.items()
        if not _same(name, own[name], value)
    ]
    if differing:
        raise UserError(
            f"A resumed run keeps its settings, but {'; '.join(differing)}. Put the old value back "
            "into config.yaml, or put the run's own checkpoint back. For a run with other "
            "settings, start a new one: --config with this file and another --run-dir."
        )


def _same(name: str, own: Any, saved: Any) -> bool:
    if name == _DATA and isinstance(own, str) and isinstance(saved, str):
        kind, colon, _ = own.partition(":")
        return own == saved or bool(colon and saved.startswith(f"{kind}:"))
    if name == _TEACHER:
        return (own is None) == (saved is None)
    if name in _NETWORK and own is None:
        return True
    return bool(_plain(own) == _plain(saved))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _words(value: Any) -> str:
    return "not set" if value is None else str(value)


def restore_task(
    load: Callable[[Mapping[str, Any]], None], state: Mapping[str, Any], run: RunDirectory
) -> None:
    """Restore a task; a state of other shapes is the user's mistake, not ours.

    Args:
        load: The task's `load_state_dict`.
        state: The task's part of the checkpoint.
        run: The run that is continued.

    Raises:
        UserError: The state does not belong to the run, or one of its files was changed.
    """
    try:
        load(state)
    except UserError as error:
        raise UserError(f"{run.path} cannot be resumed. {error}") from None
    except MISFITS as error:
        said = str(error).strip().splitlines()
        raise UserError(
            f"{run.path} cannot be resumed: the checkpoint does not fit {run.config.name} "
            f"({type(error).__name__}: {said[-1].strip() if said else ''}). Either was changed or "
            "belongs to another run; put the run's own file back."
        ) from error
