"""Many searches: methods and settings over seeds, and the choice of one cell among seeds."""
