"""Options are composed of groups: every command has its flags, each with its default and meaning.

`flags.json` holds the flags of version 0.1.0. A flag may come to it; none may go or change.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from darts.comparing.options import CompareOptions
from darts.data.options import BalanceOptions
from darts.design_space.options import PopulationOptions, recipe_of
from darts.detection.options import DetectionOptions
from darts.joint.options import JointOptions, recipe_names
from darts.methods.parts import PARTS
from darts.settings import parsing
from darts.settings.options import PlaceOptions, RunOptions, StepOptions, names_of, option, tagged
from darts.sweeps.choice_options import ChoiceOptions, ManySearchOptions
from darts.sweeps.repeat_options import ManyTrainingOptions, RepeatOptions
from darts.training.options import training_of
from darts.trials.options import ExecutorOptions, TrialOptions

COMMANDS = {
    "search": ManySearchOptions,
    "evaluate": ManyTrainingOptions,
    "compare": CompareOptions,
    "detect": DetectionOptions,
    "space train": PopulationOptions,
    "joint search": JointOptions,
}
KNOWN = json.loads(Path(__file__).with_name("flags.json").read_text(encoding="utf-8"))

DATA = {
    "half",
    "test_part",
    "task",
    "path_column",
    "label_columns",
    "part_column",
    "interpolation",
    "background",
}

RANGES = {"constrained", "tie_wa", "depth", "bottleneck", "group_width", "w0", "wa", "wm"}

ADDED = {
    # Executor options are the same wherever trials run.
    "joint search": {
        "cpus_per_trial",
        "use",
        "track",
        "pretrained_as",
        *DATA,
        *names_of(BalanceOptions),
    },
    "evaluate": {
        *names_of(RepeatOptions, ExecutorOptions, BalanceOptions),
        "use",
        "track",
        "pretrained_as",
        *DATA,
    },
    "compare": {"use", "track", *DATA, *names_of(BalanceOptions)},
    "detect": {"use", "track", "ema", "averaged", "pyramid_channels", "sync_norm"},
    "space train": {*RANGES, "best_of", "final_epochs", "final_seeds", "use", "track", *DATA},
    "search": {
        *PARTS,
        *names_of(ChoiceOptions, ExecutorOptions),
        "use",
        "track",
        *DATA,
        *names_of(BalanceOptions),
        "space",
        "arch_init_mean",
        "arch_init_std",
        "arch_every",
        "weights_first",
        "nesterov",
        "drop_path",
        "weight_decay_end",
        "eigenvalue_every",
        "alignment_every",
        "table",
    },
}
"""The flags that have come to each command since version 0.1.0."""


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_its_flags_and_defaults(command: str) -> None:
    found = {one.name: one.default for one in fields(COMMANDS[command])}
    plain = json.loads(json.dumps(found))
    wanted = KNOWN["commands"][command]
    assert {name: plain.get(name, "no such flag") for name in wanted} == wanted
    assert set(plain) - set(wanted) == ADDED.get(command, set())


@pytest.mark.parametrize("command", COMMANDS)
def test_defaults_are_as_if_they_had_been_given(command: str) -> None:
    """They are not checked when a command starts, so their types have to be right."""
    cls = COMMANDS[command]
    parser = parsing._parser(cls, "settings")
    checked = parser.parse_object({one.name: one.default for one in fields(cls)}).as_dict()
    plain = vars(cls())
    assert {name: (type(value), value) for name, value in plain.items()} == {
        name: (type(checked[name]), checked[name]) for name in plain
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_what_may_change_beside_resume(command: str) -> None:
    found = set(tagged(COMMANDS[command], "resumable"))
    assert found >= set(KNOWN["resumable"][command])
    executors = set(names_of(ExecutorOptions))
    added = {"compile", "use", "track", "table", "retry_failed", "skip_corrupt"}
    assert found - set(KNOWN["resumable"][command]) <= executors | added


def test_what_a_recipe_may_decide() -> None:
    assert sorted(recipe_names()) == KNOWN["tunable"]


def test_a_tag_holds_where_the_default_is_another() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Group:
        place: str = option("here", where=True)

    @dataclass(frozen=True, kw_only=True)
    class Command(Group):
        place: str = "there"
        what: int = 1

    assert tagged(Command, "where") == ("place",)
    assert names_of(Group, RunOptions) == ("place", "run_dir", "resume")


def test_the_retraining_that_a_population_describes() -> None:
    options = PopulationOptions(epochs=3, dataset="digits", out="there", n=5, device="cpu")
    training = training_of(options, auxiliary=False)
    assert (training.epochs, training.dataset, training.device) == (3, "digits", "cpu")
    assert (training.auxiliary, training.pretrained) == (False, None)


def test_a_populations_recipe_is_not_where_it_is_trained() -> None:
    here, there = (
        PopulationOptions(n=n, device=device, executor=executor)
        for n, device, executor in ((3, "cpu", "in-process"), (9, "cuda", "processes"))
    )
    assert recipe_of(here) == recipe_of(there)
    where = {*names_of(TrialOptions), "device", "threads", "workers", "data_dir", "out", "n"}
    assert not where & set(recipe_of(here))
    assert set(names_of(StepOptions)) <= set(recipe_of(here))
    assert "precision" in names_of(PlaceOptions)
