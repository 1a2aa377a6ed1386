"""The Fisher score of channels."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor, nn

from darts.proxies.subject import Subject, weight_layers


def fisher(subject: Subject) -> float:
    """Σ over layers and output channels c of  |w_c| · Δ_c.

        Δ_c = ½ · mean over images n of ( Σ over pixels of a ⊙ ∂L/∂a )²

    a `[B, C, H, W]` is the output of a convolution or linear layer before its batch norm, L the
    mean cross-entropy, and |w_c| the number of weights of the channel: every weight gets the value
    of its channel, and all are summed. A layer that is called more than once adds up. Source:
    Theis et al. (arXiv 1801.05787, §2.1) and BlockSwap (arXiv 1906.04113, §3.2), as a score in
    arXiv 2101.08134; conventions of NASLib.

    Each sum is formed as soon as the backward pass reaches the layer, so no gradient is kept.
    """
    copied = subject.copy()
    watches = [_Watch(layer.weight[0].numel()) for layer in weight_layers(copied)]
    for layer, watch in zip(weight_layers(copied), watches, strict=True):
        layer.register_forward_hook(watch.after_forward)
    subject.loss(copied).backward()
    return sum(watch.total for watch in watches)


@dataclass
class _Watch:
    """Adds up the score of one layer.

    Attributes:
        weights_per_channel: Number of weights of an output channel.
        total: The sum so far.
    """

    weights_per_channel: int
    total: float = field(default=0.0, init=False)

    def after_forward(self, layer: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """A forward hook. What follows gets a copy, because a ReLU may overwrite its input."""
        values = (
            output.detach()
        )  # Not `output`, which holds the hook: the cycle would not be freed.

        def add(gradient: Tensor) -> None:
            product = values * gradient
            if product.dim() > 2:
                product = product.flatten(2).sum(2)
            channels = product.square().mean(0) / 2
            self.total += self.weights_per_channel * float(channels.sum())

        if output.requires_grad:
            output.register_hook(add)
        return output.clone()
