"""Everything that an iteration reads from outside is in the list of a graph's static inputs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from darts.methods.catalogue import METHODS, create_method
from darts.methods.gradient import LabelledBatch
from darts.runs.optimisers import set_learning_rate
from darts.searching.crossing import Reads, outside_reads, static_inputs
from darts.searching.probe import Probe, SearchSetting, build_probe, random_batch
from tests.darts.searching.settings import tiny_setting


def batches_of(setting: SearchSetting) -> dict[str, LabelledBatch]:
    names = ("training", "validation")
    return {name: random_batch(setting, 8, seed) for seed, name in enumerate(names)}


def reads_of(probe: Probe, batches: dict[str, LabelledBatch]) -> Reads:
    """What a bilevel iteration reads, after some that create the state of the optimisers."""
    for _ in range(2):
        probe.parts.iteration(*batches.values())
    return outside_reads(lambda: probe.parts.iteration(*batches.values()))


def unlisted(probe: Probe, batches: dict[str, LabelledBatch], reads: Reads) -> list[Tensor]:
    """What is read and not listed. Gradients of the last step are dropped, not read."""
    listed = static_inputs(probe.parts.problem, probe.parts.architecture_optimiser, batches)
    places = {tensor.untyped_storage().data_ptr() for tensor in listed.values()}
    return [tensor for place, tensor in reads.outside.items() if place not in places]


RECORDABLE = sorted(
    name
    for name in METHODS
    if create_method(name, edge_normalisation=True, order=1, chosen={}).recordable
)


def test_many_methods_are_recordable() -> None:
    assert {"darts", "pc-darts"} <= set(RECORDABLE)


@pytest.mark.parametrize("method", RECORDABLE)
def test_what_a_step_reads_is_listed(method: str) -> None:
    """Constants apart: tensors of at most a few numbers that no step changes."""
    setting = tiny_setting(method=method, nodes=1, backend="torch")
    probe, batches = build_probe(setting), batches_of(setting)
    reads = reads_of(probe, batches)
    assert len(reads.outside) > 20
    constants = {id(one): one.clone() for one in unlisted(probe, batches, reads)}
    again = reads_of(probe, batches)
    for tensor in unlisted(probe, batches, again):
        assert tensor.numel() <= 64, (method, tensor.shape)
        if id(tensor) in constants:
            assert tensor.equal(constants[id(tensor)]), method


def test_a_tensor_of_somebody_else_is_found() -> None:
    setting = tiny_setting(nodes=1)
    probe, batches = build_probe(setting), batches_of(setting)
    hidden = torch.rand(100)
    usual = probe.parts.problem.supernet.forward

    def forward(images: Tensor, tables: object) -> Tensor:
        return usual(images, tables) + hidden.sum()

    probe.parts.problem.supernet.forward = forward  # type: ignore[method-assign]
    found = unlisted(probe, batches, reads_of(probe, batches))
    assert any(tensor is hidden for tensor in found)


@pytest.mark.parametrize("settings", [{}, {"k": 2, "sampling": "random"}])
def test_no_number_of_a_step_changes_from_epoch_to_epoch(
    settings: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The learning rate is a tensor as on CUDA. Adam is left out: there it is `capturable`."""
    setting = tiny_setting(nodes=1, **settings)
    probe, batches = build_probe(setting), batches_of(setting)
    rates = torch.tensor(0.0)
    for group in probe.parts.weight_optimiser.param_groups:
        group["lr"] = rates
    monkeypatch.setattr(probe.parts.architecture_optimiser, "step", lambda: None)
    set_learning_rate(probe.parts.weight_optimiser, 0.1)
    found = []
    for rate in (0.1, 0.05):
        set_learning_rate(probe.parts.weight_optimiser, rate)
        probe.sample_channels()
        found.append(reads_of(probe, batches).numbers)
    assert found[0] == found[1]
    assert len(found[0]) > 50
