"""Files of trained weights: `.safetensors`, or what `torch.save` writes. No code in them is run."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from darts.errors import UserError
from darts.files import read_json_file
from darts.models.weights.safetensors_file import tensors_of_safetensors

# Keys under which training scripts keep a state dict, the first one wins. Averaged weights are
# before others, because they are those whose accuracy is published.
_WRAPPERS = (
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
)
_PREFIXES = ("module.", "_orig_mod.")  # DataParallel and torch.compile.
_COUNTER = "n_averaged"  # torch's AveragedModel


@dataclass(frozen=True)
class TensorFile:
    """The tensors of a file.

    Attributes:
        path: The file.
        sha256: SHA-256 of its bytes, in hexadecimal.
        tensors: The tensors by name, without the prefixes of wrapping modules.
        wrapper: The key under which they were, such as "state_dict_ema"; "" if there was none.
        hints: What the file's name and a `config.json` beside it say about the network.
    """

    path: Path
    sha256: str
    tensors: Mapping[str, Tensor]
    wrapper: str
    hints: Mapping[str, Any]


def read_tensor_file(path: Path | str) -> TensorFile:
    """Read a file of weights.

    Raises:
        UserError: The file is missing, damaged, or holds something else.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path} does not exist. Give a file of weights or a run.") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from None
    if path.suffix.lower() == ".safetensors":
        value: Any = tensors_of_safetensors(data, path)
    else:
        value = _loaded(data, path)
    wrapper, tensors = _unwrapped(value, path)
    tensors = _without_prefixes(tensors)
    _check(tensors, path)
    return TensorFile(path, hashlib.sha256(data).hexdigest(), tensors, wrapper, _hints(path))


def _loaded(data: bytes, path: Path) -> Any:
    try:
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except Exception as error:  # torch documents no exception for an unreadable file.
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        if "weights_only" in str(error) or "WeightsUnpickler" in str(error):
            raise UserError(
                f"{path} is damaged, or holds objects of Python beside tensors; only tensors and "
                "plain values are read, since anything else could run code. Load it where you "
                "trust it, and save the state dict alone: torch.save(model.state_dict(), FILE)."
            ) from None
        raise UserError(
            f"{path} is damaged, or neither a file of torch.save nor a .safetensors file "
            f"({reason})."
        ) from None


def _unwrapped(value: Any, path: Path) -> tuple[str, dict[str, Tensor]]:
    """The key and the state dict in a file's content."""
    for key in _WRAPPERS:
        if isinstance(value, Mapping) and isinstance(inner := value.get(key), Mapping) and inner:
            deeper, tensors = _unwrapped(inner, path)
            return f"{key}.{deeper}" if deeper else key, tensors
    if isinstance(value, Mapping) and value:
        strange = [key for key, one in value.items() if not isinstance(one, Tensor)]
        if not strange and all(isinstance(key, str) for key in value):
            return "", dict(value)
        raise UserError(
            f"{path} holds no state dict: {strange[:1] or 'a key'!r} is no tensor, and none of "
            f"{', '.join(_WRAPPERS)} is in it."
        )
    raise UserError(f"{path} holds no state dict but {type(value).__name__}.")


def _without_prefixes(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = {name: value for name, value in tensors.items() if name != _COUNTER}
    while found:
        prefix = next((p for p in _PREFIXES if all(name.startswith(p) for name in found)), None)
        if prefix is None:
            break
        found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found


def _check(tensors: Mapping[str, Tensor], path: Path) -> None:
    for name, value in tensors.items():
        if value.layout != torch.strided or value.is_quantized or value.is_complex():
            raise UserError(f"{path}: {name} is a {value.layout} tensor; only dense ones are read.")
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise UserError(f"{path}: {name} has numbers that are not finite; train or load again.")


def _hints(path: Path) -> dict[str, Any]:
    """The lower-case name of the file, and what a Hugging Face `config.json` beside it says."""
    hints: dict[str, Any] = {"name": path.stem.lower()}
    try:
        config = read_json_file(path.parent / "config.json")
    except (OSError, ValueError, RecursionError):
        return hints
    if not isinstance(config, dict) or not isinstance(config.get("architecture"), str):
        return hints
    hints["name"] = config["architecture"].lower()
    cfg = config.get("pretrained_cfg")
    for key in ("mean", "std"):
        numbers: Any = cfg.get(key) if isinstance(cfg, dict) else None
        if _is_rgb(numbers) and (key == "mean" or min(numbers) > 0):
            hints[key] = tuple(map(float, numbers))
    return hints


def _is_rgb(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(isinstance(number, (int, float)) and 0 <= number <= 1 for number in value)
    )
