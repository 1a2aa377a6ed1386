"""Trained weights for a network with other classes, or for a backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from darts.errors import UserError
from darts.models.features import FeatureMaps
from darts.runs.checkpoints import load_checkpoint_file


def load_pretrained(
    network: nn.Module, checkpoint: Path | str, classes: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Load a run's weights into `network`, except those of the classifiers.

    The classifiers are loaded too if `classes` are those of the run, by name and order. If only one
    of the two networks has an auxiliary head, the head is ignored.

    Args:
        network: A network of the same model, size and stem; or its `FeatureMaps`.
        checkpoint: A checkpoint of a retraining, or its run directory.
        classes: Names of the classes of `network`.

    Returns:
        Names of the parameters and buffers of `network` that were not loaded.

    Raises:
        UserError: The file is missing, damaged or from a search, or the networks differ in more
            than their classifiers.
    """
    state = trained_state(checkpoint)
    given: Mapping[str, Tensor] = state["network"]
    if classes is None or tuple(classes) != tuple(state["data"]["classes"]):
        given = {name: value for name, value in given.items() if not _of_classifier(name)}
    target: Any = network.network if isinstance(network, FeatureMaps) else network
    wanted: Mapping[str, Tensor] = target.state_dict()
    _check_same(given, wanted, isinstance(network, FeatureMaps), checkpoint)
    target.load_state_dict(
        {name: value for name, value in given.items() if name in wanted}, strict=False
    )
    return tuple(name for name in wanted if name not in given)


def trained_state(checkpoint: Path | str) -> dict[str, Any]:
    """The network in a retraining's checkpoint: `description`, `network` (its state) and `data`.

    Raises:
        UserError: The file is missing, damaged or from another kind of run.
    """
    state = load_checkpoint_file(checkpoint, ("task",))["task"]
    if "description" not in state:
        raise UserError(
            f"{checkpoint} is a search run; it has no trained network. Run evaluate.py --genotype "
            "RUN/genotype.yaml first."
        )
    return state


def _of_classifier(name: str) -> bool:
    return "classifier" in name.split(".")


def _is_optional(name: str) -> bool:
    return _of_classifier(name) or name.startswith("auxiliary_head.")


def _check_same(
    given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], maps: bool, checkpoint: Path | str
) -> None:
    """Raise UserError if the networks differ in more than their classifiers."""
    unused = set() if not maps else {name for name in given if name.startswith("head.")}
    problems = [
        f"{name} is missing in the checkpoint"
        for name in wanted
        if name not in given and not _is_optional(name)
    ]
    problems += [
        f"{name} is not in this network"
        for name in given
        if name not in wanted and not _is_optional(name) and name not in unused
    ]
    problems += [
        f"{name} is {list(given[name].shape)} in the checkpoint and {list(value.shape)} here"
        for name, value in wanted.items()
        if name in given and given[name].shape != value.shape
    ]
    if problems:
        raise UserError(
            f"{checkpoint} holds another network: {problems[0]}"
            f"{f', and {len(problems) - 1} more differences' if len(problems) > 1 else ''}. "
            "Use the same model, channels, layers and stem as that run; its config.yaml lists them."
        )
