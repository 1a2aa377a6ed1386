"""Expected and real time of the runs that `python -m darts advise` advises.

    python benchmarks/advise.py [--images 300] [--size 8] [--rounds 2]

Images of noise are generated; what they show does not change the time. In each round the advice is
asked for, then its two commands run to the end. Printed are the expected and the real seconds of
each command, and their ratio. On a shared machine the ratio follows the other processes.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]


def make_images(path: Path, images: int, size: int) -> None:
    """Write images of noise of three classes."""
    generator = np.random.default_rng(0)
    parts = {}
    for part, count in (("train", images), ("test", max(30, images // 4))):
        parts[f"x_{part}"] = generator.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
        parts[f"y_{part}"] = np.arange(count) % 3
    np.savez(path, **parts)


def timed(arguments: list[str], folder: Path) -> tuple[float, str]:
    """Run a command in `folder`; return its seconds and what it printed."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    return time.monotonic() - begun, done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parsed = parser.parse_args()
    ratios: dict[str, list[float]] = {"search": [], "training": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_images(folder / "noise.npz", parsed.images, parsed.size)
        for number in range(parsed.rounds):
            _, text = timed(["-m", "darts", "advise", "noise.npz", "--json"], folder)
            advice = json.loads(text)
            genotype = ""
            for kind in ("search", "training"):
                script, *flags = shlex.split(advice[kind]["command"])[1:]
                flags = [genotype if one.startswith("RUN_DIR") else one for one in flags]
                place = folder / f"{kind}-{number}"
                real, _ = timed([str(ROOT / script), *flags, "--run-dir", str(place)], folder)
                genotype = str(place / "genotype.yaml")
                expected = advice[kind]["seconds"]
                ratios[kind].append(expected / real)
                print(
                    f"{kind:9} expected {expected:6.1f} s, real {real:6.1f} s, "
                    f"ratio {expected / real:.2f}; load {os.getloadavg()[0]:.1f}",
                    flush=True,
                )
    for kind, found in ratios.items():
        print(f"{kind:9} median ratio {statistics.median(found):.2f}")


if __name__ == "__main__":
    main()
