"""What the data of a run are, without decoding an image: what a recipe has to fit."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from darts.data.catalogue import KNOWN
from darts.data.folders import LARGE
from darts.data.manifest import Manifest
from darts.data.options import DataOptions
from darts.data.sources import classes_and_size, open_source
from darts.data.subsets import draw_subset
from darts.files import user_path
from darts.settings.adapting import DataFacts, Fitting, said
from darts.system import distributed


def data_facts(options: DataOptions, seed: int) -> DataFacts:
    """The size of the images and their numbers, before --train-images and --test-images.

    A data set with a name, other than digits, need not be on this machine.

    >>> facts = data_facts(DataOptions(dataset="digits"), seed=0)
    >>> facts.size, facts.train, facts.test
    (8, 1442, 355)

    Args:
        options: The data set and which part of it is used.
        seed: Decides the classes that are used, if these are not all.

    Raises:
        UserError: The user's own data are missing or faulty, or an option does not fit them.
    """
    if options.subset is not None:
        parts = [entry.part for entry in Manifest.read(user_path(options.subset)).entries]
        tests = parts.count("test")
        size = classes_and_size(options)[1]
        return DataFacts(options.dataset, size, len(parts) - tests, tests)
    known = KNOWN.get(options.dataset)
    if known is None or not known.files:
        plain = replace(options, train_images=None, train_fraction=None, test_images=None)
        source = draw_subset(open_source(plain), plain, seed)
        size = options.image_size or source.size or LARGE
        return DataFacts(options.dataset, size, len(source.train), len(source.test))
    share = 1.0 if options.classes is None else options.classes / known.classes
    share = share / 2 if options.half else share
    train, test = int(known.train * share), int(known.test * share)
    if options.hold_out > 1:
        train, test = train - train // options.hold_out, train // options.hold_out
    return DataFacts(options.dataset, options.image_size or known.size or LARGE, train, test)


def announce(fitting: Fitting[Any]) -> None:
    """Say in one line on standard error what was changed, once however many processes there are."""
    if fitting.notes and distributed.is_main():
        print(said(fitting.notes), file=sys.stderr)
