"""Reports of runs: tables, curves and one HTML page."""
