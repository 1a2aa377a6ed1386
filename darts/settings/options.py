"""Groups of options that commands are composed of. Torch-free, so that `--help` is instant.

A command's options are a frozen dataclass that inherits exactly the groups it has; so its flags
are flat, and a new option is declared in one place. What a setting means for other parts of the
toolkit is said where it is declared, see `option`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

# Images of at least this many pixels a side are treated like ImageNet's: stem, crops, storage.
PHOTOGRAPH_SIZE = 96

Tag = Literal["where", "resumable", "tunable", "later"]


def option(
    default: Any,
    *,
    where: bool = False,
    resumable: bool = False,
    tunable: bool = False,
    later: bool = False,
) -> Any:
    """A dataclass field, with what it means beyond its command.

    Args:
        default: Its default value.
        where: It says where or how fast a training runs, not what comes out of it. Trials that
            differ in it belong to the same experiment.
        resumable: It may be given beside --resume.
        tunable: A joint search may decide it as a part of the recipe.
        later: Experiments of earlier versions do not know it; see `without_later`.
    """
    tags = {"where": where, "resumable": resumable, "tunable": tunable, "later": later}
    return field(default=default, metadata=tags)


def tagged(cls: type, tag: Tag) -> tuple[str, ...]:
    """The names of the options of `cls` with a tag, in order.

    A tag holds for a name, also where a command declares the option again with another default.
    """
    bases = [base for base in cls.__mro__ if is_dataclass(base)]
    declared = [one for base in bases for one in fields(base) if one.metadata.get(tag)]
    names = {one.name for one in declared}
    return tuple(one.name for one in fields(cls) if one.name in names)


def without_later(values: Mapping[str, Any], cls: type) -> dict[str, Any]:
    """The values of options of `cls`, less the later ones that have their default.

    An experiment is identified by such values, so that one of an earlier version can be continued.

    >>> from darts.data.options import DataOptions
    >>> without_later({"half": None, "classes": None}, DataOptions)
    {'classes': None}
    """
    later = tagged(cls, "later")
    plain = {one.name: one.default for one in fields(cls) if one.name in later}
    return {name: one for name, one in values.items() if name not in plain or one != plain[name]}


def names_of(*groups: type) -> tuple[str, ...]:
    """The names of all options of some groups."""
    return tuple(one.name for group in groups for one in fields(group))


def shared_values(options: Any, cls: type) -> dict[str, Any]:
    """The values of the options that `options` has in common with the dataclass `cls`."""
    own = names_of(type(options))
    return {name: getattr(options, name) for name in names_of(cls) if name in own}


@dataclass(frozen=True, kw_only=True)
class PresetOptions:
    """The scale of a whole recipe.

    Args:
        preset: Scale of the recipe: paper uses the published settings; quick and smoke make runs
            small.
    """

    preset: Literal["paper", "quick", "smoke"] = "paper"


@dataclass(frozen=True, kw_only=True)
class SeedOptions:
    """Random numbers.

    Args:
        seed: Seed of all random streams of the run.
    """

    seed: int = 2


@dataclass(frozen=True, kw_only=True)
class PlaceOptions:
    """Where a run computes, and in which numbers.

    Args:
        device: cpu, cuda, cuda:N, mps, or auto for the best device present.
        precision: Number format of activations; bf16 uses autocast.
        threads: CPU threads; 0: as many as the operations are worth, at most all processors.
    """

    device: str = option("auto", where=True, resumable=True)
    precision: Literal["fp32", "bf16", "fp64"] = "fp32"
    threads: int = option(0, where=True, resumable=True)


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """How a step works on its batch.

    Args:
        accumulate: Split each batch into this many equal parts and accumulate their gradients:
            less memory, and the same gradients up to the batch norm statistics of the parts.
        recompute_cells: Keep only the cells' inputs and recompute each cell in the backward pass:
            less memory, the same numbers, about a third more time.
        sync_norm: With several processes, compute batch norm statistics over all of them.
    """

    accumulate: int = option(1, resumable=True)
    recompute_cells: bool = option(False, resumable=True)
    sync_norm: bool = False


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """The directory of a run.

    Args:
        run_dir: Directory of the run; runs/<time>-<what> by default.
        resume: Directory of a run to continue with its own settings.
    """

    run_dir: str | None = None
    resume: str | None = option(None, resumable=True)


@dataclass(frozen=True, kw_only=True)
class UseOptions:
    """Code of the user's own.

    Args:
        use: Python file with parts, operations or spaces of your own; repeat it for several. Its
            code runs only if you name it here, also beside --resume.
    """

    use: str | None = option(None, where=True, resumable=True)


@dataclass(frozen=True, kw_only=True)
class IntervalOptions:
    """How often a run writes.

    Args:
        log_every: Steps between two step lines in metrics.jsonl.
        checkpoint_every: Steps between two checkpoints; 0 writes one per epoch.
    """

    log_every: int = option(50, resumable=True)
    checkpoint_every: int = option(0, resumable=True)


@dataclass(frozen=True, kw_only=True)
class TrackOptions:
    """Where a run is recorded beside its directory.

    Args:
        track: Also record the run in Weights & Biases (wandb) or MLflow (mlflow), whose package
            must be installed; TensorBoard always has it.
    """

    track: Literal["none", "wandb", "mlflow"] = option(
        "none", where=True, resumable=True, later=True
    )


@dataclass(frozen=True, kw_only=True)
class LoopOptions(RunOptions, UseOptions, TrackOptions, IntervalOptions):
    """The life of a run that trains step by step."""
