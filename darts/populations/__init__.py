"""Populations: networks drawn from a design space, all trained by one recipe."""
