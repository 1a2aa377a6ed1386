"""A small space with every kind of variable, as the content of a space file."""

from typing import Any

DESCRIBED: dict[str, Any] = {
    "name": "small",
    "network": "regnet",
    "architecture": {
        "depth": {"integer": [10, 16], "step": 2},
        "w0": {"integer": [16, 32], "step": 8},
        "wa": {"real": [20, 40], "step": 0.1},
        "wm": {"real": [2, 3]},
        "group_width": {"choice": [8, 16]},
        "bottleneck": {"choice": [1.0]},
    },
    "recipe": {
        "learning_rate": {"log": [0.01, 1]},
        "regularisation": {"real": [0, 0.4], "step": 0.1, "sets": ["drop_path", "label_smoothing"]},
        "schedule": {"choice": ["cosine", "linear"]},
        "auxiliary": {"choice": [True, False]},
    },
    "rules": [{"when": {"schedule": "linear"}, "multiply": {"learning_rate": 4}}],
}
