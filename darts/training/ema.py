"""A running mean of the weights, tested beside the weights themselves (FBNetV3, appendix A.5).

mean = decay · mean + (1 - decay) · weights after every step, beginning as a copy of the initial
weights. Running statistics of norms are averaged likewise, so that they fit the mean's weights. The
mean forgets half of the past in 0.69 / (1 - decay) steps: 4,600 for the paper's 0.99985 on
ImageNet, 693 for its 0.999 on CIFAR-10. A run must be much longer than the mean's memory of
1 / (1 - decay) steps: after 200 steps with 0.9998 the mean still is the initial weights by 96 %.
So the decay can be given by the memory's share of the run instead: the paper's 6,667 steps on
ImageNet are 2.7 % of its 400 epochs in batches of 2,048.
"""

from __future__ import annotations

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

# A mean that is the initial weights by more than this is worth a word.
_STALE = 0.05


def decay_of(share: float, steps: int) -> float:
    """The decay whose memory of 1 / (1 - decay) steps is this share of all steps.

    At the end the initial weights count exp(-1 / share) in the mean. Where the share is a step or
    less, the mean would be the weights themselves: 0, no mean.
    """
    return max(0.0, 1 - 1 / (share * steps)) if share else 0.0


def short_run_warning(decay: float, steps: int) -> str | None:
    """A word to the user where a run of so many steps is too short for the decay."""
    left = decay**steps
    if left <= _STALE:
        return None
    return (
        f"--ema {decay:g}: after {steps:,} steps the running mean is still the initial weights by "
        f"{left:.0%}; --ema-share 0.1 would choose the decay by the length of the run."
    )


def create_average(network: nn.Module, decay: float) -> AveragedModel | None:
    """A copy of `network`, whose `update_parameters(network)` belongs after each step.

    None for the decay 0, which means no mean.
    """
    if decay == 0:
        return None
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
    # Otherwise the first update would copy, and the initial weights would never count.
    average.n_averaged.fill_(1)
    return average.requires_grad_(False)
