"""Networks as files that run without this toolkit, checked against the original."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from darts.errors import UserError
from darts.files import scratch_folder

Format = Literal["onnx", "torch-export"]
FORMATS: tuple[Format, ...] = ("onnx", "torch-export")
INSTALL = "pip install onnx onnxruntime onnxscript (or pip install -e '.[export]' in its folder)"
# Largest difference of logits, as a share of the largest logit. Rounding alone makes 4e-4 in a
# network of 20 cells with random weights.
TOLERANCE = 5e-3
BATCHES = (1, 3)


class Logits(nn.Module):
    """The part of a classifier that tests need: images `[B, 3, S, S]` to logits `[B, classes]`."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)[0]


@dataclass(frozen=True)
class Exported:
    """An exported file and its check.

    Attributes:
        path: The file.
        difference: Largest absolute difference from the network's logits, on random images.
        largest: Largest absolute logit on these images.
        checked_by: The software that ran the file, with its version.
    """

    path: Path
    difference: float
    largest: float
    checked_by: str


def export_network(
    network: nn.Module,
    path: Path,
    format: Format,
    image_size: int,
    notes: dict[str, Any] | None = None,
) -> Exported:
    """Write a classifier of this toolkit as one file, for batches of any size.

    The file takes `images` `[B, 3, image_size, image_size]` float32, normalised, and returns
    `logits` `[B, classes]`. Before it is moved to `path`, it is loaded and run on random images.

    Args:
        network: The classifier; it is moved to the CPU and converted to float32.
        path: The file to write.
        format: "onnx" or "torch-export".
        image_size: Side of the images.
        notes: Plain values that are stored in the file, as JSON under "darts".

    Raises:
        UserError: A package that the format needs is not installed, or the file's logits differ
            from the network's.
    """
    if format == "onnx":
        check_onnx()
    return write_traced(trace_network(network, image_size), path, format, notes)


@dataclass(frozen=True)
class TracedNetwork:
    """A network that was traced once, for files of several formats.

    Attributes:
        network: The network, which returns logits alone.
        program: What torch.export has recorded of it.
        image_size: Side of the images.
    """

    network: nn.Module
    program: Any
    image_size: int


def trace_network(network: nn.Module, image_size: int) -> TracedNetwork:
    """Trace a classifier, which is moved to the CPU and converted to float32."""
    network = Logits(network).cpu().float().eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    images = torch.zeros(2, 3, image_size, image_size)
    program = torch.export.export(
        network, (images,), dynamic_shapes={"images": {0: torch.export.Dim("batch")}}
    )
    return TracedNetwork(network, program, image_size)


def write_traced(
    traced: TracedNetwork, path: Path, format: Format, notes: dict[str, Any] | None = None
) -> Exported:
    """Write a traced network in one format and check the file; see `export_network`.

    Raises:
        UserError: The file's logits differ from the network's.
    """
    size = traced.image_size
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(path.parent, path.name) as scratch:
        draft = scratch / path.name
        text = json.dumps(notes or {})
        if format == "onnx":
            run, by = _write_onnx(traced.program, torch.zeros(2, 3, size, size), draft, text)
        else:
            run, by = _write_program(traced.program, draft, text)
        difference, largest = _compare(traced.network, run, size)
        if not difference <= TOLERANCE * largest:
            raise UserError(
                f"The exported file is wrong: run by {by}, its logits differ by {difference:.2g} "
                f"(the largest logit is {largest:.2g}). Nothing was written."
            )
        os.replace(draft, path)
    return Exported(path, difference, largest, by)


@torch.no_grad()
def settle_norms(network: nn.Module, image_size: int) -> None:
    """Set the statistics of an untrained network's batch norms from random images.

    With the initial statistics, mean 0 and variance 1, activations shrink from layer to layer until
    the logits are only the classifier's bias, and comparing them would check nothing.
    """
    network.eval()
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train().momentum = 1.0
    network(_random_images(4, image_size, torch.Generator().manual_seed(1)))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval().momentum = momentum


def check_onnx() -> None:
    """Raise UserError unless the packages for writing and checking ONNX are installed."""
    missing = []
    for name in ("onnx", "onnxscript", "onnxruntime"):
        try:
            __import__(name)
        except ImportError:
            missing.append(name)
    if missing:
        raise UserError(f"Writing ONNX needs {', '.join(missing)}: {INSTALL}.")


Run = Callable[[Tensor], Tensor]


def _write_onnx(program: Any, images: Tensor, path: Path, notes: str) -> tuple[Run, str]:
    import onnxruntime

    with warnings.catch_warnings():
        # torch 2.13 uses a name that it has deprecated itself.
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
        written = torch.onnx.export(
            program,
            (images,),
            input_names=["images"],
            output_names=["logits"],
            dynamic_shapes={"images": {0: "batch"}},
            dynamo=True,
            verbose=False,
        )
    assert written is not None
    written.model.metadata_props["darts"] = notes
    written.save(path, external_data=False)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0])

    return run, f"onnxruntime {onnxruntime.__version__}"


def _write_program(program: Any, path: Path, notes: str) -> tuple[Run, str]:
    torch.export.save(program, path, extra_files={"darts": notes})
    return torch.export.load(path).module(), f"torch {torch.__version__}"


@torch.no_grad()
def _compare(network: nn.Module, run: Run, image_size: int) -> tuple[float, float]:
    generator = torch.Generator().manual_seed(0)
    difference = largest = 0.0
    for batch in BATCHES:
        images = _random_images(batch, image_size, generator)
        expected = network(images)
        difference = max(difference, (run(images) - expected).abs().max().item())
        largest = max(largest, expected.abs().max().item())
    return difference, largest


def _random_images(count: int, size: int, generator: torch.Generator) -> Tensor:
    return torch.randn(count, 3, size, size, generator=generator)
