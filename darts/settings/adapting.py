"""Recipes fit themselves to the data. Torch-free: numbers in, options and sentences out.

A preset, a recipe or a default that the data cannot satisfy is changed, and one line says what was
changed and why. A value that the user set is never changed: the error then names the flag, who set
it, and the setting that resolves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from darts.errors import UserError
from darts.settings.options import names_of
from darts.settings.origins import Origins

Options = TypeVar("Options")

STEPS = 4
"""Steps of an epoch that a batch leaves, if it was larger than all the images."""


@dataclass(frozen=True)
class DataFacts:
    """What a recipe has to fit.

    Attributes:
        name: Name of the data set, for messages.
        size: Side of the images that the network sees, in pixels.
        train: Training images before --train-images.
        test: Test images before --test-images.
    """

    name: str
    size: int
    train: int
    test: int


class Fitting(Generic[Options]):
    """Options that are being fitted, with what has been changed.

    >>> from darts.training.options import TrainingOptions
    >>> fitting = Fitting(TrainingOptions(cutout=16), Origins())
    >>> fitting.require("cutout", 4, "the images have 8 pixels", "Use larger images.")
    >>> fitting.options.cutout, fitting.notes
    (4, ['--cutout 4 instead of 16 (the default): the images have 8 pixels.'])

    Attributes:
        options: The options so far.
        origins: Who set them.
        notes: One sentence for each change.
    """

    def __init__(self, options: Options, origins: Origins) -> None:
        self.options, self.origins = options, origins
        self.notes: list[str] = []

    def value(self, name: str) -> Any:
        """The present value of a setting; None if these options do not have it."""
        return getattr(self.options, name) if self.has(name) else None

    def has(self, name: str) -> bool:
        """Whether these options have a setting of this name."""
        return name in names_of(type(self.options))

    def require(self, name: str, value: Any, because: str, otherwise: str) -> None:
        """Change a setting to `value`.

        Args:
            name: The setting.
            value: What fits.
            because: Why the present value does not fit.
            otherwise: What the user can do, if the user set it.

        Raises:
            UserError: The user set it.
        """
        words = self.origins.words(name)
        if self.origins.is_users(name):
            raise UserError(f"{_written(name, self.value(name))} ({words}): {because}. {otherwise}")
        self.notes.append(
            f"{_written(name, value)} instead of {_shown(self.value(name))} ({words}): {because}."
        )
        self.options = replace(self.options, **{name: value})  # type: ignore[type-var]


def fit_numbers_of_images(fitting: Fitting[Any], facts: DataFacts) -> None:
    """No more training and test images than there are.

    Raises:
        UserError: The user asked for more.
    """
    for name, there, what in (
        ("train_images", facts.train, "training"),
        ("test_images", facts.test, "test"),
    ):
        wanted = fitting.value(name)
        if wanted is not None and wanted > there > 0:
            fitting.require(
                name,
                None,
                f"{facts.name} has {there} {what} images",
                f"Give {there} or fewer, or leave it out for all.",
            )


def images_used(fitting: Fitting[Any], facts: DataFacts) -> int:
    """Number of training images that a run uses."""
    number, share = fitting.value("train_images"), fitting.value("train_fraction")
    if number is not None:
        return min(number, facts.train)
    return facts.train if share is None else int(facts.train * min(max(share, 0.0), 1.0))


def fit_batch(fitting: Fitting[Any], there: int, where: str, multiple: int = 1) -> None:
    """A batch that is no larger than all its images.

    A batch that was too large becomes one of `STEPS` of an epoch, so that the training still
    makes steps.

    Args:
        fitting: The options.
        there: Images that batches are taken from.
        where: What they are called: "the training part".
        multiple: Batches must be divisible by this.

    Raises:
        UserError: The user set the batch size.
    """
    batch = fitting.value("batch_size")
    if not batch or batch <= there or there < multiple:
        return
    smaller = max(min(there, 2 * STEPS), there // STEPS)
    smaller = max(smaller // multiple, 1) * multiple
    more = "use more images"
    if fitting.origins.is_users("train_images"):
        more = "raise --train-images"
    fitting.require(
        "batch_size",
        smaller,
        f"{where} has {there} image{'s' * (there != 1)}",
        f"Give --batch-size {there} or less, or {more}.",
    )


def fit_cutout(fitting: Fitting[Any], size: int) -> None:
    """A cut-out square of half the image's side, as on CIFAR, if it was not smaller than the image.

    Raises:
        UserError: The user set it.
    """
    cutout = fitting.value("cutout")
    if cutout and cutout >= size:
        half = size // 4 * 2
        fitting.require(
            "cutout",
            half,
            f"the images have {size} pixels",
            f"Give --cutout {half} (0 cuts out nothing), or larger images: --image-size "
            f"{2 * cutout}.",
        )


def fit_warm_up(fitting: Fitting[Any], name: str, share: float) -> None:
    """A warm-up that ends before the run does.

    Args:
        fitting: The options.
        name: The setting with the epochs of the warm-up.
        share: Share of the epochs that it gets instead.
    """
    epochs, warm_up = fitting.value("epochs"), fitting.value(name)
    if not epochs or not warm_up or warm_up < epochs or fitting.origins.is_users(name):
        return
    shorter = min(int(epochs * share), epochs - 1)
    fitting.require(name, shorter, f"the run has {_count(epochs, 'epoch')}", "")


def said(notes: Sequence[str]) -> str:
    """The line about all changes; empty if there were none.

    >>> said(["--cutout 4 instead of 16 (the default): the images have 8 pixels."])
    'fitted to the data: --cutout 4 instead of 16 (the default): the images have 8 pixels.'
    """
    return f"fitted to the data: {' '.join(notes)}" if notes else ""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _written(name: str, value: Any) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    return f"--{flag} {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "(all)" if value is None else str(value)
