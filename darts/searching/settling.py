"""What a search settles before its first step: its back end, and whether its fast forms are right.

`auto` is measured where more than one back end can serve (`darts.searching.measuring`), once for a
machine, versions and shapes. On CUDA, the back end and the recording of iterations are checked
against plain PyTorch on the device of the run; what differs is switched off for the run.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from cells.engines import kernel_layouts
from darts.runs.directory import RunDirectory
from darts.searching.assembly import backend_of
from darts.searching.backend_check import CheckResult, check_backend
from darts.searching.choices import choice_key, keep_choice, read_choice
from darts.searching.measuring import Measurement, measure_backends
from darts.searching.options import SearchOptions
from darts.searching.probe import SearchSetting, build_probe
from darts.searching.recording import wants_graphs
from darts.searching.recording_check import check_recording
from darts.searching.work import fit_search_threads
from darts.system import distributed
from ops.backends import VARIABLE, BackendName, choose_backend, missing_backends

_log = logging.getLogger(__name__)

REPORT = "python -m darts backends --check --json"


@dataclass(frozen=True)
class Settled:
    """What was settled.

    Attributes:
        options: The options of the search, with its back end if that was measured or checked.
        measurement: The times of the back ends; None if there was nothing to choose.
        fresh: Whether they were taken now.
        checks: What was compared with plain PyTorch on this device.
    """

    options: SearchOptions
    measurement: Measurement | None = None
    fresh: bool = False
    checks: tuple[CheckResult, ...] = ()

    def announce(self, *, silent: bool) -> None:
        """Say in one line what was measured now, if anything was.

        Args:
            silent: Whether the caller displays the search itself.
        """
        if self.measurement is not None and self.fresh and not silent and distributed.is_main():
            print(self.measurement.line, file=sys.stderr)

    def record(self, run: RunDirectory) -> None:
        """Write what was settled to the run."""
        run.write_json(run.backend, self.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the run's records."""
        measured = None if self.measurement is None else self.measurement.as_dict()
        return {
            "backend": self.options.backend,
            "cuda_graphs": self.options.cuda_graphs,
            "measured": measured,
            "checks": [one.as_dict() for one in self.checks],
        }


def settle(setting: SearchSetting) -> Settled:
    """Measure and check what is not settled yet.

    Args:
        setting: The search; `options.backend` is "auto" or a name, which is kept.

    Raises:
        BackendError: A back end that was asked for does not work here.
    """
    fit_search_threads(setting)
    setting = _possible(setting)
    settled = _measured(setting)
    if setting.device.type != "cuda":
        return settled
    return checked(replace(setting, options=settled.options), settled)


def _possible(setting: SearchSetting) -> SearchSetting:
    """The search with another back end if it is resumed where its own does not work."""
    options, device = setting.options, setting.device.type
    own = options.backend
    if not options.resume or own == "auto" or own == "torch":
        return setting
    plain = replace(setting, options=replace(options, backend="torch"))
    cells = build_probe(plain).parts.supernet.search_cells
    reason = missing_backends(kernel_layouts(cells), device)[own]
    if reason is None:
        return setting
    if distributed.is_main():
        print(
            f"The run began with the back end {own}, which does not work here: {reason}. It goes "
            "on with another one; its numbers are the same up to rounding.",
            file=sys.stderr,
        )
    return replace(setting, options=replace(options, backend="auto"))


def _measured(setting: SearchSetting) -> Settled:
    """The choice for `auto`, from the cache or measured now."""
    options = setting.options
    if backend_of(options, setting.device) != "auto" or os.environ.get(VARIABLE):
        return Settled(options)
    key = choice_key(setting)
    kept = distributed.from_main(lambda: read_choice(key))
    if kept is not None and _works(kept.chosen, setting):
        return Settled(replace(options, backend=kept.chosen), kept)
    if distributed.world() > 1:  # Processes that measure side by side would disturb each other.
        return Settled(options)
    cells = build_probe(setting).parts.supernet.search_cells
    missing = missing_backends(kernel_layouts(cells), setting.device.type)
    candidates: list[BackendName] = [name for name, reason in missing.items() if reason is None]
    if len(candidates) < 2:
        return Settled(options)
    reasons: dict[str, str] = {
        str(name): reason for name, reason in missing.items() if reason is not None
    }
    measurement = measure_backends(setting, candidates, missing=reasons)
    failed = {name: why for name, why in measurement.missing.items() if name not in reasons}
    for name, why in failed.items():
        _log.warning("The back end %s is not used: an iteration fails here (%s).", name, why)
    if measurement.seconds and not failed:  # A failure, such as of memory, may pass.
        measurement = keep_choice(key, measurement)
    return Settled(replace(options, backend=measurement.chosen), measurement, fresh=True)


def _works(backend: BackendName, setting: SearchSetting) -> bool:
    return missing_backends([], setting.device.type)[backend] is None


def checked(
    setting: SearchSetting,
    settled: Settled,
    *,
    backend_check: Callable[[SearchSetting, BackendName], CheckResult] = check_backend,
    graph_check: Callable[[SearchSetting, BackendName], CheckResult] = check_recording,
) -> Settled:
    """Check the back end and the recorded iterations; switch off what is wrong.

    Args:
        setting: The search, with the back end that was settled.
        settled: What was settled so far.
        backend_check: Compares a back end with plain PyTorch.
        graph_check: Compares recorded iterations with others.
    """
    options, device = setting.options, setting.device
    backend = choose_backend(backend_of(options, device), [], device.type)
    results: list[CheckResult] = []
    if backend != "torch":
        result = backend_check(setting, backend)
        results.append(result)
        if not _agreed(result):
            _log.warning(
                "The back end %s is off in this run: %s. PyTorch takes its place. Please report "
                "this with the output of: %s",
                backend,
                result.reason,
                REPORT,
            )
            backend = "torch"
        options = replace(options, backend=backend)
    alone = distributed.world() == 1
    if alone and wants_graphs(options.cuda_graphs, device, setting.method.recordable):
        result = graph_check(replace(setting, options=options), backend)
        results.append(result)
        if not result.passed:
            _log.warning(
                "CUDA graphs are off in this run: %s. Please report this with the output of: %s",
                result.reason,
                REPORT,
            )
            options = replace(options, cuda_graphs="never")
    return replace(settled, options=options, checks=tuple(results))


def _agreed(result: CheckResult) -> bool:
    """Whether a check passed in every process: all have to compute in the same way."""
    return not distributed.any_of(not result.passed)
