"""A predictor of accuracy that is pretrained on costs (FBNetV3, arXiv 2006.02049, §4 and A.3).

The features of an architecture pass through an embedding layer. The proxy head predicts
multiply-adds and parameters from the embedding alone. One hidden layer and the accuracy head
predict the accuracy from the embedding and the features of the recipe. Costs are known without
training, so the embedding has seen thousands of architectures before the first accuracy is
measured.

The paper gives the width of the embedding (24), the epochs (50 with a frozen embedding, then 50
with all layers at a reduced learning rate) and the Huber loss with δ = 1. It gives neither the
activation, the hidden width, the optimiser nor the learning rates; these are choices of this
implementation. So is the scale of the targets. Logarithms of costs are scaled by mean and standard
deviation. Accuracies are scaled by median and median absolute deviation, because a few trainings
that failed to learn would inflate a standard deviation and thereby the effective δ.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from darts.errors import UserError, in_one_line
from darts.files import atomic_write
from darts.joint.costs import Costs
from darts.joint.problem import Problem
from darts.joint.space import Space
from darts.joint.space_file import describe_space, parse_space
from darts.joint.variables import Floats
from darts.runs.eager_optimisers import EagerAdam
from darts.statistics.ranks import spearman

EMBEDDING = 24
HIDDEN = 24
PROXIES = ("macs", "params")
_BLOCK = 8192  # Candidates that are predicted at once.


class Predictor(nn.Module):
    """Maps features `[B, architecture]` and `[B, recipe]` to standardised accuracies `[B]`.

        e = hardswish(W₁ x_architecture + b₁)
        proxies = W₂ e + b₂
        accuracy = W₄ hardswish(W₃ [e, x_recipe] + b₃) + b₄

    FBNetV3 (arXiv 2006.02049), §4; the activation and the hidden width are choices of ours.

    >>> predictor = Predictor(architecture=6, recipe=3, generator=torch.Generator().manual_seed(0))
    >>> predictor(torch.zeros(2, 6), torch.zeros(2, 3)).shape
    torch.Size([2])

    Args:
        architecture: Number of features of an architecture.
        recipe: Number of features of a recipe.
        generator: Random stream of the initial weights.
    """

    def __init__(self, architecture: int, recipe: int, generator: torch.Generator) -> None:
        super().__init__()
        self.widths = {"architecture": architecture, "recipe": recipe}
        self.embedding = nn.Linear(architecture, EMBEDDING)
        self.proxy_head = nn.Linear(EMBEDDING, len(PROXIES))
        self.hidden = nn.Linear(EMBEDDING + recipe, HIDDEN)
        self.accuracy_head = nn.Linear(HIDDEN, 1)
        # Centre and scale of the targets: logarithms of costs, accuracy in %.
        self.proxy_scale: Tensor
        self.accuracy_scale: Tensor
        self.register_buffer("proxy_scale", torch.tensor([[0.0, 1.0]] * len(PROXIES)).double())
        self.register_buffer("accuracy_scale", torch.tensor([0.0, 1.0]).double())
        with torch.no_grad():
            for layer in (self.embedding, self.proxy_head, self.hidden, self.accuracy_head):
                bound = 1 / math.sqrt(max(layer.in_features, 1))
                for parameter in layer.parameters():
                    parameter.uniform_(-bound, bound, generator=generator)

    def embed(self, architecture: Tensor) -> Tensor:
        """Embed features of architectures `[B, architecture]` as `[B, 24]`."""
        return functional.hardswish(self.embedding(architecture))

    def proxies(self, architecture: Tensor) -> Tensor:
        """Predict the standardised logarithms of multiply-adds and parameters `[B, 2]`."""
        return self.proxy_head(self.embed(architecture))

    def forward(self, architecture: Tensor, recipe: Tensor) -> Tensor:
        """Predict standardised accuracies `[B]`."""
        joined = torch.cat([self.embed(architecture), recipe], dim=1)
        return self.accuracy_head(functional.hardswish(self.hidden(joined))).squeeze(1)


@dataclass(frozen=True, kw_only=True)
class PretrainingReport:
    """Quality of the predicted costs on the fifth of the pool that was held out.

    Attributes:
        correlation: Pearson correlation of predicted and true logarithms, for each cost.
        rank_correlation: Spearman correlation, for each cost.
        architectures: Number of architectures held out.
    """

    correlation: Mapping[str, float]
    rank_correlation: Mapping[str, float]
    architectures: int


def create_predictor(space: Space, generator: torch.Generator) -> Predictor:
    """Create a predictor with random weights for a space."""
    return Predictor(space.width("architecture"), space.width("recipe"), generator)


def pretrain_predictor(
    predictor: Predictor,
    architecture: Floats,
    costs: Costs,
    generator: torch.Generator,
    *,
    epochs: int = 40,
    learning_rate: float = 0.01,
) -> PretrainingReport:
    """Train the embedding and the proxy head, in place, on the costs of architectures.

    The loss is the Huber loss of standardised logarithms. The training uses four fifths of the
    architectures, chosen at random; the report is on the other fifth.

    Args:
        predictor: The predictor to train.
        architecture: Features `[N, architecture]`.
        costs: Costs of the N architectures.
        generator: Random stream of the split and of the order of batches.
        epochs: Number of epochs.
        learning_rate: Initial learning rate of Adam, which falls along a cosine.
    """
    values = np.log(np.stack([costs.macs, costs.params], axis=1))
    order = torch.randperm(len(values), generator=generator)
    learnt, held = order[: len(values) * 4 // 5], order[len(values) * 4 // 5 :]
    features = torch.from_numpy(architecture).float()
    scale = _scale(torch.from_numpy(values)[learnt])
    predictor.proxy_scale.copy_(scale)
    targets = ((torch.from_numpy(values) - scale[:, 0]) / scale[:, 1]).float()
    parameters = [*predictor.embedding.parameters(), *predictor.proxy_head.parameters()]
    optimiser = EagerAdam(parameters, lr=learning_rate, fused=True)
    for epoch in range(epochs):
        _set_rate(optimiser, learning_rate * (1 + math.cos(math.pi * epoch / epochs)) / 2)
        shuffled = learnt[torch.randperm(len(learnt), generator=generator)]
        for batch in shuffled.split(256):
            loss = functional.huber_loss(predictor.proxies(features[batch]), targets[batch])
            _step(optimiser, loss)
    with torch.no_grad():
        predicted = predictor.proxies(features[held]).numpy()
    true = targets[held].numpy()
    pairs = {name: (predicted[:, i], true[:, i]) for i, name in enumerate(PROXIES)}
    return PretrainingReport(
        correlation={name: float(np.corrcoef(*pair)[0, 1]) for name, pair in pairs.items()},
        rank_correlation={name: spearman(*pair) for name, pair in pairs.items()},
        architectures=len(held),
    )


def fit_predictor(
    predictor: Predictor,
    architecture: Floats,
    recipe: Floats,
    accuracies: Floats,
    generator: torch.Generator,
    *,
    frozen_epochs: int = 50,
    epochs: int = 50,
    batch_size: int = 8,
    learning_rate: float = 0.01,
    reduced_rate: float = 0.001,
) -> Predictor:
    """Return a copy of the predictor that is fitted to measured accuracies.

    First the embedding is frozen; then all layers are trained at the reduced learning rate.

    Args:
        predictor: The pretrained predictor, which stays unchanged.
        architecture: Features `[N, architecture]`.
        recipe: Features `[N, recipe]`.
        accuracies: Accuracies (%) `[N]`.
        generator: Random stream of the order of batches.
        frozen_epochs: Epochs with a frozen embedding.
        epochs: Epochs of all layers.
        batch_size: Candidates per step.
        learning_rate: Learning rate of Adam while the embedding is frozen.
        reduced_rate: Learning rate of Adam for all layers.
    """
    predictor = copy.deepcopy(predictor)
    values = torch.from_numpy(np.asarray(accuracies, np.float64))
    scale = _robust_scale(values)
    predictor.accuracy_scale.copy_(scale)
    targets = ((values - scale[0]) / scale[1]).float()
    inputs = torch.from_numpy(architecture).float(), torch.from_numpy(recipe).float()
    heads = [*predictor.hidden.parameters(), *predictor.accuracy_head.parameters()]
    phases = (
        (heads, frozen_epochs, learning_rate),
        ([*predictor.embedding.parameters(), *heads], epochs, reduced_rate),
    )
    for parameters, phase_epochs, rate in phases:
        optimiser = EagerAdam(parameters, lr=rate, fused=True)
        for _ in range(phase_epochs):
            for batch in torch.randperm(len(values), generator=generator).split(batch_size):
                predicted = predictor(*(block[batch] for block in inputs))
                _step(optimiser, functional.huber_loss(predicted, targets[batch]))
    return predictor


@torch.no_grad()
def predict_accuracies(predictor: Predictor, architecture: Floats, recipe: Floats) -> Floats:
    """Predict accuracies (%) `[N]` from features `[N, architecture]` and `[N, recipe]`."""
    inputs = torch.from_numpy(architecture).float(), torch.from_numpy(recipe).float()
    blocks = [
        predictor(*pair).double() for pair in zip(*(i.split(_BLOCK) for i in inputs), strict=True)
    ]
    mean, deviation = predictor.accuracy_scale
    return (torch.cat(blocks) * deviation + mean).numpy()


@torch.no_grad()
def predict_costs(predictor: Predictor, architecture: Floats) -> Costs:
    """Predict costs of architectures from features `[N, architecture]`."""
    proxies = predictor.proxies(torch.from_numpy(architecture).float()).double()
    scale = predictor.proxy_scale
    macs, params = (proxies * scale[:, 1] + scale[:, 0]).exp().T.numpy()
    return Costs(macs, params)


class Scorer:
    """Maps genes `[N, variables]` of a space to predicted accuracies (%) `[N]`.

    Args:
        problem: The problem whose space the genes belong to.
        predictor: The predictor of that space.
    """

    def __init__(self, problem: Problem, predictor: Predictor) -> None:
        self.space, self.predictor = problem.space, predictor

    def __call__(self, genes: Floats) -> Floats:
        space = self.space
        return predict_accuracies(
            self.predictor, space.features(genes, "architecture"), space.features(genes, "recipe")
        )


def save_predictor(predictor: Predictor, space: Space, path: Path | str) -> None:
    """Save a predictor and its space in one file."""
    with atomic_write(path, "wb") as stream:
        torch.save({"space": describe_space(space), "state": predictor.state_dict()}, stream)


def load_predictor(path: Path | str) -> tuple[Predictor, Space]:
    """Load a file that `save_predictor` wrote.

    Raises:
        UserError: There is no such file, or it does not contain a predictor.
    """
    try:
        saved: Mapping[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        space = parse_space(saved["space"])
        predictor = create_predictor(space, torch.Generator())
        predictor.load_state_dict(saved["state"])
    except FileNotFoundError:
        raise UserError(
            f"There is no predictor {path}. A joint search writes one after its first round."
        ) from None
    except Exception as error:
        reason = in_one_line(error)[:200]
        raise UserError(f"{path} is not a predictor of a joint search ({reason}).") from None
    return predictor, space


def _scale(values: Tensor) -> Tensor:
    """Mean and standard deviation `[columns, 2]` of values `[N, columns]`; 0 is replaced by 1."""
    deviation = values.std(dim=0, correction=0)
    return torch.stack([values.mean(dim=0), torch.where(deviation > 0, deviation, 1.0)], dim=1)


def _robust_scale(values: Tensor) -> Tensor:
    """Median and scaled median absolute deviation `[2]` of values `[N]`, or `_scale` if it is 0.

    The factor 1.4826 makes the deviation of a normal distribution its standard deviation.
    """
    median = values.median()
    deviation = 1.4826 * (values - median).abs().median()
    if deviation == 0:
        return _scale(values[:, None])[0]
    return torch.stack([median, deviation])


def _step(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
