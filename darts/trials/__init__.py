"""Experiments of many trials: a durable store, and executors that run the missing trials."""
