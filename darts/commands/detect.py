"""The command `detect`: train a detector, or test a trained one."""

from __future__ import annotations

from collections.abc import Sequence

from darts.commands.help_pages import DETECT
from darts.commands.shared import by_all_processes, imported_fit
from darts.detection.options import DetectionOptions, detection_overlay
from darts.settings.parsing import parse_options


@by_all_processes
def detect_command(arguments: Sequence[str], prog: str) -> None:
    """Train a detector and print its average precision, or only test one."""
    options = parse_options(
        DetectionOptions,
        arguments,
        prog=prog,
        overlay=detection_overlay,
        fit=imported_fit("darts.detection.fitting:fit_detection"),
        page=DETECT,
    )
    from darts import api
    from darts.detection.scoring import has_no_annotations

    if options.test_only and has_no_annotations(options):
        print(api.detect_in_folder(options) / "detections.json")
        return
    if options.test_only:
        print(api.judge_detector(options))
        return
    print(api.detector_card(options), flush=True)
    result = api.run_detection(options)
    print(f"{result.precision}  (last epoch)")
    print(f"time           {result.seconds:.0f} s")
    print(f"run directory  {result.run_dir}")
