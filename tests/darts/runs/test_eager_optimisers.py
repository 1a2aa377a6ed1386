"""Optimisers that do not import PyTorch's compiler take the same steps as PyTorch's own."""

from __future__ import annotations

import copy
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from darts.runs.eager_optimisers import EagerAdam, EagerAdamW, EagerSGD

PAIRS: list[tuple[type[Any], type[Any], dict[str, Any]]] = [
    (EagerSGD, torch.optim.SGD, {"momentum": 0.9, "weight_decay": 0.1, "fused": True}),
    (EagerSGD, torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    (EagerAdam, torch.optim.Adam, {"betas": (0.5, 0.999), "weight_decay": 1e-3}),
    (EagerAdam, torch.optim.Adam, {"fused": True}),
    (EagerAdamW, torch.optim.AdamW, {"weight_decay": 0.2}),
]


@pytest.mark.parametrize(("ours", "theirs", "settings"), PAIRS)
def test_steps_and_states_equal_pytorchs(
    ours: type[Any], theirs: type[Any], settings: dict[str, Any]
) -> None:
    start = torch.randn(7, generator=torch.Generator().manual_seed(0))
    one, other = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    mine, his = ours([one], lr=0.1, **settings), theirs([other], lr=0.1, **settings)
    for _ in range(3):
        for weight, optimiser in ((one, mine), (other, his)):
            optimiser.zero_grad()
            (weight**4).sum().backward()
            optimiser.step()
        # Also after a restore.
        mine.load_state_dict(copy.deepcopy(his.state_dict()))
    assert not torch.equal(one, start)
    assert torch.equal(one, other)
    assert one.grad is not None
    saved, expected = mine.state_dict(), his.state_dict()
    assert saved["param_groups"] == expected["param_groups"]
    for name, value in expected["state"][0].items():
        assert torch.equal(saved["state"][0][name], value)


def test_no_compiler_is_imported() -> None:
    program = (
        "import sys, torch\n"
        "from darts.runs.optimisers import RMSProp, create_adam, create_sgd, restore\n"
        "w = torch.nn.Parameter(torch.ones(2))\n"
        "cpu = torch.device('cpu')\n"
        "sgd = create_sgd([w], learning_rate=.1, momentum=.9, weight_decay=0., device=cpu)\n"
        "adam = create_adam([w], learning_rate=.1, betas=(.5, .9), weight_decay=0., device=cpu)\n"
        "for one in (sgd, adam, RMSProp([w], lr=.1)):\n"
        "    one.zero_grad(); w.sum().backward(); one.step(); restore(one, one.state_dict())\n"
        "print('torch._dynamo' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
