"""What a test of a detector takes from the run that trained it."""

from __future__ import annotations

from dataclasses import replace

from darts.detection.options import DetectionOptions
from darts.settings.origins import Origins
from darts.training.fitting import settings_of_run

_DATA = ("dataset", "data_dir", "val_images", "val_annotations")
_THRESHOLDS = ("score_threshold", "nms_threshold")


def fit_detection(options: DetectionOptions, origins: Origins) -> DetectionOptions:
    """With --test-only, test on the data of the run in --checkpoint, unless the user names some."""
    if not options.test_only:
        return options
    # Images that the user names have the annotations that the user names, or none.
    data = () if origins.is_users("val_images") else _DATA
    names = (*data, *_THRESHOLDS)
    return replace(options, **settings_of_run(options.checkpoint, names, origins))
