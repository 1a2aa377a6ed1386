"""Settings from Python get the same checks and the same layers as flags."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import darts
from darts.comparing.options import CompareOptions
from darts.design_space.options import PopulationOptions
from darts.errors import UserError
from darts.joint.options import JointOptions
from darts.searching.options import SearchOptions, search_overlay
from darts.settings.parsing import options_from, parse_options
from darts.training.options import TrainingOptions, training_overlay


def test_settings_win_over_the_preset_and_the_preset_over_defaults() -> None:
    options = options_from(
        SearchOptions, {"preset": "smoke", "epochs": 5, "dataset": "digits"}, search_overlay
    )
    assert (options.epochs, options.layers, options.k) == (5, 3, 4)
    assert options.arch_betas == (0.5, 0.999)


@pytest.mark.parametrize("wrong", [[], ["--epochs", "many"]])
def test_the_settings_of_one_command_leave_the_next_alone(wrong: list[str]) -> None:
    def parse(*arguments: str) -> SearchOptions:
        given = ["--dataset", "digits", *arguments]
        return parse_options(SearchOptions, given, prog="search", overlay=search_overlay)

    plain = parse()
    assert parse("--preset", "smoke").epochs != plain.epochs
    if wrong:
        with pytest.raises(UserError, match="--epochs"):
            parse("--preset", "smoke", *wrong)
    assert parse() == plain


def test_a_genotype_brings_its_data_set() -> None:
    options = options_from(TrainingOptions, {"genotype": "nasnet"}, training_overlay)
    assert (options.dataset, options.schedule) == ("cifar10", "cosine")
    options = options_from(TrainingOptions, {"genotype": "pcdarts_imagenet"}, training_overlay)
    assert (options.dataset, options.schedule) == ("imagenet", "linear")
    own = {"genotype": "pcdarts_imagenet", "dataset": "digits"}
    options = options_from(TrainingOptions, own, training_overlay)
    assert (options.dataset, options.schedule) == ("digits", "cosine")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epoch": 3}, r"Unknown setting epoch\. Did you mean 'epochs'\?"),
        ({"epochs": "many"}, "--epochs: expected a whole number, not many"),
        ({"order": 3}, "--order: expected one of 1, 2, not 3"),
        ({"preset": "huge", "dataset": "digits"}, "--preset"),
        ({"method": "enas"}, "--method"),
    ],
)
def test_wrong_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        darts.search(**settings)


@pytest.mark.parametrize(
    "text", [b"a: [", b"", b"- 1", b"a: !!python/object:os.system {}", b"\xff"]
)
def test_broken_settings_of_a_run_are_named(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(text)
    with pytest.raises(UserError, match=r"config\.yaml"):
        options_from(SearchOptions, {"resume": str(tmp_path)}, search_overlay)


@pytest.mark.parametrize(
    "cls", [SearchOptions, TrainingOptions, CompareOptions, PopulationOptions, JointOptions]
)
def test_every_command_knows_its_types(cls: type) -> None:
    # A type that the parser does not find would let anything pass, in all options of a command.
    with pytest.raises(UserError, match="--threads: expected a whole number, not many"):
        options_from(cls, {"threads": "many"}, lambda settings: {})


def test_the_api_is_what_the_package_promises() -> None:
    assert {"search", "evaluate", "compare", "fit", "advise", "sweep"} < set(darts.__all__)
    assert sorted(darts.__all__) == dir(darts)
    for name in darts.__all__:
        function = getattr(darts, name)
        assert f"`{name}`" in str(darts.__doc__)
        assert callable(function), f"darts.{name} is no function"
        assert inspect.getdoc(function)
        # A shell completes settings, so they are named, not hidden behind `**settings`.
        kinds = {one.kind for one in inspect.signature(function).parameters.values()}
        assert name == "sweep" or inspect.Parameter.VAR_KEYWORD not in kinds, name
    assert inspect.signature(darts.search).parameters["batch_size"].default == 256
    assert inspect.signature(darts.fit).parameters["max_macs"].default is None
    assert inspect.signature(darts.evaluate).parameters["batch_size"].default == 96
    assert darts.load_genotype("darts_v1").name == "darts_v1"
    assert callable(darts.evaluate)
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        _ = darts.serach
