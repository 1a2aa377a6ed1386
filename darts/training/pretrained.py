"""Trained weights for a network of other classes, or for a backbone."""

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
    """Load a run's weights into `network`, all but those of the classifiers.

    The classifiers are loaded, too, where `classes` are those that the run told apart, by name and
    order. An auxiliary head that only one of the two has is left as it is.

    Args:
        network: Of the same model, size and stem; or its `FeatureMaps`.
        checkpoint: A checkpoint of a retraining, or its run directory.

    Returns:
        Names of the parameters and buffers of `network` that were not loaded.

    Raises:
        UserError: The file is missing, damaged or of a search, or the networks differ elsewhere.
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
    """What a retraining's checkpoint says of its network: `description`, `network` and `data`.

    Raises:
        UserError: The file is missing, damaged, or of another kind of run.
    """
    state = load_checkpoint_file(checkpoint, ("task",))["task"]
    if "description" not in state:
        raise UserError(f"{checkpoint} is of a search, which trains no network of its own.")
    return state


def _of_classifier(name: str) -> bool:
    return "classifier" in name.split(".")


def _is_optional(name: str) -> bool:
    return _of_classifier(name) or name.startswith("auxiliary_head.")


def _check_same(
    given: Mapping[str, Tensor], wanted: Mapping[str, Tensor], maps: bool, checkpoint: Path | str
) -> None:
    """Raise UserError where the networks differ in more than their classifiers."""
    unused = set() if not maps else {name for name in given if name.startswith("head.")}
    problems = [
        f"{name} is missing there"
        for name in wanted
        if name not in given and not _is_optional(name)
    ]
    problems += [
        f"{name} has no place here"
        for name in given
        if name not in wanted and not _is_optional(name) and name not in unused
    ]
    problems += [
        f"{name} is {list(given[name].shape)} there and {list(value.shape)} here"
        for name, value in wanted.items()
        if name in given and given[name].shape != value.shape
    ]
    if problems:
        raise UserError(
            f"{checkpoint} holds another network: {problems[0]}"
            f"{f', and {len(problems) - 1} more such' if len(problems) > 1 else ''}. Use the same "
            "model, channels, layers and stem as that run (its config.yaml has them)."
        )
