"""An exported ONNX file: onnxruntime computes, and the file says how images are prepared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from darts.errors import UserError, in_one_line
from darts.files import PlainFileError, plain_json
from darts.training.data_card import checked_card
from darts.training.predict import OfCard

_METADATA = "darts"


@dataclass(frozen=True)
class OnnxPredictor(OfCard):
    """An ONNX file that `python -m darts export --checkpoint` has written.

    Attributes:
        session: The session of onnxruntime.
        card: Description of the data set, from the file's metadata.
    """

    session: Any
    card: Mapping[str, Any]

    def logits(self, images: Tensor) -> Tensor:
        """Logits `[B, classes]` of normalised images `[B, 3, S, S]`."""
        try:
            found = self.session.run(["logits"], {"images": images.numpy()})[0]
        except Exception as error:  # onnxruntime has an exception for each kind of failure.
            reason = in_one_line(error)[:200]
            raise UserError(f"The exported network cannot be run ({reason}).") from None
        return torch.from_numpy(found)


def load_onnx(path: Path | str) -> OnnxPredictor:
    """Open an exported file.

    Raises:
        UserError: onnxruntime is not installed; the file is missing or damaged, or it does not say
            how images are prepared for it.
    """
    try:
        import onnxruntime
    except ImportError:
        raise UserError(
            f"{path}: reading ONNX needs onnxruntime: pip install onnxruntime."
        ) from None
    if not Path(path).is_file():
        raise UserError(f"{path}: there is no such file.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        text = session.get_modelmeta().custom_metadata_map.get(_METADATA, "")
        shapes = {one.name: one.shape for one in session.get_inputs()}
        names = {one.name for one in session.get_outputs()}
    except Exception as error:  # onnxruntime has an exception for each kind of failure.
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UserError(f"{path} is damaged, or no ONNX file ({reason}).") from None
    if set(shapes) != {"images"} or "logits" not in names:
        raise UserError(
            f"{path} maps {', '.join(shapes)} to {', '.join(names)}, not images to logits: it was "
            "not written by python -m darts export."
        )
    card = _card(text, path)
    side = shapes["images"][-1]
    if isinstance(side, int) and side != card["image_size"]:
        raise UserError(
            f"{path} takes images of {side} pixels, but its description says "
            f"{card['image_size']}. Export it again."
        )
    return OnnxPredictor(session, card)


def _card(text: str, path: Path | str) -> Mapping[str, Any]:
    """The description in a file's metadata.

    Raises:
        UserError: There is none, or it is not usable.
    """
    try:
        card = plain_json(text or "{}")
    except PlainFileError:
        card = None
    if card == {}:
        raise UserError(
            f"{path} does not say how images are prepared and what its classes are, because it was "
            "exported without --checkpoint. Export a trained run."
        )
    return checked_card(card, path)
