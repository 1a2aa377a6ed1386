"""A running mean of the weights, tested beside the weights themselves (FBNetV3, appendix A.5).

mean = decay · mean + (1 - decay) · weights after every step, beginning as a copy of the initial
weights. Running statistics of norms are averaged likewise, so that they fit the mean's weights. The
mean forgets half of the past in 0.69 / (1 - decay) steps: 4,600 for the paper's 0.99985 on
ImageNet, 693 for its 0.999 on CIFAR-10. In a run that is not much longer, the mean lags behind.
"""

from __future__ import annotations

from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


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
