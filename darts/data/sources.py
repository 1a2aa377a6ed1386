"""Open a data set by its name: the entry point of this package."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from darts.data.arrays import open_array
from darts.data.augmentation import policy_of, stored_size
from darts.data.cache import cached
from darts.data.catalogue import KNOWN, find, missing_error
from darts.data.corrupt import without_unreadable
from darts.data.dataset import Dataset, Files, ImageSet
from darts.data.digits import open_digits
from darts.data.folders import LARGE, open_folder
from darts.data.manifest import Manifest, below
from darts.data.named import ensure_present, open_named
from darts.data.options import DataOptions, data_directory
from darts.data.photograph_sets import PHOTOGRAPH_SETS, open_photographs
from darts.data.pixels import Decoding, colour
from darts.data.source import Source
from darts.data.splits import file_half, hold_out, small_class_notes
from darts.data.statistics import with_statistics
from darts.data.streaming import ImageFiles
from darts.data.subsets import apply_manifest, check_classes, draw_subset, recorded_halves
from darts.data.substitutes import with_substitutes
from darts.data.tables.columns import ColumnChoice
from darts.data.tables.open import TableChoice, open_table
from darts.data.whole_images import cached_whole, expected_bytes, in_memory
from darts.errors import UserError, closest
from darts.files import user_path
from darts.run_files import RunFiles
from darts.system import distributed

GIB = 2**30
# Kinds of data sets by what they are read from; the kind of a folder has no suffix.
_KINDS = {"": "folder", ".npz": "array", ".csv": "csv"}


def open_dataset(
    options: DataOptions,
    seed: int = 0,
    device: torch.device | str = "cpu",
    *,
    run: str | None = None,
    test: bool = True,
) -> Dataset:
    """Open the data set that `options` names.

    Without published statistics, mean and standard deviation are computed from all training images;
    a search recomputes them with `statistics.with_statistics` from its images for the weights.

    >>> open_dataset(DataOptions(dataset="digits")).num_classes
    10

    Args:
        options: Name of the data set, subset, sizes and cache.
        seed: Seed of the subset; nothing else depends on it.
        device: Where images that fit into memory are stored.
        run: Directory of a run to resume, whose list of image files is used.
        test: Whether the test images will be used, and are therefore decoded in advance.

    Raises:
        UserError: The data set is unknown, missing or faulty, or an option does not fit it.
    """
    source, files = _apply_subset(open_source(options), options, seed, run, test)
    if source.tested and distributed.is_main():
        for sentence in source.sentences(test):
            print(f"data: {sentence}", file=sys.stderr)
    size = options.image_size or source.size
    if size is None:
        raise UserError(f"the images of {options.dataset} are not square: give --image-size")
    policy = policy_of(options.augment, size)
    stored = stored_size(size, policy)
    how = Decoding(
        whole=policy == "imagenet" and isinstance(source.train, ImageFiles),
        interpolation=options.interpolation,
        background=colour(options.background),
    )
    dataset = Dataset(
        name=options.dataset,
        classes=source.classes,
        image_size=size,
        stored_size=stored,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        measured=source.statistics is None,
        flip=source.flip if options.flip is None else options.flip,
        train=_resize_and_cache(source, source.train, stored, how, options),
        test=_resize_and_cache(source, source.test, stored, how, options) if test else source.test,
        files=files,
        target=source.target,
        decoding=how,
    )
    if source.statistics is not None:
        dataset = replace(dataset, mean=source.statistics[0], std=source.statistics[1])
    return with_statistics(dataset.to(device))


def open_source(options: DataOptions) -> Source:
    """The data set as it is on disk, before images are resized or a subset is chosen.

    No image is decoded, unless the data set is one file.

    Raises:
        UserError: The data set is unknown, missing or faulty.
    """
    return _hold_out(options)


def dataset_of(text: str) -> str:
    """The data set that a path or name stands for, as the option `dataset` has it.

    >>> dataset_of("digits"), dataset_of("folder:photos")
    ('digits', 'folder:photos')

    Args:
        text: A name, a folder, a file such as images.npz, or any value of `dataset`.

    Raises:
        UserError: There is no such folder or file, and no data set of this name.
    """
    kind, colon, _ = text.partition(":")
    path = user_path(text)
    if text in KNOWN or (colon and kind in _KINDS.values()):
        return text
    if path.is_dir():
        return f"folder:{text}"
    if path.is_file() and path.suffix and path.suffix.lower() in _KINDS:
        return f"{_KINDS[path.suffix.lower()]}:{text}"
    raise UserError(
        f"{text}: there is no such folder or file, and no data set of this name."
        f"{closest(text, KNOWN)} Give a "
        f"folder of images, a file ({' or '.join(filter(None, _KINDS))}), or one of "
        f"{', '.join(KNOWN)}."
    )


def _apply_subset(
    source: Source, options: DataOptions, seed: int, run: str | None, test: bool
) -> tuple[Source, Files | None]:
    """Return the subset of `source` that the run uses and, for image files, the list of files."""
    listed = _manifest_path(options.subset, run)
    skipped: tuple[str, ...] = ()
    halves = None
    if listed is None:
        sizes = len(source.train), len(source.test)
        source = draw_subset(source, options, seed)
        own = options.dataset not in KNOWN
        kept = own or bool(options.half) or sizes != (len(source.train), len(source.test))
        if options.skip_corrupt:
            source, skipped = without_unreadable(source, test)
    else:
        manifest, kept = Manifest.read(listed), True
        if options.skip_corrupt and run is not None:
            check_classes(source, manifest, str(listed))
            manifest = distributed.from_main(partial(_repaired, source, manifest, listed))
        source = apply_manifest(source, manifest, str(listed))
        if options.skip_corrupt and run is None:
            source, skipped = without_unreadable(source, test)
            manifest = manifest.without({below(source.folder, path) for path in skipped})
        skipped = tuple(str(source.folder / path) for path in manifest.skipped)
        halves = recorded_halves(manifest)
    if not isinstance(source.train, ImageFiles) or not isinstance(source.test, ImageFiles):
        return source, None
    return source, Files(
        root=source.folder,
        train=source.train.paths,
        test=source.test.paths,
        skipped=skipped,
        halves=halves,
        size=source.size,
        listed=kept or bool(skipped),
    )


def _repaired(source: Source, manifest: Manifest, listed: Path) -> Manifest:
    """The list with substitutes, written down; its new date says until when images were checked."""
    manifest = with_substitutes(source, manifest, listed)
    manifest.write(listed)
    return manifest


def classes_and_size(options: DataOptions) -> tuple[int, int]:
    """Return the number of classes and the image size of a run with these options.

    No image is decoded. A data set with a name need not be on this machine.

    >>> classes_and_size(DataOptions(dataset="cifar10", classes=5))
    (5, 32)

    Raises:
        UserError: The user's own data are missing or faulty.
    """
    known = KNOWN.get(options.dataset)
    found = known and find(options.dataset, data_directory(options.data_dir))
    if known is not None and (known.size is not None or found is None):
        classes, size = known.classes, known.size
    else:
        source = _open(options)
        classes, size = len(source.classes), source.size
    if options.subset is not None:
        classes = len(Manifest.read(Path(options.subset)).classes)
    elif options.classes is not None:
        classes = options.classes
    return classes, options.image_size or size or LARGE


def _hold_out(options: DataOptions) -> Source:
    """Open the data set, or one half of its training images.

    With `hold_out`, held-out training images replace the test images.
    """
    source, every = _open(options), options.hold_out
    if options.task not in ("auto", source.target.kind):
        raise UserError(
            f"--task {options.task}: in {options.dataset} each image has exactly one class."
        )
    if options.half is not None:
        chosen = file_half(source.train.labels, options.half, options.dataset, source.classes)
        source = replace(source, train=source.train.subset(chosen))
    if every == 0:
        return source
    if every < 2:
        raise UserError(f"hold_out {every}: it must be 0, or 2 or more to hold out every Nth image")
    labels = source.train.labels
    ours, theirs = hold_out(labels, every)
    notes = (*source.notes, *small_class_notes(labels, source.classes, every))
    train, test = source.train.subset(ours), source.train.subset(theirs)
    words = "training images that are held out" if source.tested else ""
    return replace(source, train=train, test=test, tested=words, notes=notes)


def _open(options: DataOptions) -> Source:
    name, (kind, _, path) = options.dataset, options.dataset.partition(":")
    directory = data_directory(options.data_dir)
    if kind in ("folder", "array", "csv") and path:
        place = user_path(path)
        if kind == "array":
            return open_array(place, options.test_part, options.task, options.background)
        if kind == "csv":
            return open_table(place, options.workers, _table_choice(options))
        return open_folder(place, options.workers, name, options.test_part)
    if name == "digits":
        return open_digits()
    if name == "imagenet":
        found = find(name, directory)
        if found is None:
            known = KNOWN[name]
            raise missing_error(
                name,
                directory,
                "download it by hand (image-net.org), as train/WNID/*.JPEG "
                f"({known.train:,} images) and val/WNID/*.JPEG ({known.test:,})",
            )
        source = open_folder(found[0].parent, options.workers, name)
        return replace(source, statistics=KNOWN[name].statistics)
    if name in PHOTOGRAPH_SETS:
        ensure_present(name, directory, options.download)
        return open_photographs(name, directory, options.workers)
    if name in KNOWN:
        return open_named(name, directory, options.download)
    raise UserError(
        f"--dataset: there is no data set {name!r}.{_meant(name)} Choose among "
        f"{', '.join(KNOWN)}, folder:PATH, csv:FILE and array:FILE.npz."
    )


def _meant(name: str) -> str:
    """A hint at the data set that a wrong name probably means: a folder or file, or a known one."""
    try:
        return f" Did you mean {dataset_of(name)!r}?"
    except (UserError, OSError, RuntimeError):
        return closest(name, KNOWN)


def _table_choice(options: DataOptions) -> TableChoice:
    named = tuple(name for name in (options.label_columns or "").split(",") if name)
    return TableChoice(
        ColumnChoice(options.path_column or "", named, options.part_column or ""),
        options.task,
        options.test_part,
        options.skip_corrupt,
    )


def _manifest_path(subset: str | None, run: str | None) -> Path | None:
    """Return the path of the manifest to use; a resumed run uses its own."""
    if run is not None and (listed := RunFiles(Path(run)).images).exists():
        return listed
    return user_path(subset) if subset is not None else None


def _resize_and_cache(
    source: Source, images: ImageSet, size: int, how: Decoding, options: DataOptions
) -> ImageSet:
    """Resize; decode files into the cache if there is one, and into memory if they fit."""
    images = images.resized(size)
    if not isinstance(images, ImageFiles):
        return images
    images = replace(images, decoding=how)
    place = None
    if options.cache is not None:
        auto = data_directory() / "cache"
        place = auto if options.cache == "auto" else user_path(options.cache)
    if how.whole:
        if place is not None:
            return cached_whole(images, source.folder, place)
        small = expected_bytes(images) <= options.memory * GIB
        return in_memory(images) if small else images
    decoded = images if place is None else cached(images, source.folder, place)
    return decoded.in_memory() if decoded.decoded_bytes <= options.memory * GIB else decoded
