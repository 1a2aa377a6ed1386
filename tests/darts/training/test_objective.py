"""The loss equals its formula: cross entropy, smoothing, auxiliary head and teacher."""

from __future__ import annotations

import pytest
import torch

from darts.targets.single import SINGLE
from darts.training.objective import Objective

LOGITS = torch.tensor([[2.0, 0.0, -1.0]], dtype=torch.float64)
LOGS = LOGITS.log_softmax(1)[0]
LABEL = torch.tensor([0])


def objective(smoothing: float = 0.0, auxiliary: float = 0.4, teacher: float = 0.8) -> Objective:
    return Objective(
        label_smoothing=smoothing, auxiliary_weight=auxiliary, distillation_weight=teacher
    )


def test_label_smoothing_spreads_the_target() -> None:
    expected = -(0.9 * LOGS[0] + 0.1 * LOGS.mean())
    loss, total = objective(0.1)(LOGITS, None, LABEL)
    assert loss.item() == total.item() == pytest.approx(expected.item(), rel=1e-12)


def test_soft_targets_are_smoothed_alike() -> None:
    soft = torch.tensor([[0.7, 0.3, 0.0]], dtype=torch.float64)
    expected = -(0.9 * (0.7 * LOGS[0] + 0.3 * LOGS[1]) + 0.1 * LOGS.mean())
    assert objective(0.1).of_labels(LOGITS, soft).item() == pytest.approx(expected.item())
    hard = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    assert objective().of_labels(LOGITS, hard).item() == pytest.approx(-LOGS[0].item())


def test_a_teacher_takes_its_share_and_the_auxiliary_head_learns_from_labels() -> None:
    teachers = torch.tensor([[1.0, 1.0, 0.0]], dtype=torch.float64)
    auxiliary = torch.tensor([[0.0, 0.0, 0.0]], dtype=torch.float64)
    p = teachers.softmax(1)[0]
    kl = (p * (p.log() - LOGS)).sum().item()
    loss, total = objective()(LOGITS, auxiliary, LABEL, teachers)
    assert loss.item() == pytest.approx(-LOGS[0].item())
    third = torch.tensor(3.0).log().item()
    assert total.item() == pytest.approx(0.8 * kl + 0.2 * loss.item() + 0.4 * third, rel=1e-6)


def test_nothing_is_learnt_from_a_teacher_of_the_same_mind() -> None:
    logits = LOGITS.clone().requires_grad_()
    value = SINGLE.divergence(logits, LOGITS + 3.0)
    value.backward()
    assert value.item() == pytest.approx(0.0, abs=1e-12)
    assert logits.grad is not None
    assert logits.grad.abs().max().item() < 1e-12
