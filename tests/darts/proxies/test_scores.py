"""Every score against its literal form, against values by hand, and its invariances."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from darts.models.registry import create_network
from darts.proxies.catalogue import SCORES
from darts.proxies.jacobian import epe_nas
from darts.proxies.subject import Batch, Subject
from darts.proxies.zen import zen
from ops.blocks import ConvNorm, SqueezeExcite
from tests.reference import scores as literal

CELL = "|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
LITERAL: dict[str, Callable[[nn.Module, Tensor, Tensor], float]] = {
    "l2_norm": literal.l2_norm,
    "grad_norm": literal.grad_norm,
    "snip": literal.snip,
    "plain": literal.plain,
    "grasp": literal.grasp,
    "fisher": literal.fisher,
    "synflow": literal.synflow,
    "jacov": literal.jacov,
    "epe_nas": literal.epe_nas,
    "nwot": literal.nwot,
}


def stages(generator: torch.Generator) -> nn.Module:
    return create_network(CELL, channels=2, layers=3, num_classes=3, generator=generator)


def darts_cells(generator: torch.Generator) -> nn.Module:
    return create_network("darts_v1", channels=2, layers=3, num_classes=3, generator=generator)


def excited(generator: torch.Generator) -> nn.Module:
    """Biases, ReLUs that overwrite their inputs, and a layer without batch norm."""
    with torch.random.fork_rng([]):
        torch.manual_seed(generator.initial_seed())
        return nn.Sequential(
            ConvNorm(3, 4, 3, stride=2, relu=True),
            SqueezeExcite(4, 2),
            nn.Conv2d(4, 3, 3, groups=1),
            nn.ReLU(inplace=True),
            nn.Flatten(),
            nn.Linear(3 * 2 * 2, 3),
        )


def subject_of(create: Callable[[torch.Generator], nn.Module], size: int = 8) -> Subject:
    generator = torch.Generator().manual_seed(1)
    network = create(generator).double()
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d) and part.affine:
            part.weight.data.uniform_(0.5, 1.5, generator=generator)
            part.bias.data.uniform_(-0.5, 0.5, generator=generator)
    images = torch.randn(6, 3, size, size, generator=generator, dtype=torch.float64)
    return Subject(network, Batch(images, torch.tensor([0, 1, 2, 0, 1, 0]), 3), seed=5)


NETWORKS = (stages, darts_cells, excited)
# The whole Hessian is small enough for one of them only.
PAIRS = [
    (name, create)
    for name in LITERAL
    for create in NETWORKS
    if name != "grasp" or create is excited
]


@pytest.mark.parametrize(("name", "create"), PAIRS)
def test_equals_the_literal_form(name: str, create: Callable[[torch.Generator], nn.Module]) -> None:
    subject = subject_of(create)
    expected = LITERAL[name](
        literal.prepared(subject.network), subject.batch.images, subject.batch.labels
    )
    assert SCORES[name].load()(subject) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_grasp_of_a_network_of_stages_equals_a_central_difference() -> None:
    """H g = d/dt g(w + t g): for one weight vector and direction, without a Hessian."""
    subject = subject_of(stages)
    network, batch = literal.prepared(subject.network), subject.batch
    fixed = literal.weights(network)
    direction = literal.gradients(network, batch.images, batch.labels)

    def slope(step: float) -> float:
        values = {name: w + step * direction[name] for name, w in fixed.items()}
        found = torch.func.grad(lambda v: literal.loss(network, v, batch.images, batch.labels))(
            values
        )
        return sum(float((fixed[name] * found[name]).sum()) for name in fixed)

    expected = -(slope(1e-5) - slope(-1e-5)) / 2e-5
    assert SCORES["grasp"].load()(subject) == pytest.approx(expected, rel=1e-6)


def test_epe_nas_of_many_classes_equals_the_literal_form() -> None:
    subject = subject_of(excited)
    many = Subject(
        subject.network, Batch(subject.batch.images, subject.batch.labels, 101), subject.seed
    )
    expected = literal.epe_nas_of_many_classes(
        literal.prepared(subject.network), subject.batch.images, subject.batch.labels
    )
    assert epe_nas(many) == pytest.approx(expected, rel=1e-9)
    assert epe_nas(many) != pytest.approx(epe_nas(subject))


def test_zen_equals_the_literal_form() -> None:
    subject = subject_of(stages)
    network = literal.prepared(subject.network)

    def maps(images: Tensor) -> Tensor:
        found: list[Tensor] = []
        handle = network.head.register_forward_hook(lambda *given: found.append(given[2]))
        network(images)
        handle.remove()
        return found[0]

    expected = literal.zen(network, subject.batch.images, subject.generator("zen"), maps)
    assert zen(subject) == pytest.approx(expected, rel=1e-9)


def test_values_by_hand_of_two_logits_of_one_number() -> None:
    """w = (1, -1), x = 2, class 0: logits ±2, p = (1 - q, q), ∂L/∂a = (-q, q), g = (-2q, 2q)."""
    layer = nn.Linear(1, 2, bias=False).double()
    layer.weight.data.copy_(torch.tensor([[1.0], [-1.0]]))
    subject = Subject(layer, Batch(torch.tensor([[2.0]]).double(), torch.tensor([0]), 2))
    q = 1 / (1 + math.exp(4))
    expected = {
        "l2_norm": math.sqrt(2),
        "grad_norm": 2 * math.sqrt(2) * q,
        "snip": 4 * q,
        "plain": -4 * q,
        # H = 4 (1 - q) q [[1, -1], [-1, 1]]
        "grasp": 32 * (1 - q) * q**2,
        # a ⊙ ∂L/∂a = (-2q, -2q)
        "fisher": 4 * q**2,
        "synflow": math.log(2),
    }
    for name, value in expected.items():
        assert SCORES[name].load()(subject) == pytest.approx(value, rel=1e-12), name


class Rectified(nn.Module):
    """f(x) = Σ ReLU(x): the gradient of an image is its pattern of positive pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x).sum(dim=1, keepdim=True)


def test_values_by_hand_of_patterns() -> None:
    images = torch.tensor([[1.0, -1.0, 1.0, -1.0], [1.0, 1.0, -1.0, -1.0]]).double()
    network, k = Rectified(), 1e-5
    subject = Subject(network, Batch(images, torch.tensor([1, 1]), 2))
    # The patterns 1010 and 1100 agree in two places and have correlation 0.
    assert SCORES["nwot"].load()(subject) == pytest.approx(math.log(4 * 4 - 2 * 2))
    assert SCORES["jacov"].load()(subject) == pytest.approx(-2 * (math.log1p(k) + 1 / (1 + k)))
    expected = abs(2 * math.log1p(k) + 2 * math.log(k))
    assert SCORES["epe_nas"].load()(subject) == pytest.approx(expected)
    apart = Subject(network, Batch(images, torch.tensor([0, 1]), 2))
    assert SCORES["epe_nas"].load()(apart) == pytest.approx(2 * math.log1p(k))


def with_images(subject: Subject, images: Tensor, labels: Tensor | None = None) -> Subject:
    labels = subject.batch.labels if labels is None else labels
    return Subject(subject.network, Batch(images, labels, 3), subject.seed)


@pytest.mark.parametrize("name", ["synflow", "l2_norm", "zen"])
def test_scores_without_data_ignore_images_and_labels(name: str) -> None:
    subject = subject_of(stages)
    other = with_images(subject, subject.batch.images * 3 + 1, subject.batch.labels.flip(0))
    score = SCORES[name].load()
    assert score(subject) == score(other)


@pytest.mark.parametrize("name", ["grad_norm", "snip", "plain", "grasp"])
def test_the_loss_is_a_mean(name: str) -> None:
    """Every image twice: the same loss, the same statistics, the same gradients."""
    subject = subject_of(stages)
    batch = subject.batch
    twice = with_images(subject, batch.images.repeat(2, 1, 1, 1), batch.labels.repeat(2))
    score = SCORES[name].load()
    assert score(twice) == pytest.approx(score(subject), rel=1e-8)


def test_fisher_falls_with_the_square_of_the_batch() -> None:
    subject = subject_of(stages)
    batch = subject.batch
    twice = with_images(subject, batch.images.repeat(2, 1, 1, 1), batch.labels.repeat(2))
    score = SCORES["fisher"].load()
    assert score(twice) == pytest.approx(score(subject) / 4, rel=1e-8)


def test_scaled_weights() -> None:
    """l2 grows in proportion, log synflow by log(scale) for each layer of the only path."""
    network = nn.Sequential(nn.Conv2d(3, 2, 3, bias=False), nn.ReLU(), nn.Flatten())
    network.append(nn.Linear(2 * 6 * 6, 3, bias=False)).double()
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    before = Subject(network, Batch(images, torch.tensor([0, 1, 2, 0]), 3))
    scaled = copy.deepcopy(network)
    for parameter in scaled.parameters():
        parameter.data *= 3
    after = Subject(scaled, before.batch)
    l2_norm, synflow = SCORES["l2_norm"].load(), SCORES["synflow"].load()
    assert l2_norm(after) == pytest.approx(3 * l2_norm(before))
    assert synflow(after) == pytest.approx(synflow(before) + 2 * math.log(3))


def test_synflow_ignores_signs() -> None:
    subject = subject_of(darts_cells)
    flipped = copy.deepcopy(subject.network)
    for parameter in flipped.parameters():
        parameter.data.neg_()
    score = SCORES["synflow"].load()
    assert score(Subject(flipped, subject.batch)) == score(subject)


def test_synflow_of_no_flow_is_zero() -> None:
    layer = nn.Linear(3, 2, bias=False)
    layer.weight.data.zero_()
    assert SCORES["synflow"].load()(Subject(layer, Batch(torch.ones(1, 3), torch.ones(1), 2))) == 0
