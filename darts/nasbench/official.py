"""The benchmark's own files: results of every training, as dictionaries.

Source: Dong and Yang, NAS-Bench-201 (arXiv 2001.00326) and NATS-Bench (arXiv 2009.00437), and their
code (D-X-Y/AutoDL-Projects, D-X-Y/NATS-Bench). CIFAR-10 is trained twice:

- `cifar10-valid` on 25,000 images, evaluated on the other 25,000 (`x-valid`): validation accuracy;
- `cifar10` on all 50,000, evaluated on the 10,000 test images (`ori-test`): test accuracy.

The test accuracy of the first training is another number. The other data sets halve their test
images: `x-valid` gives the validation accuracy, `x-test` the test accuracy of one training. Both
are those of the last of 200 epochs, as means over the seeds that were trained.
"""

from __future__ import annotations

import bz2
import io
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from darts.errors import UserError
from darts.nasbench.cell_names import number_by_string
from darts.nasbench.measured import CIFAR10, CIFAR100, IMAGENET16, MeasuredCells
from darts.nasbench.unpickler import unpickle

META = "meta.pickle.pbz2"
SUFFIX = ".pickle.pbz2"


@dataclass(frozen=True)
class Evaluation:
    """Which accuracy of which training.

    Attributes:
        training: Key of the training.
        images: Key of the images on which it is evaluated.
        words: What that is.
    """

    training: str
    images: str
    words: str


_MEAN = "200 epochs, mean over the seeds in the file"
_HALVES: Mapping[str, tuple[Evaluation, Evaluation]] = {
    key: (
        Evaluation(name, "x-valid", f"x-valid of {name}: half of the test images; {_MEAN}"),
        Evaluation(name, "x-test", f"x-test of {name}: the other half; {_MEAN}"),
    )
    for key, name in ((CIFAR100, "cifar100"), (IMAGENET16, "ImageNet16-120"))
}
EVALUATIONS: Mapping[str, tuple[Evaluation, Evaluation]] = {
    CIFAR10: (
        Evaluation(
            "cifar10-valid",
            "x-valid",
            f"x-valid of cifar10-valid: trained on 25,000 images, on the other 25,000; {_MEAN}",
        ),
        Evaluation(
            "cifar10",
            "ori-test",
            f"ori-test of cifar10: trained on 50,000 images, on the 10,000 test images; {_MEAN}",
        ),
    ),
    **_HALVES,
}
"""By data set the evaluations of the validation and of the test accuracy."""

_MANY = 1000
_LARGEST = 256 * 2**20  # bytes of the results of one cell
_log = logging.getLogger(__name__)
_LONG = ("200", "full")  # Keys of the trainings of 200 epochs.


def is_official(value: Any) -> bool:
    """Whether a value is the content of one of the benchmark's files with all cells."""
    return isinstance(value, Mapping) and isinstance(value.get("arch2infos"), Mapping)


def is_single(value: Any) -> bool:
    """Whether a value is the content of one cell's file."""
    return isinstance(value, Mapping) and any(
        isinstance(value.get(key), Mapping) and "all_results" in value[key] for key in _LONG
    )


def read_official(value: Mapping[str, Any], form: str, where: str, dataset: str) -> MeasuredCells:
    """The table in the value of a file with all cells.

    Raises:
        UserError: The value has another form, or no training on the data set.
    """
    return collect(value["arch2infos"].values(), form, where, dataset)


def read_simple_folder(folder: Path, dataset: str) -> MeasuredCells:
    """The table in a folder with a file for each cell (NATS-Bench, "simple").

    Raises:
        UserError: There are no such files, or one of them is hostile.
    """
    files = sorted(file for file in folder.glob(f"*{SUFFIX}") if file.name != META)
    if not files:
        raise UserError(f"{folder}: no files such as 000000{SUFFIX} are in this folder.")
    if len(files) > _MANY:
        _log.warning(
            "%s: %s files take minutes to read; benchmark nasbench201 --save-table keeps the rows.",
            folder,
            f"{len(files):,}",
        )
    damaged: list[str] = []

    def contents() -> Iterable[Any]:
        for file in files:
            try:
                with bz2.open(file) as stream:
                    data = stream.read(_LARGEST + 1)
            except (OSError, ValueError, EOFError):
                damaged.append(file.name)
                continue
            if len(data) > _LARGEST:
                raise UserError(f"{file}: this is more than the results of one cell.")
            yield unpickle(io.BytesIO(data), str(file))

    measured = collect(contents(), "NATS-Bench folder", str(folder), dataset)
    if not damaged:
        return measured
    count = "1 file is" if len(damaged) == 1 else f"{len(damaged):,} files are"
    return measured.with_notes(f"{count} damaged, for example {damaged[0]}.")


def collect(infos: Iterable[Any], form: str, where: str, dataset: str) -> MeasuredCells:
    """The accuracies in the results of several cells.

    Args:
        infos: For each cell a mapping with the key "200" or "full".
        form: The form of the file in words.
        where: Name of the file for messages.
        dataset: A key of `EVALUATIONS`; empty for CIFAR-10.
    """
    dataset = dataset or CIFAR10
    evaluations = EVALUATIONS[dataset]
    cells: list[int] = []
    accuracies: tuple[list[float], list[float]] = ([], [])
    seeds: Counter[int] = Counter()
    strange: list[str] = []
    trained: set[str] = set()
    for info in infos:
        results = _long_results(info, where)
        arch = str(results.get("arch_str"))
        number = number_by_string().get(arch)
        if number is None:
            strange.append(arch)
            continue
        cells.append(number)
        every = results["all_results"]
        trained |= {str(key[0]) for key in every if isinstance(key, tuple)}
        for known, evaluation in zip(accuracies, evaluations, strict=True):
            values = _values(every, evaluation, where)
            known.append(fmean(values) if values else float("nan"))
        seeds[len(values)] += 1
    if not cells:
        example = f", only others such as {strange[0]!r}" if strange else ""
        raise UserError(f"{where}: it has no cell of NAS-Bench-201{example}.")
    if all(value != value for known in accuracies for value in known):
        raise UserError(
            f"{where}: no cell was trained on {dataset} for 200 epochs; the trainings are "
            f"{', '.join(sorted(trained))}."
        )
    valid, test = evaluations
    note = f"{len(strange):,} entries are no cells of NAS-Bench-201." if strange else ""
    measured = MeasuredCells(form, cells, *accuracies, dataset, valid.words, test.words)
    return measured.with_notes(_seed_note(seeds), note)


def _long_results(info: Any, where: str) -> Mapping[str, Any]:
    for key in _LONG:
        results = info.get(key) if isinstance(info, Mapping) else None
        if isinstance(results, Mapping) and isinstance(results.get("all_results"), Mapping):
            return results
    raise UserError(f"{where}: an entry has no results of 200 epochs ('200' or 'full').")


def _values(results: Mapping[Any, Any], evaluation: Evaluation, where: str) -> Sequence[float]:
    """The accuracies of one evaluation over all seeds, in the last epoch."""
    values = []
    for key, result in results.items():
        if not isinstance(key, tuple) or key[0] != evaluation.training:
            continue
        try:
            known = result["eval_acc1es"]
            last = int(result["epochs"]) - 1 if "epochs" in result else _last(known)
            values.append(float(known[f"{evaluation.images}@{last}"]))
        except (KeyError, TypeError, ValueError):
            raise UserError(
                f"{where}: the training {key} has no accuracy of {evaluation.images!r} in its "
                "last epoch."
            ) from None
    return values


def _last(known: Mapping[str, Any]) -> int:
    """The last epoch, from 0, among keys such as `x-valid@199`."""
    return max(int(key.rpartition("@")[2]) for key in known)


def _seed_note(seeds: Counter[int]) -> str:
    parts = [
        f"{_counted(seeds[count], 'cell')} with {_counted(count, 'seed')}"
        for count in sorted(seeds)
    ]
    return f"Test accuracies are means: {', '.join(parts)}."


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"
