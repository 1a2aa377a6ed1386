"""From an image file of any kind to the upright RGB square that a network sees.

- Orientation: photographs are turned upright by their EXIF tag.
- Transparency: transparent images are blended with a white ground.
- Depth: grey values of more than 8 bits are scaled by the depth that they use, 12 or 16 bits;
  larger or fractional ones by their own range. Pillow's own conversion would clip them at 255.
- Animation: the first picture counts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from darts.errors import UserError

GROUND = (255, 255, 255)
_MOST_OBLONG = 3  # A longer image is cut before it is resized, which is as good and far cheaper.
DEEP_MODES = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")
_DEPTHS = (255, 4095, 65535)
_ORIENTATION = 0x0112
_TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")


def decode(path: Path | str, size: int) -> np.ndarray:
    """Read an image file as `[size, size, 3]` uint8.

    The shorter side is resized to `size`, then the image is cropped to the centre square.

    Raises:
        UserError: The file cannot be decoded. The message names it.
    """
    try:
        with Image.open(path) as image:
            # JPEG can be decoded at a fraction of its size; twice `size` loses nothing visible.
            image.draft(None, (2 * size, 2 * size))
            square = _square(as_rgb(upright(image)), size)
            return np.array(square)  # A copy, because Pillow's memory is read-only.
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


def as_rgb(image: Image.Image) -> Image.Image:
    """An image of any mode as RGB.

    >>> as_rgb(Image.new("LA", (1, 1), (0, 0))).getpixel((0, 0))
    (255, 255, 255)
    """
    if "transparency" in image.info or image.mode in _TRANSPARENT:
        layers = image.convert("RGBA")
        ground = Image.new("RGBA", layers.size, (*GROUND, 255))
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


def _square(image: Image.Image, size: int) -> Image.Image:
    image = _less_oblong(image)
    width, height = image.size
    short = min(width, height)
    width, height = size * width // short, size * height // short
    left, top = round((width - size) / 2), round((height - size) / 2)
    image = image.resize((width, height), Image.Resampling.BILINEAR)
    return image.crop((left, top, left + size, top + size))


def _less_oblong(image: Image.Image) -> Image.Image:
    """The middle of a very long image; others are returned as they are."""
    width, height = image.size
    longest = _MOST_OBLONG * min(width, height)
    if max(width, height) <= longest:
        return image
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return image.crop((left, top, left + min(width, longest), top + min(height, longest)))
