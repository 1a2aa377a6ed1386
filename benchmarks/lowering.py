"""Time of a depthwise and a pointwise convolution against one dense convolution.

    python benchmarks/lowering.py [--batch 64] [--threads 2] [--device cpu]

Both forms compute the same numbers (ops/fused/branches.py). The benchmark times forward and
backward on the shapes of a supernet, to choose the limits DENSE_UP_TO and GROUPED_DENSE_UP_TO. The
two forms are timed in turn; the output has the median of the paired ratios. Ratios below 1 favour
the dense form. On a CPU the forms differ only in the gradients of the kernels
(ops/fused/separable.py).
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from darts.system.device import device_name, resolve_device, synchronise
from ops.fused.branches import SeparableFan

EDGES = 4
# (channels of a mixed operation, image size): K = 4 and K = 1 with C = 16 on CIFAR.
SHAPES = ((2, 32), (4, 32), (8, 16), (16, 8), (16, 32), (32, 16), (64, 8))


def seconds(fan: SeparableFan, x: torch.Tensor) -> float:
    synchronise(x.device)
    start = time.perf_counter()
    fan(x).sum().backward()
    synchronise(x.device)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = resolve_device(arguments.device)
    print(
        f"{device_name(device)}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"batch {arguments.batch}, {EDGES} edges, channels_last, {arguments.repeats} repeats"
    )
    print("channels  side  kernel  dilation  input     dense/separate  dense ms")
    for channels, side in SHAPES:
        for kernel, dilation in ((3, 1), (5, 1), (3, 2), (5, 2)):
            for shared in (True, False):
                if not shared and dilation == 2:
                    continue  # Dilated convolutions have no second half.
                fan = SeparableFan(channels, EDGES, kernel, 1, dilation, shared=shared)
                fan = fan.to(device, memory_format=torch.channels_last)
                width = channels if shared else EDGES * channels
                x = torch.randn(arguments.batch, width, side, side, device=device)
                x = x.to(memory_format=torch.channels_last).requires_grad_()
                ratio, fastest = compare(fan, x, arguments.repeats)
                print(
                    f"{channels:8}  {side:4}  {kernel:6}  {dilation:8}  "
                    f"{'shared' if shared else 'per edge':8}  {ratio:14.2f}  {1e3 * fastest:8.1f}"
                )


def compare(fan: SeparableFan, x: torch.Tensor, repeats: int) -> tuple[float, float]:
    """Median ratio of dense to separate times, and the best time of the dense form."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for repeat in range(repeats + 1):
        for dense in (True, False):
            fan.dense = dense
            taken = seconds(fan, x)
            if repeat:
                times[dense].append(taken)
    ratios = [a / b for a, b in zip(times[True], times[False], strict=True)]
    return statistics.median(ratios), min(times[True])


if __name__ == "__main__":
    main()
