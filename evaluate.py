"""Retrain a genotype from scratch and test it: `python evaluate.py --genotype pcdarts_cifar10`."""

import sys

from darts.cli import entry

if __name__ == "__main__":
    sys.exit(entry("evaluate", "evaluate.py"))
