"""Advice for a retraining that runs out of memory."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from darts.data.dataset import Dataset
from darts.system import distributed
from darts.system.device import precision_context
from darts.system.memory import SAMPLE, advice, common_remedies, kept_bytes, recompute_remedy
from darts.training.options import TrainingOptions


def memory_advice(options: TrainingOptions, network: nn.Module, dataset: Dataset) -> str:
    """Settings that save memory, and about how much each saves; measured on the CPU."""
    net = copy.deepcopy(network).cpu().float().train()
    size, cpu = dataset.image_size, torch.device("cpu")

    def evaluate() -> Tensor:
        with precision_context(options.precision, cpu):
            logits, auxiliary = net(torch.zeros(SAMPLE, 3, size, size), 0.1, torch.Generator())
        return logits.sum() + (0 if auxiliary is None else auxiliary.sum())

    images = options.batch_size // distributed.world() // options.accumulate
    present = kept_bytes(evaluate, net) / SAMPLE
    remedies = common_remedies(options.batch_size, options.accumulate, images, present)
    if getattr(net, "recompute", None) is False:
        net.recompute = True  # type: ignore[assignment]
        remedies.append(recompute_remedy(kept_bytes(evaluate, net) / SAMPLE))
    return advice(images, present, remedies)
