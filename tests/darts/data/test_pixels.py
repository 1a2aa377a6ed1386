"""Right pixels of image files of every kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from darts.data.pixels import decode, grey_levels
from darts.errors import UserError

GREY = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4


def written(path: Path, image: Image.Image, **settings: object) -> Path:
    image.save(path, **settings)
    return path


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    suffix = "tif" if mode == "CMYK" else "png"
    white = Image.new("RGB", (8, 8), (255, 255, 255)).convert(mode)
    pixels = decode(written(tmp_path / f"image.{suffix}", white), 8)
    assert pixels.shape == (8, 8, 3)
    assert (pixels == 255).all()


def test_grey_levels_are_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "grey.png", Image.fromarray(GREY))
    assert (decode(path, 8) == GREY[..., None]).all()


@pytest.mark.parametrize(
    ("suffix", "dtype"), [("png", np.uint16), ("tif", np.uint16), ("tif", np.int32)]
)
def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path, suffix: str, dtype: type) -> None:
    deep = GREY.astype(dtype) * 257
    deep[0, 0], expected = 65535, GREY.copy()
    expected[0, 0] = 255
    path = written(tmp_path / f"deep.{suffix}", Image.fromarray(deep))
    assert (decode(path, 8) == expected[..., None]).all()


def test_number_types() -> None:
    assert grey_levels(np.array([[0, 4095]], np.uint16)).tolist() == [[0, 255]]
    assert grey_levels(np.array([[0, 7, 255]], np.int32)).tolist() == [[0, 7, 255]]
    assert grey_levels(np.array([[0.25, 1.0]])).tolist() == [[64, 255]]
    assert grey_levels(np.array([[-1.0, 0.0, 1.0]])).tolist() == [[0, 128, 255]]
    assert grey_levels(np.array([[0, 2**30]], np.int32)).tolist() == [[0, 255]]
    assert grey_levels(np.array([[np.nan, 1.0]], np.float32)).tolist() == [[0, 255]]
    assert grey_levels(np.array([[-5, -5]], np.int32)).tolist() == [[0, 0]]


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_transparent_images_lie_on_white(tmp_path: Path, suffix: str) -> None:
    icon = np.zeros((8, 8, 4), np.uint8)  # Black, and visible in one half only.
    icon[:4, :, 3] = 255
    path = written(tmp_path / f"icon.{suffix}", Image.fromarray(icon), lossless=True)
    pixels = decode(path, 8)
    assert (pixels[:4] == 0).all()
    assert (pixels[4:] == 255).all()


def test_a_transparent_colour_of_a_palette_is_white(tmp_path: Path) -> None:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, 200, 0, 0])
    path = written(tmp_path / "palette.gif", image, transparency=1)
    assert (decode(path, 8) == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_upright(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((8, 8, 3), np.uint8)
    upright[:4, :4] = 255  # Bright at the upper left.
    back = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = Image.fromarray(upright)
    if orientation > 1:
        stored = stored.transpose(back[orientation])
    tag = Image.Exif()
    tag[0x0112] = orientation
    path = written(tmp_path / "photo.png", stored, exif=tag)
    assert (decode(path, 8) == upright).all()


def test_the_first_picture_of_an_animation_counts(tmp_path: Path) -> None:
    first, second = (Image.new("L", (8, 8), level) for level in (40, 200))
    path = written(tmp_path / "moving.gif", first, save_all=True, append_images=[second])
    assert (decode(path, 8) == 40).all()


@pytest.mark.parametrize("shape", [(2, 20_000), (20_000, 2), (3, 10)])
def test_very_long_images_are_cut_before_they_grow(tmp_path: Path, shape: tuple[int, int]) -> None:
    levels = np.zeros(shape, np.uint8)
    middle = tuple(slice(n // 2 - 8, n // 2 + 8) if n > 100 else slice(None) for n in shape)
    levels[middle] = 90
    pixels = decode(written(tmp_path / "thin.png", Image.fromarray(levels)), 32)
    assert pixels.shape == (32, 32, 3)
    assert (pixels == (90 if max(shape) > 100 else pixels)).all()


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "image.png", Image.new("L", (8, 8)))
    whole = path.read_bytes()
    for content in (b"", b"no image", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"image\.png cannot be read as an image"):
            decode(path, 8)
    path.write_bytes(whole)
    for error in (NotImplementedError("compression"), MemoryError(), KeyError(3)):
        monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", _raising(error))
        with pytest.raises(UserError, match=r"image\.png cannot be read as an image \(.+\)"):
            decode(path, 8)


def _raising(error: Exception):
    def load(self: object) -> None:
        raise error

    return load
