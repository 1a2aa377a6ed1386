"""Class activation maps: where in an image a network sees a class.

A map weights the channels of the last feature map by the gradient of the class's logit (Grad-CAM,
Selvaraju et al., arXiv 1610.02391). Where the classifier reads the spatial mean directly, as in all
networks here but FBNetV3s, this is the class activation map of Zhou et al. (arXiv 1512.04150),
divided by the number of positions: the gradient is then the classifier's weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from darts.data.transforms import load_image
from darts.errors import UserError
from darts.models.classifier import Classifier
from darts.training.predict import Trained

SIDE = 240
"""Side of an image in the picture, in pixels."""
_GAP, _TEXT = 10, 22
_OPACITY = 0.5


@dataclass(frozen=True)
class ActivationMap:
    """Where a network sees a class in an image.

    Attributes:
        path: The image file.
        label: The class.
        probability: Its probability for this image.
        image: The image as the network sees it, `[S, S, 3]` uint8.
        weights: The map at the size of the image, `[S, S]`, from 0 to 1.
    """

    path: str
    label: str
    probability: float
    image: np.ndarray
    weights: np.ndarray


def class_activation(network: Classifier, images: Tensor, labels: Tensor) -> Tensor:
    """The maps `[B, h, w]` of one class for each image, before they are cut at 0.

    Σ_k w_k · A_k, with the last feature map A and w_k the spatial mean of the gradient of the
    class's logit with respect to A_k.

    Args:
        network: The network, in evaluation mode.
        images: Normalised images `[B, 3, S, S]`.
        labels: The class of each image `[B]`.
    """
    kept: list[Tensor] = []

    def keep(module: object, inputs: object, output: Tensor) -> None:
        kept.append(output)

    handle = network.averaged.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            logits = network(images.requires_grad_(True))[0]
            chosen = logits.gather(1, labels[:, None]).sum()
            (gradient,) = torch.autograd.grad(chosen, kept[-1])
    finally:
        handle.remove()
    weights = gradient.mean(dim=(2, 3), keepdim=True)
    return (weights * kept[-1]).sum(1).detach()


def activation_maps(
    trained: Trained, paths: Sequence[str], class_name: str | None = None
) -> list[ActivationMap]:
    """The map of each image file, of its most probable class or of a given one.

    Raises:
        UserError: A file cannot be read, or there is no such class.
    """
    names = trained.classes
    if class_name is not None and class_name not in names:
        shown = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
        raise UserError(f"--class {class_name}: there is no such class; there are {shown}.")
    network = trained.network
    assert isinstance(network, Classifier)
    device = next(network.parameters()).device
    found = []
    for path in paths:
        images = load_image(path, trained.card)
        probabilities = trained.target.probabilities(trained.logits(images))[0]
        label = int(probabilities.argmax()) if class_name is None else names.index(class_name)
        raw = class_activation(network, images.clone().to(device), torch.tensor([label]).to(device))
        size = images.shape[-1]
        # The map is small: its peak is compared before it is enlarged.
        cut = raw.clamp(min=0) / raw.max().clamp(min=1e-12)
        large = F.interpolate(cut[None], (size, size), mode="bilinear", align_corners=False)[0, 0]
        found.append(
            ActivationMap(
                path=path,
                label=names[label],
                probability=float(probabilities[label]),
                image=_pixels(images[0], trained),
                weights=large.float().cpu().numpy(),
            )
        )
    return found


def draw_maps(maps: Sequence[ActivationMap], columns: int = 2) -> Image.Image:
    """A sheet with each image beside its map, and a caption below."""
    rows = -(-len(maps) // columns)
    cell = 2 * SIDE + 2 * _GAP, SIDE + _TEXT + _GAP
    width = min(columns, len(maps)) * cell[0] + _GAP
    sheet = Image.new("RGB", (width, rows * cell[1] + _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, one in enumerate(maps):
        row, column = divmod(number, columns)
        left, top = _GAP + column * cell[0], _GAP + row * cell[1]
        image = Image.fromarray(one.image).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        sheet.paste(image, (left, top))
        sheet.paste(Image.blend(image, _coloured(one.weights), _OPACITY), (left + SIDE + 4, top))
        text = f"{one.label}, {100 * one.probability:.1f} %"
        pen.text((left, top + SIDE + 3), text, fill="black", font=font)
    return sheet


def _coloured(weights: np.ndarray) -> Image.Image:
    """A map as a picture from black over red to yellow."""
    colours = matplotlib.colormaps["inferno"](weights)[..., :3]
    picture = Image.fromarray(np.rint(255 * colours).astype(np.uint8))
    return picture.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _pixels(image: Tensor, trained: Trained) -> np.ndarray:
    """A normalised image `[3, S, S]` as pixels."""
    mean, std = (torch.tensor(trained.card[name])[:, None, None] for name in ("mean", "std"))
    pixels = (255 * (image * std + mean)).round().clamp(0, 255)
    return pixels.permute(1, 2, 0).to(torch.uint8).numpy()
