"""Time of a search iteration with several processes and with one process, on the same cores.

    python benchmarks/processes.py [--batch 64] [--channels 16] [--layers 8] [--k 4] [--steps 3]
                                   [--repeats 3] [--backend auto] [--sync-norm] [--json]

One process uses N threads; N processes use one thread each. Both compute the same global batch.
They take turns, and each repeat starts new processes. An iteration is a first-order architecture
step and a weight step. The output also has the load of the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import torch
from torch.nn import functional

from cells.topology import Topology
from darts.methods.architecture import Architecture
from darts.methods.gradient import Bilevel, LabelledBatch
from darts.searching.steps import ArchitectureStep, BilevelIteration, WeightStep
from darts.searching.supernet import Supernet
from darts.system import distributed
from darts.system.device import device_name
from genotypes import SPACES
from ops.initialise import initialise
from ops.sync_norm import synchronise_norms


def seconds_of_steps(arguments: argparse.Namespace) -> list[float]:
    """Seconds of each iteration, measured in this process."""
    torch.set_num_threads(arguments.threads)
    generator = torch.Generator().manual_seed(0)
    architecture = Architecture(Topology(4), generator=generator)
    synchronised = arguments.sync_norm and distributed.world() > 1
    supernet = Supernet(
        Topology(4),
        SPACES["darts"].operations,
        channels=arguments.channels,
        layers=arguments.layers,
        k=arguments.k,
        backend="torch" if synchronised else arguments.backend,
    ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    initialise(supernet, generator)
    if synchronised:
        synchronise_norms(supernet)
    sgd = torch.optim.SGD(supernet.parameters(), lr=0.1, momentum=0.9, weight_decay=3e-4)
    adam = torch.optim.Adam(architecture.parameters(), lr=6e-4, betas=(0.5, 0.999))
    problem = Bilevel(
        supernet, architecture, sgd, functional.cross_entropy, reduce=distributed.average
    )
    iteration = BilevelIteration(ArchitectureStep(problem, adam), WeightStep(problem, 5.0))
    images = torch.randn(arguments.batch // distributed.world(), 3, 32, 32, generator=generator)
    images = images.contiguous(memory_format=torch.channels_last)
    batch = LabelledBatch(images, torch.zeros(len(images), dtype=torch.int64))
    seconds = []
    for _ in range(1 + arguments.steps):
        distributed.barrier()
        start = time.perf_counter()
        iteration(batch, batch)
        distributed.barrier()
        seconds.append(time.perf_counter() - start)
    return seconds[1:]


def run(arguments: argparse.Namespace, processes: int, threads: int) -> list[float]:
    """Seconds of each iteration, measured in new processes."""
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += [__file__, "--work", f"--threads={threads}"]
    for name in ("batch", "channels", "layers", "k", "steps", "backend"):
        command.append(f"--{name}={getattr(arguments, name)}")
    command += ["--sync-norm"] if arguments.sync_norm else []
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--sync-norm", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--threads", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        with distributed.joined():
            print(json.dumps(seconds_of_steps(arguments)))
        return
    number = arguments.processes
    times: dict[str, list[float]] = {"one": [], "several": []}
    for _ in range(arguments.repeats):
        times["one"] += run(arguments, 1, number)
        times["several"] += run(arguments, number, 1)
    figures = {
        "load": os.getloadavg()[0],
        "one_process": statistics.median(times["one"]),
        "several_processes": statistics.median(times["several"]),
        "one_process_least": min(times["one"]),
        "several_processes_least": min(times["several"]),
    }
    if arguments.json:
        print(json.dumps(figures))
        return
    print(
        f"{device_name(torch.device('cpu'))}, torch {torch.__version__}, "
        f"load {figures['load']:.1f}, batch {arguments.batch}, "
        f"{arguments.repeats} x {arguments.steps} iterations"
    )
    for name, label in (
        ("one_process", f"1 process, {number} threads"),
        ("several_processes", f"{number} processes, 1 thread each"),
    ):
        print(f"{label:28} median {figures[name]:.2f} s  least {figures[name + '_least']:.2f} s")


if __name__ == "__main__":
    main()
