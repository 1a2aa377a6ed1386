# PYTHON_ARGCOMPLETE_OK
"""Retrain a genotype from scratch and test it: `python evaluate.py --genotype pcdarts_cifar10`.

`python evaluate.py --help` lists all options.
"""

import sys

from darts.cli import entry

if __name__ == "__main__":
    sys.exit(entry("evaluate", "evaluate.py"))
