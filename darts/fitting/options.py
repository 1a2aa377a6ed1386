"""Options of `fit`. Torch-free, so that `--help` is instant."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darts.errors import UserError
from darts.settings.quantities import parse_count, parse_seconds

QUICK_SECONDS = 150.0
"""Budget of `fit --quick`."""
DEFAULT_SECONDS = 3600.0

_PLACE = ("out", "workers", "memory")


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """What a user asks for.

    Attributes:
        data: Folder, file or name of the images.
        budget: Seconds that everything together may take, also over several calls.
        max_macs: Ceiling of multiply-adds for one image, such as "100M"; None: derived.
        max_latency: Ceiling of the time for one image, such as "5ms"; None: no ceiling.
        pretrained: Trained networks that join the field.
        image_size: Side of the images in pixels; None: chosen.
        out: Directory of everything that is written; None: fits/NAME.
        seed: Seed of all random choices.
        device: Where to train: cpu, cuda, mps, or auto.
        threads: CPU threads; 0 leaves the choice to torch.
        data_dir: Directory of the named data sets.
        workers: Processes that decode image files.
        memory: Keep decoded images in memory if they fit into this many GiB.
    """

    data: str
    budget: float = DEFAULT_SECONDS
    max_macs: str | None = None
    max_latency: str | None = None
    pretrained: tuple[str, ...] = ()
    image_size: int | None = None
    out: str | None = None
    seed: int = 0
    device: str = "auto"
    threads: int = 0
    data_dir: str | None = None
    workers: int = 2
    memory: float = 1.0

    def __post_init__(self) -> None:
        _ = self.macs_ceiling, self.latency_ceiling
        if self.image_size is not None and self.image_size < 8:
            raise UserError(f"--image-size {self.image_size}: 8 pixels or more are needed.")
        if not self.budget > 0:
            raise UserError(f"--budget: must be longer than 0 s, not {self.budget}.")

    @property
    def macs_ceiling(self) -> int | None:
        """The ceiling of multiply-adds.

        Raises:
            UserError: It is no amount.
        """
        return None if self.max_macs is None else parse_count(self.max_macs, "--max-macs")

    @property
    def latency_ceiling(self) -> float | None:
        """The ceiling of the latency in seconds.

        Raises:
            UserError: It is no time.
        """
        return (
            None if self.max_latency is None else parse_seconds(self.max_latency, "--max-latency")
        )

    @property
    def directory(self) -> Path:
        """Where everything is written.

        >>> FitOptions(data="folder:My photos/").directory.as_posix()
        'fits/My-photos'
        """
        if self.out is not None:
            return Path(self.out)
        name = Path(self.data.rpartition(":")[2]).stem
        return Path("fits") / (re.sub(r"[^\w.]+", "-", name).strip("-.") or "data")

    @property
    def asked(self) -> dict[str, Any]:
        """The options that decide what comes out, as plain values."""
        values = {name: value for name, value in vars(self).items() if name not in _PLACE}
        return {**values, "pretrained": list(self.pretrained)}

    def check_same(self, saved: Mapping[str, Any]) -> None:
        """Check that a directory holds a fit with the same options.

        Raises:
            UserError: An option differs.
        """
        for name, value in self.asked.items():
            if saved.get(name) != value:
                flag = "DATA" if name == "data" else f"--{name.replace('_', '-')}"
                raise UserError(
                    f"{self.directory} holds a fit with {flag} {saved.get(name)}, not {value}. "
                    "Give the same options to continue it, or choose another directory by --out."
                )
