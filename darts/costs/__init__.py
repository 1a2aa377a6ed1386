"""What a model costs: counted, in closed form, measured, expected, and kept under a ceiling."""
