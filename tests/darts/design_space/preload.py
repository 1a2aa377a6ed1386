"""Imported once by the fork server of the processes that tests kill."""

import torch._dynamo
import torch.utils.tensorboard  # noqa: F401 - Imported when the first trial has ended.

import darts.design_space.train  # noqa: F401
