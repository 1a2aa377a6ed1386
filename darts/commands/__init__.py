"""The commands: each parses its arguments, calls the library and prints a few lines.

`table.py` lists all of them.
"""
