"""Which images a run uses and how they are changed. Torch-free, so that `--help` is instant."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from darts.settings.options import option


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Which images a run uses and how they are changed on their way into the network.

    Args:
        dataset: cifar10, cifar100, svhn, fashion-mnist, imagenet, digits, folder:PATH (it holds
            train/CLASS/* and val/CLASS/* or test/CLASS/*, or CLASS/* alone) or array:FILE.npz (it
            holds x_train, y_train, x_test, y_test).
        data_dir: Directory that holds the named data sets and receives downloads; by default
            $DARTS_DATA or else ~/.cache/darts/data.
        download: Fetch a named data set that is absent.
        image_size: Side of the square images that the network sees, in pixels; by default their
            own, or 224 where they are large or differ.
        classes: Use only this many classes, drawn from the seed; by default all.
        train_images: Train on this many images, drawn from the seed with classes as equal as can
            be; by default on all.
        train_fraction: Train on this share of each class, drawn from the seed, unless
            train_images is given; by default on all.
        test_images: Test on this many images, drawn as train_images; by default on all.
        hold_out: Test on every so-manieth training image of each class, set aside from training,
            instead of on the test images: for choices, which test images must not make; 0 for the
            test images themselves.
        subset: Use exactly the images of an earlier run: its directory, or its images.jsonl.
            Nothing is drawn then.
        skip_corrupt: Read all image files once before the start and leave out those that cannot
            be read; by default the first of them ends the run.
        cache: Directory for decoded copies of image files, made once and read from then on; auto
            is the data directory. They take 0.2 GB a thousand images at 256 pixels.
        augment: Random changes of training images; cifar crops from a padded image, imagenet
            crops and resizes, none leaves them as they are, auto means imagenet from 96 pixels on
            and cifar below.
        auto_augment: Besides, change each training image by RandAugment (two operations of strength
            9) or by AutoAugment (the policy found on cifar10, svhn or imagenet).
        flip: Mirror training images at random; by default where mirror images keep their class.
        cutout: Side in pixels of the square that is blanked in each training image; 0 is none.
        color_jitter: Strength of random brightness, contrast and saturation (and half of it for
            hue) with imagenet augmentation; the paper's retraining uses 0.4.
        workers: Processes that decode image files.
        memory: Folders that fit into this many GiB once decoded are kept in memory.
    """

    dataset: str = "digits"
    data_dir: str | None = option(None, where=True)
    download: bool = option(True, where=True)
    image_size: int | None = option(None, tunable=True)
    classes: int | None = None
    train_images: int | None = None
    train_fraction: float | None = None
    test_images: int | None = None
    hold_out: int = 0
    subset: str | None = None
    skip_corrupt: bool = False
    cache: str | None = option(None, where=True)
    augment: Literal["auto", "cifar", "imagenet", "none"] = option("auto", tunable=True)
    auto_augment: Literal["none", "randaugment", "autoaugment"] = "none"
    flip: bool | None = option(None, tunable=True)
    cutout: int = option(0, tunable=True)
    color_jitter: float = option(0.0, tunable=True)
    workers: int = option(2, where=True, resumable=True)
    memory: float = option(1.0, where=True)


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """How a search divides the training images.

    Args:
        split: How the training images are divided between weights and architecture; balanced
            samples each class in proportion, paper takes the first and the last part in file
            order.
    """

    split: Literal["balanced", "paper"] = "balanced"


def data_directory(data_dir: str | None = None) -> Path:
    """The directory of the named data sets: `data_dir`, $DARTS_DATA or ~/.cache/darts/data."""
    chosen = data_dir or os.environ.get("DARTS_DATA") or "~/.cache/darts/data"
    return Path(chosen).expanduser()
