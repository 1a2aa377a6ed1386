"""The final network as files for other software, each compared with the network itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from darts.errors import UserError
from darts.fitting.files import FitFiles
from darts.models.export import Format, check_onnx, trace_network, write_traced
from darts.training.predict import load_trained


def export_final(files: FitFiles) -> dict[str, Any]:
    """Write ONNX and torch.export; a format that cannot be written has its reason instead.

    Returns:
        For each format the `file`, and `difference` and `largest` of its logits, and `checked_by`;
        or `error`.
    """
    targets: Mapping[Format, Path] = {"onnx": files.onnx, "torch-export": files.program}
    found: dict[str, Any] = {}
    trained = load_trained(files.final, torch.device("cpu"))
    card = dict(trained.card)
    traced = trace_network(trained.network, card["image_size"])
    for name, path in targets.items():
        try:
            if name == "onnx":
                check_onnx()
            done = write_traced(traced, path, name, card)
        except UserError as error:
            found[name] = {"error": str(error)}
            continue
        found[name] = {
            "file": path.name,
            "difference": done.difference,
            "largest": done.largest,
            "checked_by": done.checked_by,
        }
    return found
