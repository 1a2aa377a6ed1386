"""How the threads of OpenMP wait for work: briefly, then asleep.

By default a thread that has finished its part of an operation keeps its processor busy for some
milliseconds, in case the next operation comes soon. If another process needs that processor, both
lose: the other one waits for a thread that does nothing.

OpenMP reads these variables when its library is loaded, which `import torch` does. So the entry
points (`search.py`, `evaluate.py`, `python -m darts`) set them first. `import darts` in a program
of your own sets nothing: how a program's threads wait is its own decision.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, MutableMapping

SHARE_OF_WORKER = "DARTS_WORKER_THREADS"
"""Variable in which a worker of trials finds its share of the processors; the driver sets it."""

# Settings of the user that say how threads wait: any one of them counts.
_CHOICES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY")
# GNU OpenMP (torch's own on Linux) and LLVM's both know OMP_WAIT_POLICY. KMP_BLOCKTIME, in
# milliseconds, is for versions of LLVM's that do not derive it from the policy.
_PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}


def waiting_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that let threads sleep while they wait; empty if the user has set one of them.

    >>> waiting_variables({"OMP_WAIT_POLICY": "ACTIVE"})
    {}
    >>> waiting_variables({})["OMP_WAIT_POLICY"]
    'PASSIVE'
    """
    return {} if any(name in environment for name in _CHOICES) else dict(_PASSIVE)


def wait_without_spinning(environment: MutableMapping[str, str] | None = None) -> bool:
    """Set the variables for this process and its children, unless torch is already loaded.

    Returns:
        Whether anything was set.

    Args:
        environment: Environment to change; by default that of this process.
    """
    if "torch" in sys.modules:
        return False
    changed = os.environ if environment is None else environment
    variables = waiting_variables(changed)
    changed.update(variables)
    return bool(variables)
