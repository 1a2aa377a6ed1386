"""The table of back ends on this machine, for the command `backends`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cells.engines import kernel_layouts
from darts.data.sources import classes_and_size
from darts.methods.stages import SearchStage
from darts.report.notebook import Figures, Summarised
from darts.report.tables import Row
from darts.searching.assembly import backend_of, method_of
from darts.searching.backend_check import CheckResult, check_backend
from darts.searching.choices import choice_file, choice_key, keep_choice, read_choice
from darts.searching.measuring import Measurement, measure_backends
from darts.searching.options import SearchOptions
from darts.searching.probe import SearchSetting, build_probe, stand_in_dataset
from darts.searching.recording import wants_graphs
from darts.searching.recording_check import check_recording
from darts.searching.spaces import searched_space
from darts.searching.staging import plan_stages
from darts.searching.work import fit_search_threads
from darts.system.device import check_precision, device_name, resolve_device
from darts.system.threads import set_threads
from ops.backends import BackendName, missing_backends


@dataclass(frozen=True, repr=False)
class BackendTable(Summarised):
    """Back ends on this machine, for the shapes of one search.

    Attributes:
        setting: The search.
        reasons: For each back end why it does not work here, or None.
        measurement: Times; None if only one back end works.
        kept: The file that keeps the times; None without times.
        chosen: What `--backend auto` takes.
        checks: What was compared with plain PyTorch.
    """

    setting: SearchSetting
    reasons: Mapping[BackendName, str | None]
    measurement: Measurement | None
    kept: Path | None
    chosen: str
    checks: tuple[CheckResult, ...] = ()

    def figures(self) -> Figures:
        """The chosen back end, and why others do not work."""
        missing = [(name, reason) for name, reason in self.reasons.items() if reason]
        return [("chosen", self.chosen), *missing]

    def tables(self) -> Sequence[tuple[str, Sequence[Row]]]:
        """The back ends, and what was compared."""
        found = [("Back ends", self.rows())]
        return [*found, ("Checks", self.check_rows())] if self.checks else found

    @property
    def heading(self) -> str:
        options, dataset = self.setting.options, self.setting.dataset
        return (
            f"{device_name(self.setting.device)}, {torch.get_num_threads()} threads, torch "
            f"{torch.__version__}, {options.precision}: {options.method}, K = {options.k}, "
            f"C = {options.channels}, {options.layers} cells, {options.nodes} nodes, batch "
            f"{options.batch_size} of {dataset.image_size}x{dataset.image_size}"
        )

    @property
    def closing(self) -> str:
        lines = [f"--backend auto takes {self.chosen}."]
        measured = self.measurement
        if measured is not None and measured.seconds:
            lines.append(
                f"Seconds are those of an iteration of {measured.images} images and "
                f"{measured.layers} cells, the fastest of {measured.rounds}; kept in {self.kept}."
            )
        if self.checks:
            wrong = [one for one in self.checks if not one.passed]
            lines += [f"{one.what}: {one.reason}." for one in wrong]
            lines.append("All checks passed." if not wrong else "A search would do without it.")
        return "\n".join(lines)

    def rows(self) -> list[tuple[str, ...]]:
        """One row per back end, below a heading."""
        rows: list[tuple[str, ...]] = [("back end", "seconds", "auto", "")]
        seconds = {} if self.measurement is None else self.measurement.seconds
        for name, reason in self.reasons.items():
            taken = f"{seconds[name]:.4g}" if name in seconds else "-"
            marked = "chosen" if name == self.chosen else ""
            rows.append((name, taken, marked, "works here" if reason is None else reason))
        return rows

    def check_rows(self) -> list[tuple[str, ...]]:
        """One row per kind of number that was compared, below a heading."""
        rows: list[tuple[str, ...]] = [("check", "images", "numbers", "differ by", "allowed", "")]
        for check in self.checks:
            if check.failed:
                rows.append((check.what, str(check.images), check.failed, "-", "-", "FAILS"))
            rows += [
                (
                    check.what,
                    str(check.images),
                    one.kind,
                    f"{one.found:.1e}",
                    f"{one.allowed:.1e}",
                    "WRONG" if one.wrong else "right",
                )
                for one in check.deviations
            ]
        return rows

    def as_dict(self) -> dict[str, Any]:
        """Plain values without NaN and infinity."""
        options = self.setting.options
        names = ("method", "space", "k", "channels", "layers", "nodes", "batch_size", "precision")
        return _finite(
            {
                **choice_key(self.setting)["machine"],
                "torch": torch.__version__,
                "cuda": torch.version.cuda,
                "settings": {name: getattr(options, name) for name in names},
                "image_size": self.setting.dataset.image_size,
                "backends": {
                    name: {"works": reason is None, "reason": reason}
                    for name, reason in self.reasons.items()
                },
                "measured": None if self.measurement is None else self.measurement.as_dict(),
                "kept": None if self.kept is None else str(self.kept),
                "chosen": self.chosen,
                "checks": [one.as_dict() for one in self.checks],
            }
        )


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def measured_table(
    options: SearchOptions, *, check: bool = False, again: bool = False
) -> BackendTable:
    """Measure, or read what was measured, and check if asked.

    Args:
        options: Settings of a search; no image is read.
        check: Compare every back end that works here with plain PyTorch, and on CUDA the recorded
            iterations.
        again: Measure again, even if times are stored.

    Raises:
        UserError: A setting is wrong, or there is no such device.
    """
    setting = described_setting(options)
    cells = build_probe(setting).parts.supernet.search_cells
    reasons = missing_backends(kernel_layouts(cells), setting.device.type)
    working: list[BackendName] = [name for name, reason in reasons.items() if reason is None]
    key, measurement, kept = choice_key(setting), None, None
    only = backend_of(options, setting.device)
    chosen = working[0] if only == "auto" else only
    if len(working) > 1:
        kept = choice_file(key)
        measurement = None if again else read_choice(key)
        if measurement is None:
            missing: dict[str, str] = {
                str(name): reason for name, reason in reasons.items() if reason is not None
            }
            measurement = measure_backends(setting, working, missing=missing)
            if again:
                kept.unlink(missing_ok=True)
            if measurement.seconds:
                measurement = keep_choice(key, measurement)
        if only == "auto":
            chosen = measurement.chosen
    checks: list[CheckResult] = []
    if check:
        checks += [check_backend(setting, name) for name in working if name != "torch"]
        if wants_graphs(options.cuda_graphs, setting.device, setting.method.recordable):
            best: BackendName = next(name for name in working if name in (chosen, "torch"))
            checks.append(check_recording(setting, best))
    return BackendTable(setting, reasons, measurement, kept, chosen, tuple(checks))


def described_setting(options: SearchOptions) -> SearchSetting:
    """The search that some options describe, without its images."""
    set_threads(options.threads)
    device = resolve_device(options.device)
    check_precision(options.precision, device)
    method, space = method_of(options), searched_space(options.space, None)
    classes, size = classes_and_size(options)
    stages: tuple[SearchStage, ...] = plan_stages(method, options, space)
    dataset = stand_in_dataset(options.dataset, size, classes)
    setting = SearchSetting(options, dataset, device, space, method, stages[0])
    fit_search_threads(setting)  # As the search itself would.
    return setting
