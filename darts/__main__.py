"""Entry point of `python -m darts`."""

import sys

from darts.cli import main

sys.exit(main())
