# PYTHON_ARGCOMPLETE_OK
"""Search a cell: `python search.py --k 4 --dataset cifar10`.

`python search.py --help` shows how to begin.
"""

import sys

from darts.cli import entry

if __name__ == "__main__":
    sys.exit(entry("search", "search.py"))
