"""The command `detect`: train a detector, or test a trained one."""

from __future__ import annotations

import json
from collections.abc import Sequence

from darts.commands.help_pages import DETECT
from darts.commands.shared import by_all_processes, imported_fit, print_result, without_json
from darts.detection.options import DetectionOptions, detection_overlay
from darts.run_files import RunFiles
from darts.settings.parsing import parse_options


@by_all_processes
def detect_command(arguments: Sequence[str], prog: str) -> None:
    """Train a detector and print its average precision, or only test one."""
    arguments, as_json = without_json(arguments)
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
        precision = api.judge_detector(options)
        print(json.dumps(precision.as_dict()) if as_json else precision)
        return
    if not as_json:
        print(api.detector_card(options), flush=True)
    result = api.run_detection(options)
    if as_json:
        print_result(result.run_dir, RunFiles(result.run_dir).result)
        return
    print(f"{result.precision}  (last epoch)")
    print(f"time           {result.seconds:.0f} s")
    print(f"run directory  {result.run_dir}")
