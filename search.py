"""Search a cell: `python search.py --k 4 --dataset cifar10`; `--help` lists all options."""

import sys

from darts.cli import entry

if __name__ == "__main__":
    sys.exit(entry("search", "search.py"))
