"""A recipe fits itself to the data where the user did not set the value, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from darts.data.facts import data_facts
from darts.data.options import DataOptions
from darts.errors import UserError
from darts.searching.fitting import fit_search, fitted_search
from darts.searching.options import SearchOptions, search_overlay
from darts.settings.adapting import Fitting, fit_batch, fit_cutout
from darts.settings.origins import Origins
from darts.settings.parsing import options_from, parse_options
from darts.training.fitting import fit_training
from darts.training.options import TrainingOptions, training_overlay


@pytest.fixture
def photos(tmp_path: Path) -> str:
    """60 pictures of 8 pixels in two classes: 48 to train, 12 to test."""
    for kind in ("cat", "dog"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        for number in range(30):
            picture = Image.new("RGB", (8, 8), (8 * number, 255 * (kind == "cat"), number))
            picture.save(tmp_path / "photos" / kind / f"{number}.png")
    return f"folder:{tmp_path / 'photos'}"


@pytest.mark.parametrize(("preset", "batch"), [("paper", 8), ("quick", 8), ("smoke", 8)])
def test_presets_take_sixty_images(
    photos: str, preset: str, batch: int, capsys: pytest.CaptureFixture
) -> None:
    options = options_from(
        SearchOptions, {"dataset": photos, "preset": preset}, search_overlay, fit_search
    )
    assert (options.batch_size, options.train_images, options.test_images) == (batch, None, None)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    who = "the default" if preset == "paper" else f"set by --preset {preset}"
    assert "--batch-size 8 instead of" in said
    assert who in said


def test_digits_take_the_papers_retraining(capsys: pytest.CaptureFixture) -> None:
    options = options_from(
        TrainingOptions,
        {"genotype": "darts_v1", "dataset": "digits"},
        training_overlay,
        fit_training,
    )
    assert (options.cutout, options.auxiliary, options.batch_size) == (4, False, 96)
    assert "head needs images of at least 32 pixels, these have 8" in capsys.readouterr().err


def test_nothing_changes_where_all_fits(capsys: pytest.CaptureFixture) -> None:
    for cls, overlay, fit in (
        (SearchOptions, search_overlay, fit_search),
        (TrainingOptions, training_overlay, fit_training),
    ):
        given = {"dataset": "cifar10"}
        assert options_from(cls, given, overlay, fit) == options_from(cls, given, overlay)
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--cutout", "16"], r"--cutout 16 \(set on the command line\): .* 8 pixels.*--image-size"),
        (["--auxiliary"], r"--auxiliary \(set on .*: --image-size 32"),
        (
            ["--batch-size", "2000"],
            r"--batch-size 2000 \(set .*1442 images. Give --batch-size 1442",
        ),
        (["--train-images", "2000"], r"--train-images 2000 \(set .* has 1442 training images"),
    ],
)
def test_what_the_user_set_is_refused_with_a_way_out(flags: list[str], message: str) -> None:
    given = ["--genotype", "darts_v1", "--dataset", "digits", *flags]
    with pytest.raises(UserError, match=message):
        parse_options(
            TrainingOptions, given, prog="evaluate", overlay=training_overlay, fit=fit_training
        )


def test_what_the_user_set_stays_though_other_values_change() -> None:
    given = ["--genotype", "darts_v1", "--dataset", "digits", "--cutout", "2", "--image-size", "32"]
    options = parse_options(
        TrainingOptions, given, prog="evaluate", overlay=training_overlay, fit=fit_training
    )
    assert (options.cutout, options.image_size, options.auxiliary) == (2, 32, True)


def test_the_file_that_set_a_value_is_named(tmp_path: Path) -> None:
    recipe = tmp_path / "own.yaml"
    recipe.write_text("dataset: digits\nbatch_size: 5000\n")
    with pytest.raises(UserError, match=r"--batch-size 5000 \(set in .*own\.yaml\)"):
        parse_options(
            SearchOptions,
            ["--config", str(recipe)],
            prog="search",
            overlay=search_overlay,
            fit=fit_search,
        )


def test_a_warm_up_ends_before_the_run() -> None:
    fitting = fitted_search(SearchOptions(dataset="digits", epochs=10), Origins())
    assert fitting.options.arch_warmup_epochs == 3
    users = Origins(user={"arch_warmup_epochs": "by the caller"})
    assert fitted_search(SearchOptions(epochs=10), users).options.arch_warmup_epochs == 15


def test_a_batch_stays_divisible_and_makes_four_steps() -> None:
    fitting = Fitting(TrainingOptions(batch_size=256), Origins())
    fit_batch(fitting, 100, "the training part", multiple=3)
    assert fitting.options.batch_size == 24
    fit_batch(fitting, 24, "the training part")
    assert len(fitting.notes) == 1  # As large as all images: nothing to change.


def test_a_cutout_becomes_half_the_image() -> None:
    fitting = Fitting(TrainingOptions(), Origins())
    fit_cutout(fitting, 16)
    assert fitting.options.cutout == 8


def test_facts_are_those_of_the_part_that_is_used(photos: str) -> None:
    assert data_facts(DataOptions(dataset=photos), 0).train == 48
    assert data_facts(DataOptions(dataset=photos, hold_out=4), 0).train == 36
    halved = data_facts(DataOptions(dataset="cifar10", half="first", classes=5), 0)
    assert (halved.train, halved.size) == (12_500, 32)
