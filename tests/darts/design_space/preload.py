"""Imported once by the fork server of the processes that tests kill."""

import torch._dynamo  # noqa: F401 - Optimisers import it when the first one is made.

import darts.design_space.train  # noqa: F401
