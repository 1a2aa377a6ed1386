"""Bad data: arrays, image files, folders, tables of images, annotations of objects."""

from __future__ import annotations

import io
import json
import os
import struct
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from tests.torture.mutations import (
    NUMBERS,
    archive_of,
    damaged,
    odd_name,
    pickled_code,
    wrong_text,
)
from tests.torture.trying import commands

_NETWORK = ["--genotype", "darts_v2", "--channels", "4", "--layers", "3", "--no-auxiliary"]
_TRAINING = [
    *("evaluate", *_NETWORK, "--preset", "smoke", "--batch-size", "2", "--device", "cpu"),
    *("--threads", "1", "--workers", "0", "--run-dir", "run"),
]
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "TGA", "ICO", "DDS", "JPEG2000")


def _reading(random: Random, data: str, *flags: str) -> list[str]:
    """A command that reads a data set; mostly the one that does nothing else."""
    if random.random() < 0.9:
        return ["read-data", data, *flags]
    return [*_TRAINING, "--dataset", data, *flags]


@cache
def _arrays() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {
        "x_train": generator.integers(0, 255, (8, 8, 8, 3), np.uint8),
        "y_train": np.arange(8) % 2,
        "x_test": generator.integers(0, 255, (4, 8, 8, 3), np.uint8),
        "y_test": np.arange(4) % 2,
        "classes": np.array(["cat", "dog"]),
    }


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _wrong_array(random: Random, array: np.ndarray) -> bytes:
    """The file of one array, with other values, another type or shape, or a damaged header."""
    match random.randrange(9):
        case 0 if array.dtype.kind in "iu":
            found = array.astype(
                random.choice(("f2", "f4", "f8", "i1", "i8", "u8", "?", "c8", "S3"))
            )
        case 1:
            found = array.reshape(
                random.choice(((-1,), (1, -1), (-1, 1), (*array.shape, 1), array.T.shape))
            )
        case 2:
            found = array[: random.randrange(len(array) + 1)]
        case 3 if array.dtype.kind in "iu":
            found = array.astype(np.float64)
            found.flat[random.randrange(found.size)] = float(random.choice(NUMBERS))
        case 4 if array.dtype.kind in "iu":
            found = array.astype(np.int64)
            found.flat[random.randrange(found.size)] = random.choice(
                (-1, 2, 10**12, 2**62, -(2**62))
            )
        case 5:
            names = [odd_name(random).encode("utf-8", "replace") for _ in range(array.size)]
            found = np.array(names).reshape(array.shape)
        case 6:
            return b"\x93NUMPY\x01\x00" + _header(random)
        case 7:
            return pickled_code() if random.random() < 0.5 else objects_array()
        case _:
            return damaged(random, _npy(array))
    return _npy(found)


def objects_array() -> bytes:
    """An array of Python objects, whose pickle creates the canary."""
    text = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    text += b" " * (53 - len(text) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + pickled_code()


def _header(random: Random) -> bytes:
    """A header that claims an absurd size, type or form, without the data."""
    shape = random.choice(
        ("(10**9,)", "(1000000000, 32, 32, 3)", "(-1,)", "(2**70,)", "(8,)", "()")
    )
    shape = shape.replace("10**9", "1" + "0" * 12).replace("2**70", str(2**70))
    kind = random.choice(
        ("'|u1'", "'<i8'", "'|O'", "'<U9999999'", "[('a', '<i4')]", "'x'", "'|V0'")
    )
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return struct.pack("<H", len(text)) + text


def _npz(random: Random, folder: Path) -> list[str]:
    parts = {f"{name}.npy": _npy(array) for name, array in _arrays().items()}
    if random.random() < 0.2:
        del parts["classes.npy"]
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        name = random.choice(sorted(parts))
        parts[name] = _wrong_array(random, _arrays()[name[:-4]])
    match random.randrange(12):
        case 0:
            del parts[random.choice(sorted(parts))]
        case 1:
            name = random.choice(("../outside.npy", "/outside.npy", "x", "y_val.npy", "a" * 300))
            parts[name] = parts["x_test.npy"]
    data = archive_of(parts)
    if random.random() < 0.35:
        data = damaged(random, data, _npy(_arrays()["x_train"]))
    (folder / "own.npz").write_bytes(data)
    return _reading(random, "array:own.npz")


@cache
def _pictures() -> dict[str, bytes]:
    """A small image in every format."""
    found = {}
    pixels = np.random.default_rng(0).integers(0, 255, (12, 10, 3), np.uint8)
    for kind in _FORMATS:
        stream = io.BytesIO()
        exif = Image.Exif()
        exif[0x0112] = 6
        extra: dict[str, Any] = {"exif": exif} if kind in ("JPEG", "PNG", "WEBP", "TIFF") else {}
        Image.fromarray(pixels).save(stream, kind, **extra)
        found[kind.lower()] = stream.getvalue()
    for mode in ("I;16", "RGBA", "LA", "P", "1", "CMYK", "F"):
        stream = io.BytesIO()
        Image.fromarray(pixels).convert("RGB" if mode == "CMYK" else "L").convert(mode).save(
            stream, "TIFF"
        )
        found[f"tiff-{mode}"] = stream.getvalue()
    return found


def _png(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        code = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", code)

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + body + chunk(b"IEND", b"")


def _wrong_picture(random: Random) -> tuple[str, bytes]:
    """A damaged image, or one that claims an absurd size: suffix and content."""
    kind = random.choice(sorted(_pictures()))
    suffix = {"jpeg2000": "jp2"}.get(kind, kind.partition("-")[0])
    data = _pictures()[kind]
    match random.randrange(10):
        case 0:
            sides = (0, 1, 5, 30000, 65535, 2**31 - 1)
            return "png", _png(random.choice(sides), random.choice(sides))
        case 1:
            return random.choice(("png", "jpg", "webp", "dds", "tiff", "gif", "svg", "eps")), data
        case 2:
            return suffix, random.choice((b"", b"\0", pickled_code(), b"%!PS-Adobe-3.0 EPSF-3.0\n"))
    return suffix, damaged(random, data, _pictures()[random.choice(sorted(_pictures()))])


def _folder(folder: Path, random: Random) -> None:
    """A small data set of image files."""
    for name in ("cat", "dog"):
        (folder / "data" / name).mkdir(parents=True)
        for number in range(6):
            pixels = np.full((8, 8, 3), random.randrange(256), np.uint8)
            Image.fromarray(pixels).save(folder / "data" / name / f"{number}.png")


def _images(random: Random, folder: Path) -> list[str]:
    _folder(folder, random)
    for number in range(random.choice((1, 1, 2, 12))):
        suffix, content = _wrong_picture(random)
        place = folder / "data" / random.choice(("cat", "dog"))
        (place / f"{random.choice((0, 99, number))}.{suffix}").write_bytes(content)
    if random.random() < 0.05:
        return ["advise", "data"]
    skipped = random.choice(([], ["--skip-corrupt", "true"]))
    return _reading(random, "folder:data", *skipped)


def _folders(random: Random, folder: Path) -> list[str]:
    _folder(folder, random)
    data = folder / "data"
    for _ in range(random.choice((1, 2, 3))):
        place = random.choice((data, data / "cat"))
        name = odd_name(random)
        target = place / random.choice(
            (name, f"{name}.png", "train", "val", "test", "cat", "0.png")
        )
        if os.path.lexists(target) or len(os.fsencode(target.name)) > 250:
            continue
        match random.randrange(9):
            case 0:
                os.mkfifo(target)
            case 1:
                target.symlink_to(
                    random.choice((target, data, folder, Path("/"), Path("/nowhere")))
                )
            case 2:
                target.mkdir()
            case 3:
                target.write_bytes(random.choice((b"", b"x")))
            case 4:
                deep = target
                for _ in range(random.choice((2, 40))):
                    deep = deep / "d"
                deep.mkdir(parents=True)
                (deep / "0.png").write_bytes((data / "dog" / "1.png").read_bytes())
            case 5 if (data / "cat").is_dir() and place == data:
                (data / "cat").rename(target)
                break
            case _:
                target.mkdir()
                for number in range(6):
                    (target / f"{odd_name(random)[:60]}{number}.png").write_bytes(
                        (data / "dog" / "0.png").read_bytes()
                    )
    return _reading(random, "folder:data")


def _table(random: Random, folder: Path) -> list[str]:
    """A table with image files and labels."""
    _folder(folder, random)
    rows = [
        f"data/{name}/{n}.png,{name},{'test' if n > 3 else 'train'}"
        for name in ("cat", "dog")
        for n in range(6)
    ]
    separator = random.choice((",", "\t", ";"))
    lines = ["path,label,split", *rows]
    if random.random() < 0.5:
        place = random.randrange(len(lines))
        cells = lines[place].split(",")
        cells[random.randrange(3)] = random.choice(
            (odd_name(random), "../../../outside", '"', "", "/etc/passwd")
        )
        lines[place] = ",".join(cells)
    text = "\n".join(lines).replace(",", separator).encode("utf-8", "surrogateescape")
    if random.random() < 0.7:
        text = damaged(random, text)
    (folder / "own.csv").write_bytes(text)
    flags = random.choice(
        ([], [], ["--label-columns", "label"], ["--path-column", "x"], ["--task", "multi-label"])
    )
    return _reading(random, "csv:own.csv", *flags)


@cache
def _annotations() -> dict[str, Any]:
    return {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 32, "height": 32} for n in range(4)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 7, "name": "dog"}],
        "annotations": [
            {
                "id": n,
                "image_id": n % 4,
                "category_id": (1, 7)[n % 2],
                "bbox": [2, 3, 20, 15],
                "area": 300,
                "iscrowd": 0,
            }
            for n in range(6)
        ],
    }


def _detection(random: Random, folder: Path) -> list[str]:
    (folder / "images").mkdir()
    for number in range(4):
        Image.new("RGB", (32, 32), (number, 9, 9)).save(folder / "images" / f"{number}.png")
    for part in ("train", "val"):
        (folder / f"{part}.json").write_text(json.dumps(_annotations()))
    part = random.choice(("train", "val"))
    (folder / f"{part}.json").write_bytes(wrong_text(random, _annotations(), json.dumps))
    (folder / "tiny.yaml").write_text(
        "anynet:\n  block: vr\n  stem_width: 16\n  stages:\n" + "  - {depth: 1, width: 16}\n" * 3
    )
    return [
        *("detect", "--model", "tiny.yaml", "--train-images", "images", "--val-images", "images"),
        *(
            "--train-annotations",
            "train.json",
            "--val-annotations",
            "val.json",
            "--preset",
            "smoke",
        ),
        *("--image-size", "64", "--batch-size", "2", "--workers", "0", "--device", "cpu"),
        *("--threads", "1", "--run-dir", "run"),
    ]


KINDS = (
    commands(
        "arrays",
        "damaged .npz files; absurd shapes, labels, types; pickled objects",
        _npz,
        2557,
        8,
    ),
    commands(
        "images", "damaged images of 18 kinds, absurd sizes, wrong suffixes", _images, 2518, 6
    ),
    commands(
        "folders",
        "folders with pipes, links in circles, odd names, empty classes",
        _folders,
        700,
        3,
    ),
    commands("tables", "damaged tables of image files and labels", _table, 900, 4),
    commands("annotations", "damaged annotations of objects in COCO's form", _detection, 1200, 4),
)
