"""The search space of a search: which one the options name, and which settings it implies.

Torch-free, so that `--help` is instant.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from darts.files import atomic_write
from darts.run_files import RunFiles
from genotypes import SearchSpace, find_space
from genotypes.spaces import plain_space


def implied_by_space(space: SearchSpace, preset: str) -> dict[str, Any]:
    """The settings that a space implies: its number of nodes, and the depth of its network.

    >>> implied_by_space(find_space("nasbench201"), "paper")
    {'nodes': 3, 'layers': 15}
    """
    settings: dict[str, Any] = {} if space.nodes is None else {"nodes": space.nodes}
    if space.stack == "stages":
        settings["layers"] = 15 if preset == "paper" else 3
    return settings


def searched_space(name_or_path: str, run: str | None = None) -> SearchSpace:
    """The space that is searched.

    Args:
        name_or_path: Name of a space, or a YAML file.
        run: The directory of a run to continue; its own copy of the space counts.

    Raises:
        GenotypeError: There is no such space, or its file is wrong.
    """
    kept = None if run is None else RunFiles(Path(run)).space
    return find_space(kept if kept is not None and kept.is_file() else name_or_path)


def keep_space(space: SearchSpace, name_or_path: str, run: RunFiles) -> None:
    """Write the space into a run's directory, unless it is the built-in one of this name."""
    if plain_space(space) != name_or_path:
        with atomic_write(run.space) as stream:
            yaml.safe_dump(space.as_mapping(), stream, sort_keys=False)
