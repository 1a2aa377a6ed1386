"""Distillation: learning from a trained network as well as from labels (FBNetV3, appendix A.5).

There are two steps. The teacher is trained with labels, like any network. Then each student, which
may have the teacher's architecture, is trained with the loss

    0.8 · KL(teacher's probabilities || student's probabilities) + 0.2 · cross entropy with labels.

The paper names neither the temperature nor the form of the divergence; here it is the
Kullback-Leibler divergence (arXiv 1503.02531) at temperature 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from darts.errors import UserError
from darts.run_files import RunFiles
from darts.targets.kinds import target_of_kind
from darts.training.predict import load_trained


class Teacher:
    """A trained network that classifies the student's training images.

    It gets the same augmented and mixed images of the same size as the student, renormalised with
    the mean and standard deviation of its own training. It uses its averaged weights if its run
    has them.

    Args:
        path: Run directory or checkpoint of the teacher.
        card: Description of the student's data set, see `Dataset.card`.
        device: Where to compute.
        dtype: Number format of the images.

    Attributes:
        digest: SHA-256 of the teacher's checkpoint.

    Raises:
        UserError: There is no such run, or its classes or its image size differ.
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
        if trained.target != target_of_kind(card["task"]):
            raise UserError(
                f"--teacher {path}: it was trained as {trained.target.kind}, but the data set is "
                f"{card['task']}."
            )
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
        """Logits `[B, classes]` for images `[B, 3, H, W]` in the student's normalisation."""
        return self.network(images * self._scale + self._shift)[0]

    def check_same(self, digest: str | None) -> None:
        """Raise UserError unless the teacher is the one that the resumed run has used so far."""
        if digest != self.digest:
            raise UserError(
                "--teacher: its checkpoint has changed since this run began (another SHA-256), so "
                "the run cannot continue. Restore the old checkpoint, or start a new run."
            )


_SCALES = ("mean", "std")


def _check_classes(path: Path | str, theirs: Sequence[str], ours: Sequence[str]) -> None:
    if tuple(theirs) != tuple(ours):
        raise UserError(
            f"--teacher {path}: it was trained on {len(theirs)} classes "
            f"({', '.join(theirs[:3])}, …), but the data set has {len(ours)} "
            f"({', '.join(ours[:3])}, …)."
        )
