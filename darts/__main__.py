# PYTHON_ARGCOMPLETE_OK
"""Entry point of `python -m darts`."""

import os
import sys
from pathlib import Path

# `python -m` looks for modules in the working directory first. A `genotypes.py` there, as the
# authors of DARTS name their file, would hide the package of that name, so it is looked at last.
if sys.path and os.path.realpath(sys.path[0]) != str(Path(__file__).resolve().parents[1]):
    sys.path.append(sys.path.pop(0))

from darts.cli import main

sys.exit(main())
