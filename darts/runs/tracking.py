"""TensorBoard events of a run, and further places that record it.

TensorBoard, Pillow and matplotlib are imported when used.
"""

from __future__ import annotations

import struct
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from darts.runs.background import Background, Job
from darts.runs.sinks import Sink

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch.utils.tensorboard import SummaryWriter


class Tracker:
    """Writes scalars, histograms and pictures to `directory`; with None it writes nothing.

    A thread of its own writes them (`darts.runs.background`), in the order of the calls. Whatever
    else a run writes beside its steps can be given to it, too (`later`). Call `flush` to have all
    of it in the files; an error in writing is raised by one of the next calls.

    Args:
        directory: Usually `RunDirectory.tensorboard`.
        resumed_from: Step of the checkpoint that the run continues from. TensorBoard drops the
            points of later steps, which the run writes again.
        sink: A further place that records the run; it is closed with the tracker.
    """

    def __init__(
        self,
        directory: Path | str | None,
        resumed_from: int | None = None,
        sink: Sink | None = None,
    ) -> None:
        self._writer: SummaryWriter | None = None
        self._background: Background | None = None
        self._sink = sink
        if directory is not None and _can_be_tracked(directory):
            from torch.utils.tensorboard import SummaryWriter

            purge_step = None if resumed_from is None else resumed_from + 1
            threading.excepthook = _without_events
            self._writer = SummaryWriter(str(directory), purge_step=purge_step)
        if self._writer is not None or sink is not None:
            self._background = Background()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        try:
            self.close()
        except Exception:
            if kind is None:  # Else the first error is the one to see.
                raise

    def later(self, job: Job) -> Future[None] | None:
        """Do a job of writing after all that was given before; at once if nothing is tracked.

        Returns:
            What tells when the job is done; None if it is done already.
        """
        if self._background is not None:
            return self._background.later(job)
        job()
        return None

    def scalars(self, values: Mapping[str, float | None], step: int) -> None:
        """One point per name; values that are None are left out."""
        known = {name: value for name, value in values.items() if value is not None}
        if self._writer is not None and known:
            add = self._writer.add_scalar
            self.later(lambda: [add(name, value, step) for name, value in known.items()])
        if self._sink is not None and known:
            self.later(partial(self._sink.scalars, known, step))

    def text(self, name: str, text: str, step: int) -> None:
        """A text, shown as it is, line by line."""
        if self._writer is not None:
            lines = "".join(f"    {line}\n" for line in text.splitlines())  # Markdown's plain text.
            self.later(partial(self._writer.add_text, name, lines, step))
        if self._sink is not None:
            self.later(partial(self._sink.text, name, text, step))

    def settings(self, values: Mapping[str, Any], measures: Sequence[str]) -> None:
        """The settings of the run, for TensorBoard's table of runs (HParams).

        Args:
            values: All settings; those that are no number, text or switch are left out.
            measures: Names of the scalars that the table shows beside them.
        """
        if self._writer is None:
            return
        from torch.utils.tensorboard.summary import hparams

        plain = {
            name: one for name, one in values.items() if isinstance(one, (bool, int, float, str))
        }
        files: Any = self._writer.file_writer
        for summary in hparams(plain, dict.fromkeys(measures, 0.0)):
            self.later(partial(files.add_summary, summary))

    def histograms(self, tensors: Mapping[str, torch.Tensor], step: int) -> None:
        """The distribution of the finite elements of each tensor; any shape and device."""
        if self._writer is None:
            return
        add = self._writer.add_histogram
        for name, tensor in tensors.items():
            # NumPy has no bfloat16, and histograms have no place for NaN.
            values = tensor.detach().to("cpu", torch.float64, copy=True)
            values = values[values.isfinite()]
            if values.numel():
                self.later(partial(add, name, values.numpy(), step))

    def image(self, name: str, picture: Figure | np.ndarray | Path | str, step: int) -> None:
        """A picture: a matplotlib figure, a PNG file, or an array as for `picture_array`."""
        if self._background is None:
            return
        if isinstance(picture, (str, Path)):
            self.later(partial(self.image_now, name, Path(picture), step))
            return
        array = picture_array(picture)
        if self._writer is not None:
            self.later(partial(self._writer.add_image, name, array, step, dataformats="HWC"))
        if self._sink is not None:
            self.later(partial(self._sink.image, name, array, step))

    def image_now(self, name: str, path: Path, step: int) -> None:
        """Add a PNG file within a job of `later`."""
        if self._writer is not None:
            _add_file(self._writer, name, path, step)
        if self._sink is not None:
            self._sink.image(name, picture_array(path), step)

    def flush_events(self) -> None:
        """Write what the event file has been given; a job for `later`."""
        if self._writer is not None:
            self._writer.flush()

    def flush(self) -> None:
        """Wait until everything given so far is in the files."""
        if self._background is not None:
            self._background.later(self.flush_events)
            self._background.finish()

    def close(self) -> None:
        """Write everything and stop; later calls are ignored."""
        try:
            if self._background is not None:
                self._background.close()
        finally:
            self._background = None
            if self._writer is not None:
                self._writer.close()
            if self._sink is not None:
                self._sink.close()
            self._writer = self._sink = None


def _can_be_tracked(directory: Path | str) -> bool:
    """Whether TensorBoard can write there; it knows names in UTF-8 only. If not, it is said."""
    try:
        str(directory).encode()
    except UnicodeEncodeError:
        name = str(directory).encode("utf-8", "backslashreplace").decode()
        print(
            f"{name}: TensorBoard cannot write below a name that is not UTF-8, so this "
            "run has no TensorBoard files. Everything else is written.",
            file=sys.stderr,
        )
        return False
    return True


_print_error = threading.excepthook


def _without_events(failed: threading.ExceptHookArgs) -> None:
    """Print the error that ended a thread, but for the thread that writes events.

    The next call of the writer raises that error.
    """
    from tensorboard.summary.writer.event_file_writer import (  # type: ignore[import-untyped]
        _AsyncWriterThread,
    )

    if not isinstance(failed.thread, _AsyncWriterThread):
        _print_error(failed)


def _add_file(writer: SummaryWriter, name: str, path: Path, step: int) -> None:
    """Add a PNG file; one in plain RGB is taken as it is, without decoding it."""
    content = path.read_bytes()
    width, height, depth, colours = struct.unpack(">IIBB", content[16:26])
    if (depth, colours) != (8, 2):
        writer.add_image(name, picture_array(path), step, dataformats="HWC")
        return
    from tensorboard.compat.proto.summary_pb2 import (  # type: ignore[import-untyped]
        Summary,
    )

    picture = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=content)
    summary = Summary(value=[Summary.Value(tag=name, image=picture)])
    files: Any = writer.file_writer
    files.add_summary(summary, step)


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
