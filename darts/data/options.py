"""Which images a run uses and how they are changed. Torch-free, so that `--help` is instant."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from darts.files import user_path
from darts.settings.options import option


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Which images a run uses, and how they are augmented.

    Args:
        dataset: cifar10, cifar100, svhn, fashion-mnist, imagenet, digits, flowers102, pets,
            food101, cars; folder:PATH (with train/CLASS/* and test/CLASS/* or val/CLASS/*, or with
            CLASS/* alone); csv:FILE (a table with a column of image files and a column of labels);
            or array:FILE.npz (with x_train, y_train, x_test, y_test).
        data_dir: Directory of the named data sets, also for downloads; by default $DARTS_DATA, or
            else ~/.cache/darts/data.
        download: Download a named data set that is missing.
        image_size: Side of the square images that the network sees, in pixels; by default their own
            size, that of most if all are small, else 224.
        classes: Use only this many classes, sampled with the seed; by default all.
        test_part: Which part of a folder is tested on, if it has both: test or val; by default
            test, unless its images have no classes.
        task: Whether an image has one label (single-label) or may have several or none
            (multi-label); by default decided by the labels.
        path_column: Column of a csv: table that names the image files; by default recognised.
        label_columns: Column of a csv: table with the labels, or several columns of 0 and 1, with
            commas between their names; by default recognised.
        part_column: Column of a csv: table that says train, val or test; by default recognised.
        half: Use only the first or the second half of the training images, in file order, so that a
            search and the retraining share none (first gets the smaller half); by default all.
        train_images: Train on this many images, sampled with the seed and balanced over the classes
            as far as possible; by default on all.
        train_fraction: Train on this share of each class, sampled with the seed; ignored if
            --train-images is given; by default on all.
        test_images: Test on this many images, sampled like the training images; by default on all.
        hold_out: Hold out every Nth training image of each class and evaluate on those instead of
            the test set; use it whenever you choose between models. 0: use the test set.
        subset: Use exactly the images of an earlier run, given by its directory or its
            images.jsonl, instead of sampling.
        skip_corrupt: Read all image files once before the start and leave out those that cannot be
            read; by default, the first unreadable file ends the run. Beside --resume, other images
            of the same class take the place of training images that can no longer be read.
        cache: Directory of decoded copies of image files, made once and read from then on; auto
            uses the data directory. A thousand photographs take about 0.6 GB.
        augment: Random changes of training images: cifar crops from a padded image, imagenet crops
            and resizes, none leaves images as they are; auto chooses imagenet for images of at
            least 96 pixels, else cifar.
        auto_augment: In addition, change each training image by RandAugment (two operations of
            strength 9) or AutoAugment (the policy published for cifar10, svhn or imagenet).
        interpolation: How image files are resized, for training, tests and predictions: bilinear or
            bicubic, always with antialiasing.
        background: Colour behind transparent images: white, black or a colour such as #ff8000.
        flip: Mirror training images at random; by default if mirrored images keep their class.
        cutout: Side of the square that is cut out of each training image, in pixels; 0: none.
        color_jitter: Strength of random brightness, contrast and saturation (and half of it for
            hue) in imagenet augmentation; the paper's retraining uses 0.4.
        workers: Number of processes that decode image files.
        memory: Keep a folder's decoded images in memory if they fit into this many GiB.
    """

    dataset: str = "digits"
    data_dir: str | None = option(None, where=True)
    download: bool = option(True, where=True)
    image_size: int | None = option(None, tunable=True)
    classes: int | None = None
    test_part: Literal["test", "val"] | None = option(None, later=True)
    task: Literal["auto", "single-label", "multi-label"] = option("auto", later=True)
    path_column: str | None = option(None, later=True)
    label_columns: str | None = option(None, later=True)
    part_column: str | None = option(None, later=True)
    half: Literal["first", "second"] | None = option(None, later=True)
    train_images: int | None = None
    train_fraction: float | None = None
    test_images: int | None = None
    hold_out: int = 0
    subset: str | None = None
    skip_corrupt: bool = option(False, where=True, resumable=True)
    cache: str | None = option(None, where=True)
    augment: Literal["auto", "cifar", "imagenet", "none"] = option("auto", tunable=True)
    auto_augment: Literal["none", "randaugment", "autoaugment"] = "none"
    interpolation: Literal["bilinear", "bicubic"] = option("bilinear", later=True)
    background: str = option("white", later=True)
    flip: bool | None = option(None, tunable=True)
    cutout: int = option(0, tunable=True)
    color_jitter: float = option(0.0, tunable=True)
    workers: int = option(2, where=True, resumable=True)
    memory: float = option(1.0, where=True)


@dataclass(frozen=True, kw_only=True)
class BalanceOptions:
    """What is done for classes with few images.

    Args:
        class_weights: balanced weights the loss of each image by the inverse of its class's share
            of the training images; with several labels for an image, the loss of having a label by
            the images without it over those with it.
        class_sampling: balanced takes equally many images of each class in an epoch, those of small
            classes several times and of large ones only some.
    """

    class_weights: Literal["none", "balanced"] = option("none", later=True)
    class_sampling: Literal["none", "balanced"] = option("none", later=True)


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
    return user_path(chosen)
