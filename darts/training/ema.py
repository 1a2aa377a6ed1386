"""An exponential moving average of the weights (FBNetV3, appendix A.5).

After every step

    average = decay · average + (1 - decay) · weights,

starting from a copy of the initial weights. The running statistics of batch norms are averaged in
the same way, so that they fit the averaged weights. Half of the past is forgotten after
0.69 / (1 - decay) steps: 4,600 for the paper's 0.99985 on ImageNet, 693 for its 0.999 on CIFAR-10.
A run must be much longer than the memory of 1 / (1 - decay) steps: after 200 steps with 0.9998 the
initial weights still make up 96 % of the average. Therefore the decay can also be given as the
memory's share of the run: the paper's 6,667 steps on ImageNet are 2.7 % of its 400 epochs in
batches of 2,048.
"""

from __future__ import annotations

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

# Largest share of the initial weights in the final average that needs no warning.
_STALE = 0.05


def decay_of(share: float, steps: int) -> float:
    """The decay whose memory of 1 / (1 - decay) steps is this share of all steps.

    The initial weights have the share exp(-1 / share) in the final average. If the memory is one
    step or less, the average would equal the weights; the result is then 0, no average.

    >>> decay_of(0.03, 10_000)
    0.9966666666666667
    """
    return max(0.0, 1 - 1 / (share * steps)) if share else 0.0


def short_run_warning(decay: float, steps: int) -> str | None:
    """Warning if a run of `steps` steps is too short for this decay, or None."""
    left = decay**steps
    if left <= _STALE:
        return None
    return (
        f"--ema {decay:g}: after {steps:,} steps the initial weights still make up {left:.0%} of "
        "the average; --ema-share 0.1 would choose the decay by the length of the run."
    )


def create_average(network: nn.Module, decay: float) -> AveragedModel | None:
    """A copy of `network` that is updated by `update_parameters(network)` after each step.

    None if the decay is 0, which means no average.
    """
    if decay == 0:
        return None
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    # Otherwise the first update would overwrite the copy of the initial weights.
    average.n_averaged.fill_(1)
    return average.requires_grad_(False)
