"""TensorBoard events of a run. TensorBoard, Pillow and matplotlib are imported when used."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch.utils.tensorboard import SummaryWriter


class Tracker:
    """Writes scalars, histograms and pictures to `directory`; with None it writes nothing.

    Call `flush` before each checkpoint, so that a killed run keeps everything up to it.

    Args:
        directory: Usually `RunDirectory.tensorboard`.
        resumed_from: Step of the checkpoint that the run continues from. TensorBoard drops the
            points of later steps, which the run writes again.
    """

    def __init__(self, directory: Path | str | None, resumed_from: int | None = None) -> None:
        self._writer: SummaryWriter | None = None
        if directory is not None:
            from torch.utils.tensorboard import SummaryWriter

            purge_step = None if resumed_from is None else resumed_from + 1
            self._writer = SummaryWriter(str(directory), purge_step=purge_step)

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def scalars(self, values: Mapping[str, float | None], step: int) -> None:
        """One point per name; values that are None are left out."""
        if self._writer is not None:
            for name, value in values.items():
                if value is not None:
                    self._writer.add_scalar(name, value, step)

    def histograms(self, tensors: Mapping[str, torch.Tensor], step: int) -> None:
        """The distribution of the finite elements of each tensor; any shape and device."""
        if self._writer is not None:
            for name, tensor in tensors.items():
                # NumPy has no bfloat16, and histograms have no place for NaN.
                values = tensor.detach().to("cpu", torch.float64)
                values = values[values.isfinite()]
                if values.numel():
                    self._writer.add_histogram(name, values.numpy(), step)

    def image(self, name: str, picture: Figure | np.ndarray | Path | str, step: int) -> None:
        """A picture: a matplotlib figure, a PNG file, or an array as for `picture_array`."""
        if self._writer is not None:
            self._writer.add_image(name, picture_array(picture), step, dataformats="HWC")

    def flush(self) -> None:
        """Write everything logged so far to the event file."""
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        """Write everything and stop; later calls are ignored."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def picture_array(picture: Figure | np.ndarray | Path | str) -> np.ndarray:
    """A picture as RGB, uint8 `[H, W, 3]`; transparent parts become white.

    Args:
        picture: A figure, a PNG file, or an array `[H, W]`, `[H, W, 3]` or `[H, W, 4]` of uint8 or
            of floats from 0 to 1.

    Raises:
        ValueError: The array has another shape.

    >>> picture_array(np.array([[0.0, 1.0]])).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    array = _drawn(picture)
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
        return array
    if array.dtype == np.uint8:
        array = array / 255.0
    if array.ndim == 2:
        array = array[:, :, None].repeat(3, axis=2)
    if array.ndim != 3 or array.shape[2] not in (3, 4):
        raise ValueError(f"a picture has the shape [H, W, 3 or 4], not {list(array.shape)}")
    colour, opacity = array[:, :, :3], array[:, :, 3:]
    if opacity.size:
        colour = colour * opacity + (1 - opacity)
    return (colour.clip(0, 1) * 255).round().astype(np.uint8)


def _drawn(picture: Any) -> np.ndarray:
    if isinstance(picture, np.ndarray):
        return picture
    if isinstance(picture, (str, Path)):
        from PIL import Image

        with Image.open(picture, formats=["png"]) as image:
            return np.asarray(image.convert("RGB" if image.mode == "RGB" else "RGBA"))
    # Agg needs no display; pyplot would choose a back end for the entire process.
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(picture)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())
