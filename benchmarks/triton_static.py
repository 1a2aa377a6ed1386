"""What can be known of the Triton kernels without a GPU: registers, spills, shared memory.

    python benchmarks/triton_static.py [--json FILE] [--markdown FILE] [--capabilities 80 90 100]
                                       [--precisions fp32 bf16] [--k 4] [--channels 16]

Runs one weight step and one architecture step of the paper's supernet on the CPU with kernels that
only note how they were called, compiles each different call for each kind of GPU and has `ptxas`
report on the result (sm_80: A100, sm_90: H100, sm_100: B200). The numbers that the steps return
mean nothing. The exit code is 1 if a kernel keeps registers in memory (spills), 2 without Triton.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))


import torch
from torch.nn import functional

NAMES = {80: "A100", 90: "H100", 100: "B200"}


@dataclass(frozen=True)
class Launch:
    """One kernel with the types and constants of a call.

    Attributes:
        kernel: The function that `triton.jit` returned.
        signature: The type of each argument by name.
        constants: The values of constants, by position.
        attributes: What is known of arguments, such as divisibility by 16.
        options: Settings of the compiler.
    """

    kernel: Any
    signature: dict[str, Any]
    constants: dict[Any, Any]
    attributes: dict[Any, Any]
    options: dict[str, Any]

    @property
    def key(self) -> str:
        values = (self.kernel.__name__, self.signature, self.constants, self.attributes)
        return repr(values)


@dataclass(frozen=True)
class Resources:
    """What one compiled kernel needs.

    Attributes:
        kernel: Its name.
        constants: The constants by which its forms differ.
        precision: Precision of the step that launches it.
        capability: The kind of GPU.
        warps: Warps of a program.
        registers: Registers of a thread.
        spilled: Bytes of a thread that are stored to memory because registers do not suffice.
        shared: Bytes of shared memory of a program.
    """

    kernel: str
    constants: dict[str, Any]
    precision: str
    capability: int
    warps: int
    registers: int
    spilled: int
    shared: int


def note_launches(work: Callable[[], None], capability: int = 90) -> list[Launch]:
    """Run `work` with kernels that do nothing, and return their calls in order."""
    from triton.backends.compiler import GPUTarget
    from triton.compiler import make_backend
    from triton.runtime.jit import JITFunction, create_function_from_signature

    backend = make_backend(GPUTarget("cuda", capability, 32))
    noted: list[Launch] = []

    def run(self: Any, *arguments: Any, grid: Any, warmup: bool, **keywords: Any) -> None:
        bind = create_function_from_signature(self.signature, self.params, backend)
        bound, specialization, options = bind(*arguments, **keywords)
        packed = self._pack_args(backend, keywords, bound, specialization, options)
        options, signature, constants, attributes = packed
        noted.append(Launch(self, signature, constants, attributes, dict(options.__dict__)))

    usual, JITFunction.run = JITFunction.run, run
    try:
        work()
    finally:
        JITFunction.run = usual
    return noted


def steps_of(options: argparse.Namespace, precision: str, device: str = "cpu") -> None:
    """One weight step and one architecture step of a supernet, forward and backward."""
    from cells.topology import Topology
    from darts.methods.architecture import Architecture
    from darts.methods.gradient import Frozen
    from darts.searching.supernet import Supernet
    from genotypes import SPACES

    architecture = Architecture(Topology(options.nodes), generator=torch.Generator())
    supernet = Supernet(
        Topology(options.nodes),
        SPACES["darts"].operations,
        channels=options.channels,
        layers=options.layers,
        k=options.k,
        backend="triton",
        device="cpu",
    )
    supernet = supernet.to(device).to(memory_format=torch.channels_last)
    architecture = architecture.to(device)
    images = torch.zeros(options.batch, 3, options.size, options.size, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.zeros(options.batch, dtype=torch.long, device=device)
    autocast = torch.autocast("cpu", dtype=torch.bfloat16) if precision == "bf16" else nullcontext()
    with autocast:
        loss = functional.cross_entropy(supernet(images, architecture.fixed_tables()), labels)
    loss.backward()
    with Frozen(supernet):
        with autocast:
            loss = functional.cross_entropy(supernet(images, architecture.tables()), labels)
        torch.autograd.grad(loss, list(architecture.parameters()))


def compiled(launch: Launch, precision: str, capability: int) -> Resources:
    """Compile one kernel and read what `ptxas` says of it."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    source = ASTSource(launch.kernel, launch.signature, launch.constants, launch.attributes)
    target = GPUTarget("cuda", capability, 32)
    options = {"num_warps": launch.options["num_warps"]}
    made = triton.compile(source, target=target, options=options)
    registers, spilled = assembled(made.asm["ptx"], capability)
    names = list(launch.signature)
    shown = {
        names[path[0]]: value
        for path, value in launch.constants.items()
        if len(path) == 1 and isinstance(value, bool | int | tuple)
    }
    return Resources(
        launch.kernel.__name__,
        shown,
        precision,
        capability,
        made.metadata.num_warps,
        registers,
        spilled,
        made.metadata.shared,
    )


def assembled(ptx: str, capability: int) -> tuple[int, int]:
    """Registers of a thread and bytes that it spills, as `ptxas` reports them."""
    import triton

    name = "ptxas-blackwell" if capability >= 100 else "ptxas"
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / name
    # Hopper and later have instructions of their own, marked by an a.
    found = re.search(r"^\.target\s+(\w+)", ptx, re.MULTILINE)
    target = found.group(1) if found else f"sm_{capability}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "kernel.ptx"
        file.write_text(ptx)
        command = [str(tool), "-v", f"--gpu-name={target}", str(file), "-o", f"{folder}/cubin"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return read_report(done.stdout + done.stderr)


def read_report(text: str) -> tuple[int, int]:
    """Registers and spilled bytes in a report of `ptxas -v`.

    >>> read_report("0 bytes stack frame, 8 bytes spill stores, 4 bytes spill loads\\n"
    ...             "ptxas info    : Used 40 registers, used 1 barriers")
    (40, 8)
    """
    registers = re.search(r"Used (\d+) registers", text)
    spills = re.search(r"(\d+) bytes spill stores", text)
    if registers is None:
        raise ValueError(f"ptxas says nothing of registers: {text.strip()[:200]}")
    return int(registers.group(1)), int(spills.group(1)) if spills else 0


def as_markdown(found: list[Resources]) -> str:
    """One row per kernel, precision and kind of GPU: the largest of all its forms."""
    lines = [
        "| kernel | precision | GPU | forms | warps | registers | spilled | shared memory |",
        "|---|---|---|---|---|---|---|---|",
    ]
    groups: dict[tuple[str, str, int], list[Resources]] = {}
    for one in found:
        groups.setdefault((one.kernel, one.precision, one.capability), []).append(one)
    for (kernel, precision, capability), forms in sorted(groups.items()):
        registers = [one.registers for one in forms]
        lines.append(
            f"| `{kernel}` | {precision} | sm_{capability} | {len(forms)} | "
            f"{max(one.warps for one in forms)} | {min(registers)}–{max(registers)} | "
            f"{max(one.spilled for one in forms)} | {max(one.shared for one in forms)} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--k", type=int, default=4)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=32, help="height and width of the images")
    parser.add_argument("--capabilities", type=int, nargs="*", default=sorted(NAMES))
    parser.add_argument("--precisions", nargs="*", choices=("fp32", "bf16"), default=["bf16"])
    parser.add_argument("--kernels", nargs="*", help="only these")
    parser.add_argument("--json", help="file for all figures")
    parser.add_argument("--markdown", help="file for the table")
    options = parser.parse_args()
    # Kernels have to be defined for a GPU, and then the engine has to take tensors of the CPU.
    os.environ.pop("TRITON_INTERPRET", None)
    try:
        import ops.triton.cell  # noqa: F401
    except ImportError as error:
        print(f"Nothing was compiled: {error}.", file=sys.stderr)
        return 2
    os.environ["TRITON_INTERPRET"] = "1"
    found: list[Resources] = []
    launches: dict[str, int] = {}
    for precision in options.precisions:
        noted = note_launches(lambda: steps_of(options, precision))  # noqa: B023
        launches[precision] = len(noted)
        different = {launch.key: launch for launch in noted}
        chosen = [
            launch
            for launch in different.values()
            if not options.kernels or launch.kernel.__name__ in options.kernels
        ]
        counts = Counter(launch.kernel.__name__ for launch in chosen)
        print(f"{precision}: {len(noted)} launches, forms: {dict(counts)}", file=sys.stderr)
        for launch in chosen:
            found += [compiled(launch, precision, each) for each in options.capabilities]
    table = as_markdown(found)
    print(table)
    if options.markdown:
        Path(options.markdown).write_text(table + "\n")
    if options.json:
        content = {"launches": launches, "kernels": [asdict(one) for one in found]}
        Path(options.json).write_text(json.dumps(content, indent=1))
    return 1 if any(one.spilled for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
