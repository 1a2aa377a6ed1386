"""Experiments of many trials: a durable store, and executors that run what it still lacks."""
