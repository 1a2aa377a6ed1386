"""From an image file of any kind to the upright RGB picture that a network sees.

- Orientation: photographs are turned upright by their EXIF tag.
- Transparency: transparent images are blended with one colour, white by default.
- Depth: grey values of more than 8 bits are scaled by the depth that they use, 12 or 16 bits;
  larger or fractional ones by their own range. Pillow's own conversion would clip them at 255.
- Animation: the first picture counts.

Small images are resized at once to the square that is stored. Photographs keep their shape, so that
a random crop can be cut from the whole of them (`darts.data.crops`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageOps

from darts.errors import UserError

Interpolation = Literal["bilinear", "bicubic"]

GROUND = (255, 255, 255)
_COLOURS = {"white": GROUND, "black": (0, 0, 0)}
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
# A whole photograph is kept with a shorter side of at most this times the stored size. At 224
# pixels that is 384, more than the shorter side of a typical photograph of ImageNet (375).
_KEPT = 1.5
_MOST_OBLONG = 3  # A longer image is cut before it is resized, which is as good and far cheaper.
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_DEPTHS = (255, 4095, 65535)
_ORIENTATION = 0x0112
_TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")


@dataclass(frozen=True)
class Decoding:
    """How image files become pixels.

    Attributes:
        whole: Whether images keep their shape until they are cropped.
        interpolation: How they are resized; always with antialiasing.
        background: The colour behind transparent images, red, green and blue.
    """

    whole: bool = False
    interpolation: Interpolation = "bilinear"
    background: tuple[int, int, int] = GROUND

    def resized(self, image: Image.Image, width: int, height: int) -> Image.Image:
        """The image at another size, without copying one that has it."""
        if image.size == (width, height):
            return image
        return image.resize((width, height), _FILTERS[self.interpolation])

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a checkpoint."""
        return {**asdict(self), "background": list(self.background)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | None) -> Decoding:
        """The inverse of `as_dict`; checkpoints of earlier versions have none."""
        if not values:
            return PLAIN
        return cls(**{**values, "background": tuple(values["background"])})


PLAIN = Decoding()
"""Squares, bilinear, on white."""


def colour(text: str) -> tuple[int, int, int]:
    """A colour by its name or as #RRGGBB.

    >>> colour("white"), colour("#ff8000")
    ((255, 255, 255), (255, 128, 0))

    Raises:
        UserError: There is no such colour.
    """
    if text in _COLOURS:
        return _COLOURS[text]
    digits = text.removeprefix("#")
    try:
        if len(digits) != 6 or not text.startswith("#"):
            raise ValueError
        red, green, blue = bytes.fromhex(digits)
    except ValueError:
        raise UserError(
            f"--background: must be white, black or a colour such as #ff8000, not {text}."
        ) from None
    return red, green, blue


def decode(path: Path | str, size: int, how: Decoding = PLAIN) -> np.ndarray:
    """Read an image file as `[size, size, 3]` uint8.

    The shorter side is resized to `size`, then the image is cropped to the centre square.

    Raises:
        UserError: The file cannot be decoded. The message names it.
    """
    if how.whole:
        return centre_square(decode_whole(path, size, how), size, how)
    # A copy, because Pillow's memory is read-only.
    return np.array(_square(_read(path, 2 * size, how), size, how))


def decode_whole(path: Path | str, size: int, how: Decoding) -> np.ndarray:
    """Read an image file as `[H, W, 3]` uint8, the shorter side at most 1.5 times `size`.

    Very long images are cut to three times their shorter side.

    Raises:
        UserError: The file cannot be decoded. The message names it.
    """
    image = _less_oblong(_read(path, 2 * size, how))
    most = round(_KEPT * size)
    short = min(image.size)
    if short > most:
        width, height = (max(1, round(side * most / short)) for side in image.size)
        image = how.resized(image, width, height)
    return np.array(image)


def centre_square(picture: np.ndarray, size: int, how: Decoding) -> np.ndarray:
    """The centre square `[size, size, 3]` of a picture whose shorter side is resized to `size`."""
    return np.array(_square(Image.fromarray(picture), size, how))


def _read(path: Path | str, size: int, how: Decoding) -> Image.Image:
    """The upright RGB image of a file, large ones perhaps reduced to `size` pixels or more."""
    try:
        with Image.open(path) as image:
            # JPEG can be decoded at a fraction of its size.
            image.draft(None, (size, size))
            return as_rgb(upright(image), how.background)
    except FileNotFoundError as error:
        raise UserError(f"There is no image file {path}.") from error
    except Exception as error:  # Each of Pillow's plug-ins raises what it likes.
        reason = f"{error}" or type(error).__name__
        raise UserError(
            f"{path} cannot be read as an image ({reason}); repair or remove it"
        ) from error


def upright(image: Image.Image) -> Image.Image:
    """A photograph as its EXIF orientation says; others are returned as they are."""
    if image.getexif().get(_ORIENTATION, 1) == 1:
        return image
    return ImageOps.exif_transpose(image)


def as_rgb(image: Image.Image, background: tuple[int, int, int] = GROUND) -> Image.Image:
    """An image of any mode as RGB, transparent ones on a background.

    >>> as_rgb(Image.new("LA", (1, 1), (0, 0))).getpixel((0, 0))
    (255, 255, 255)
    """
    if "transparency" in image.info or image.mode in _TRANSPARENT:
        layers = image.convert("RGBA")
        ground = Image.new("RGBA", layers.size, (*background, 255))
        return Image.alpha_composite(ground, layers).convert("RGB")
    if image.mode in DEEP_MODES:
        return Image.fromarray(grey_levels(np.asarray(image))).convert("RGB")
    return image.convert("RGB")


def grey_levels(values: np.ndarray) -> np.ndarray:
    """Grey values of any number type as 8 bits.

    Values are divided by the depth that they use: 8, 12 or 16 bits, and 1 if they are of a
    floating-point type. Negative and larger ones are scaled from their own range.

    >>> grey_levels(np.array([[0, 257, 65535]], np.uint16))
    array([[  0,   1, 255]], dtype=uint8)
    >>> grey_levels(np.array([[0.0, 0.5, 1.0]]))
    array([[  0, 128, 255]], dtype=uint8)
    """
    depths = (1, *_DEPTHS) if np.issubdtype(values.dtype, np.floating) else _DEPTHS
    values = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    low, high = values.min(), values.max()
    if low >= 0 and high <= depths[-1]:
        low, high = 0.0, next(depth for depth in depths if high <= depth)
    return np.rint((values - low) * (255 / ((high - low) or 1))).astype(np.uint8)


def _square(image: Image.Image, size: int, how: Decoding) -> Image.Image:
    image = _less_oblong(image)
    width, height = image.size
    short = min(width, height)
    width, height = size * width // short, size * height // short
    left, top = round((width - size) / 2), round((height - size) / 2)
    image = how.resized(image, width, height)
    return image.crop((left, top, left + size, top + size))


def _less_oblong(image: Image.Image) -> Image.Image:
    """The middle of a very long image; others are returned as they are."""
    width, height = image.size
    longest = _MOST_OBLONG * min(width, height)
    if max(width, height) <= longest:
        return image
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return image.crop((left, top, left + min(width, longest), top + min(height, longest)))
