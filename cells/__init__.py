"""Cells: their topology, the search cell and the derived cell."""
