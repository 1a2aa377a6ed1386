"""Bad files of others: tables of accuracies, weights, exported networks, parts of one's own."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import pickle
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import torch
from PIL import Image

from tests.darts.nasbench.files import delimited, genius, naslib, official, write_folder
from tests.torture.mutations import Runs, broken_tree, damaged, pickled_code, wrong_text
from tests.torture.trying import commands


@cache
def _tables() -> tuple[bytes, ...]:
    """A table of NAS-Bench-201 in every form but that of a folder."""
    texts = [delimited(), delimited("\t"), naslib(), genius()]
    found = [text.encode() for text in texts]
    found += [gzip.compress(found[0]), bz2.compress(found[0]), gzip.compress(found[3])]
    found += [pickle.dumps(official(), protocol) for protocol in (2, 4, 5)]
    found.append(bz2.compress(pickle.dumps(official("12", "200"), 4)))
    for new in (True, False):
        stream = io.BytesIO()
        torch.save(official(), stream, _use_new_zipfile_serialization=new)
        found.append(stream.getvalue())
    return tuple(found)


def _nasbench(random: Random, folder: Path) -> list[str]:
    path = folder / "table"
    chance = random.random()
    if chance < 0.1:
        write_folder(path)
        file = random.choice(sorted(path.iterdir()))
        file.write_bytes(
            random.choice((damaged(random, file.read_bytes()), bz2.compress(pickled_code())))
        )
    elif chance < 0.2:
        path.write_bytes(
            random.choice(
                (pickled_code(0), pickled_code(4), gzip.compress(pickled_code()), _archive(Runs()))
            )
        )
    elif chance < 0.35:
        path.write_bytes(pickle.dumps(broken_tree(random, official()), 4))
    elif chance < 0.45:
        path.write_bytes(wrong_text(random, json.loads(genius()), json.dumps))
    else:
        content = random.choice(_tables())
        if content[:2] == b"\x1f\x8b" and random.random() < 0.7:
            content = gzip.compress(damaged(random, gzip.decompress(content)))
        elif content[:3] == b"BZh" and random.random() < 0.7:
            content = bz2.compress(damaged(random, bz2.decompress(content)))
        else:
            content = damaged(random, content, random.choice(_tables()))
        path.write_bytes(content)
    extra = random.choice(([], [], ["--dataset", "cifar10"], ["--json"], ["--save-table", "t.csv"]))
    return ["benchmark", "nasbench201", "nb201-1462", "--table", "table", *extra]


def _archive(value: Any) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream)
    return stream.getvalue()


@cache
def _weights() -> dict[str, torch.Tensor]:
    from darts.system.torchvision_compat import torchvision

    torch.manual_seed(0)
    return torchvision.models.mobilenet_v2(num_classes=4).state_dict()


def _safetensors(random: Random, header: Any, body: bytes) -> bytes:
    text = (
        json.dumps(header).encode()
        if random.random() < 0.5
        else wrong_text(random, header, json.dumps)
    )
    length = len(text)
    if random.random() < 0.15:
        length = random.choice((0, 1, 2**63 - 1, 2**64 - 1, length + 1, 10**9))
    return length.to_bytes(8, "little") + text + body


def _pretrained(random: Random, folder: Path) -> list[str]:
    state = dict(_weights())
    if random.random() < 0.45:
        name = "own.safetensors"
        header, body = {}, b""
        for key, value in state.items():
            data = value.numpy().tobytes()
            kind = {torch.float32: "F32", torch.int64: "I64"}[value.dtype]
            header[key] = {
                "dtype": kind,
                "shape": list(value.shape),
                "data_offsets": [len(body), len(body) + len(data)],
            }
            body += data
        content = _safetensors(random, header, body)
        if random.random() < 0.2:
            content = damaged(random, content)
    else:
        name = random.choice(("own.pth", "own.pt"))
        value: Any = random.choice(
            (state, {"state_dict": state}, {"model": state, "epoch": 3}, [state])
        )
        match random.randrange(4):
            case 0:
                content = _archive(Runs() if random.random() < 0.5 else {"state_dict": Runs()})
            case 1:
                content = _archive(broken_tree(random, value))
            case _:
                content = damaged(random, _archive(value))
        if random.random() < 0.1:
            content = pickled_code()
    (folder / name).write_bytes(content)
    if random.random() < 0.3:
        (folder / "config.json").write_bytes(
            wrong_text(random, {"architecture": "mobilenetv2_100", "num_classes": 4}, json.dumps)
        )
    return [
        *("evaluate", "--pretrained", name, "--dataset", "digits"),
        *("--preset", "smoke", "--device", "cpu", "--threads", "1", "--train-images", "20"),
        *("--test-images", "20", "--batch-size", "10", "--image-size", "32", "--run-dir", "run"),
    ]


@cache
def _network() -> bytes:
    """A small network as `export` writes it."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = numpy_helper.from_array(torch.zeros(3, 2).numpy(), "w")
    nodes = [
        helper.make_node("ReduceMean", ["images", "axes"], ["m"], keepdims=0),
        helper.make_node("MatMul", ["m", "w"], ["logits"]),
    ]
    axes = numpy_helper.from_array(torch.tensor([2, 3]).numpy(), "axes")
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 2])],
        [weight, axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    card = {
        "classes": ["cat", "dog"],
        "image_size": 8,
        "stored_size": 8,
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
    }
    helper.set_model_props(model, {"darts": json.dumps(card)})
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _exported(random: Random, folder: Path) -> list[str]:
    import onnx

    content = _network()
    if random.random() < 0.5:
        model = onnx.load_from_string(content)
        card = json.loads(model.metadata_props[0].value)
        text = wrong_text(random, card, json.dumps)
        model.metadata_props[0].value = text.decode("utf-8", "replace")
        content = model.SerializeToString()
    else:
        content = damaged(random, content)
    (folder / "net.onnx").write_bytes(content)
    Image.new("RGB", (8, 8), (200, 9, 9)).save(folder / "photo.png")
    form = random.choice(([], ["--json"], ["--csv"]))
    return ["predict", "photo.png", "--onnx", "net.onnx", *form]


_PART = '''"""An operation of one's own."""
from torch import nn

from darts.plugins import register


@register.operation("depthwise_{0}")
class Depthwise(nn.Module):
    def __init__(self, channels, stride, affine):
        super().__init__()
        self.convolution = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels)

    def forward(self, x):
        return self.convolution(x.relu())


register.space(name="with-{0}", operations=("none", "skip_connect", "depthwise_{0}"))
'''


def _part(random: Random, folder: Path) -> list[str]:
    text = _PART.format(random.randrange(10**9)).encode()
    (folder / "mine.py").write_bytes(damaged(random, text))
    return random.choice(
        (["spaces", "darts", "--use", "mine.py"], ["genotypes", "darts_v2", "--use", "mine.py"])
    )


KINDS = (
    commands(
        "accuracy-tables",
        "damaged tables of NAS-Bench-201 in all forms; pickled code",
        _nasbench,
        2000,
        6,
    ),
    commands(
        "weights", "damaged weights: safetensors, torch.save, pickled code", _pretrained, 1200, 3
    ),
    commands("exported", "damaged ONNX files and descriptions in them", _exported, 1500, 6),
    commands("own-parts", "damaged Python files of --use", _part, 500, 4),
)
