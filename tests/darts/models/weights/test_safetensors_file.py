"""The reader of `.safetensors` files: the library's own files, and every way to damage one."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
import torch

from darts.errors import UserError
from darts.models.weights.safetensors_file import tensors_of_safetensors

ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def file(header: Any, body: bytes = bytes(8)) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def test_files_of_the_library_are_read_alike() -> None:
    library = pytest.importorskip("safetensors.torch", reason="needs safetensors to compare with")
    generator = torch.Generator().manual_seed(0)
    tensors = {
        "half": torch.randn(3, 5, generator=generator).half(),
        "byte": torch.arange(3, dtype=torch.uint8),
        "double": torch.randn(2, 1, 4, dtype=torch.float64, generator=generator),
        "brain": torch.randn(7, generator=generator).bfloat16(),
        "count": torch.tensor(12),
        "none": torch.empty(0, 4),
        "flag": torch.tensor([True, False]),
    }
    data = library.save(tensors, {"format": "pt"})
    found = tensors_of_safetensors(data, "file")
    assert found.keys() == tensors.keys()
    for name, value in library.load(data).items():
        assert found[name].dtype == value.dtype
        assert found[name].equal(value), name


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "only 0 bytes"),
        (bytes(7), "only 7 bytes"),
        ((10**9).to_bytes(8, "little") + bytes(20), "header would have 1,000,000,000 bytes"),
        ((21).to_bytes(8, "little") + bytes(20), "header of 21 bytes is cut off"),
        (file(b"{"), "not the JSON"),
        (file(b"\xff\xfe"), "not the JSON"),
        (file(b"[" * 100_000), "not the JSON"),
        (file([]), "not a JSON object"),
        (file(b'{"x": 1, "x": 2}'), "twice"),
        (file({"x": [1]}), "needs dtype, shape and data_offsets"),
        (file({"x": {**ENTRY, "more": 1}}), "needs dtype, shape and data_offsets"),
        (file({"x": {**ENTRY, "dtype": "F8_E4M3"}}), "the type 'F8_E4M3'"),
        (file({"x": {**ENTRY, "dtype": 5}}), "the type 5"),
        (file({"x": {**ENTRY, "shape": [-2]}}), "no whole numbers"),
        (file({"x": {**ENTRY, "shape": [2.0]}}), "no whole numbers"),
        (file({"x": {**ENTRY, "shape": [True, 2]}}), "no whole numbers"),
        (file({"x": {**ENTRY, "data_offsets": [8]}}), "no whole numbers"),
        (file({"x": {**ENTRY, "shape": [3]}}), "8 bytes instead of 12"),
        (file({"x": {**ENTRY, "data_offsets": [8, 0]}}), "-8 bytes instead of 8"),
        (file({"x": {**ENTRY, "data_offsets": [4, 12]}}, bytes(12)), "right behind"),
        (file({"x": ENTRY, "y": {**ENTRY, "data_offsets": [4, 12]}}, bytes(12)), "overlaps"),
        (file({"x": ENTRY, "y": ENTRY}), "overlaps"),
        (file({"x": ENTRY}, bytes(7)), "cut off"),
        (file({"x": ENTRY}, bytes(9)), "1 bytes at its end belong to no tensor"),
    ],
)
def test_a_damaged_file_is_one_sentence(data: bytes, problem: str) -> None:
    with pytest.raises(UserError, match=problem) as error:
        tensors_of_safetensors(data, "weights.safetensors")
    assert str(error.value).startswith("weights.safetensors")
    assert len(str(error.value)) < 700


def test_random_damage_is_found_or_harmless() -> None:
    entries = {"x": ENTRY, "y": {"dtype": "I16", "shape": [1, 2], "data_offsets": [8, 12]}}
    sound, draw = file({"__metadata__": {"format": "pt"}, **entries}, bytes(12)), random.Random(0)
    for _ in range(300):
        data = bytearray(sound)
        for _ in range(draw.randrange(1, 4)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        try:
            found = tensors_of_safetensors(bytes(data[: draw.randrange(len(data) + 1)]), "file")
        except UserError:
            continue
        assert sum(value.nbytes for value in found.values()) <= len(sound)
