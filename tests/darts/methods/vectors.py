"""The golden vectors of search methods: inputs and outputs of the authors' code."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch


@cache
def _all(folder: Path) -> dict[str, dict[str, Any]]:
    vectors = json.loads((folder / "facts" / "methods_golden.json").read_text())
    return {vector["name"]: vector for vector in vectors}


def golden(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Inputs and outputs of a vector; lists become tensors in double precision."""
    vector = _all(folder)[name]
    inputs, outputs = (
        {key: _tensor(value) for key, value in vector[part].items()}
        for part in ("inputs", "outputs")
    )
    return inputs, outputs


def _tensor(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    try:
        return torch.tensor(value, dtype=torch.float64)
    except (TypeError, ValueError):  # Names.
        return value
