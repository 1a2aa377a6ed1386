"""Cells: topology, search cell, derived cell, the stack of cells and the engines."""
