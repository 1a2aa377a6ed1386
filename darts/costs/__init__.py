"""Costs of models: counted, in closed form, measured, expected, and limited by ceilings."""
