"""Options that every run shares. Torch-free, so that `--help` is instant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# Pixels from which on images are treated as ImageNet's are: stem, crops, storage.
PHOTOGRAPH_SIZE = 96


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How and where a run happens.

    Args:
        preset: paper takes published settings; quick and smoke make a run small.
        seed: Seed of all random streams of the run.
        device: cpu, cuda, cuda:N, mps, or auto for the best one present.
        precision: Number format of activations; bf16 uses autocast.
        accumulate: Equal parts that a process works on a batch in, one after the other: less
            memory, the same gradients up to the statistics of batch normalisation.
        recompute_cells: Keep only the cells' inputs, and compute each cell again in the backward
            pass: less memory, the same numbers, about a third more time.
        sync_norm: Several processes normalise by the statistics of their batches together.
        threads: CPU threads of torch; 0 leaves torch's choice.
        run_dir: Directory of the run; by default runs/<time>-<what>.
        resume: Directory of a run to go on with; its own settings are used.
        log_every: Steps between two step lines in metrics.jsonl.
        checkpoint_every: Steps between two checkpoints; 0 writes one an epoch.
    """

    # Without an annotation, and so no field: one would hide all types from the parser.
    fixed = frozenset[str]()
    """Settings that a command leaves at their defaults: no flag and no key sets them."""
    resumable = frozenset[str]()
    """A command's own settings that say how it is carried out, not what: beside --resume they may
    change."""

    preset: Literal["paper", "quick", "smoke"] = "paper"
    seed: int = 2
    device: str = "auto"
    precision: Literal["fp32", "bf16", "fp64"] = "fp32"
    accumulate: int = 1
    recompute_cells: bool = False
    sync_norm: bool = False
    threads: int = 0
    run_dir: str | None = None
    resume: str | None = None
    log_every: int = 50
    checkpoint_every: int = 0
