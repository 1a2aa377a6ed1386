"""Time to analyse a population of networks: statistics alone, and with all plots and the page.

    python benchmarks/population_analysis.py [--networks 500] [--repeats 3]

The networks are sampled from AnyNetX_A and their errors are random numbers. The analysis is that
of `python -m darts space analyse`: e_fit of each network and 10,000 bootstrap resamples of 20
properties.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
import time
from pathlib import Path

import numpy as np

from darts.design_space.analysis import analyse
from darts.design_space.population import Population
from darts.design_space.report import write_analysis
from darts.design_space.sampling import sample
from darts.design_space.spaces import create_space


def make_population(networks: int) -> Population:
    drawn = sample(create_space("anynetx_a"), networks, np.random.default_rng(0))
    noise = np.random.default_rng(0)
    return Population(
        name="anynetx_a",
        errors=noise.normal(40, 3, networks),
        properties={f"property {number}": noise.random(networks) for number in range(8)},
        configs=tuple(one.config for one in drawn),
        labels=tuple(map(str, range(networks))),
        recipe={},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    print(
        f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}, "
        f"{options.networks} networks, {options.repeats} repeats; seconds"
    )
    population = make_population(options.networks)
    for repeat in range(options.repeats):
        begun = time.perf_counter()
        analysis = analyse([population])
        statistics = time.perf_counter() - begun
        with tempfile.TemporaryDirectory() as directory:
            write_analysis(analysis, Path(directory))
        whole = time.perf_counter() - begun
        print(f"repeat {repeat + 1}: statistics {statistics:.2f}, with plots and page {whole:.2f}")


if __name__ == "__main__":
    main()
