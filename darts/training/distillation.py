"""Learning from a trained network as well as from labels (FBNetV3, appendix A.5).

Two steps: train the teacher with labels, as any network; then train each student, the teacher's own
architecture too, on 0.8 · divergence from the teacher + 0.2 · cross entropy with the labels. The
paper names neither the temperature nor the form of the divergence; here it is Kullback and
Leibler's from the teacher's probabilities to the student's (arXiv 1503.02531), at temperature 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from darts.errors import UserError
from darts.run_files import RunFiles
from darts.training.predict import load_trained


class Teacher:
    """A trained network that says what it thinks of the student's training images.

    It sees them as the student does, changed and mixed, and as large; only their normalisation
    becomes its own. Its averaged weights are used where its run has them.

    Args:
        path: Run directory, or checkpoint.
        card: The student's data set, as `Dataset.card` describes it.
        device: Where to compute.
        dtype: Number format of the images.

    Raises:
        UserError: There is no such run, or its classes or its image size are others.
    """

    def __init__(
        self,
        path: Path | str,
        card: Mapping[str, Any],
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        trained = load_trained(path, device, averaged=None)
        _check_classes(path, trained.classes, card["classes"])
        self.network: nn.Module = trained.network.to(dtype).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.network.requires_grad_(False)
        size = card["image_size"]
        try:
            self.network.check_image_size(size, size)
        except UserError as error:
            raise UserError(f"--teacher {path}: {error}") from None
        ours, theirs = (
            [torch.tensor(c[key], dtype=dtype, device=device).view(1, -1, 1, 1) for key in _SCALES]
            for c in (card, trained.card)
        )
        self._scale = ours[1] / theirs[1]
        self._shift = (ours[0] - theirs[0]) / theirs[1]
        file = Path(path)
        content = (RunFiles(file).checkpoint if file.is_dir() else file).read_bytes()
        self.digest = hashlib.sha256(content).hexdigest()

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """Its logits `[B, classes]` for images `[B, 3, H, W]` in the student's normalisation."""
        return self.network(images * self._scale + self._shift)[0]

    def check_same(self, digest: str | None) -> None:
        """Raise UserError unless this is the teacher that a checkpoint's run has had so far."""
        if digest != self.digest:
            raise UserError(
                "--teacher: its checkpoint has changed since this run began (another SHA-256), so "
                "the run cannot go on as it was. Bring the old one back, or start a new run."
            )


_SCALES = ("mean", "std")


def divergence(logits: Tensor, teachers: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the student's from the teacher's probabilities, batch mean."""
    return functional.kl_div(
        logits.log_softmax(1), teachers.log_softmax(1), reduction="batchmean", log_target=True
    )


def _check_classes(path: Path | str, theirs: Sequence[str], ours: Sequence[str]) -> None:
    if tuple(theirs) != tuple(ours):
        raise UserError(
            f"--teacher {path}: it tells apart {len(theirs)} classes ({', '.join(theirs[:3])}, …), "
            f"but the data set has {len(ours)} ({', '.join(ours[:3])}, …)."
        )
