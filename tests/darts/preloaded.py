"""What tests let the process import that theirs are forked from."""

from importlib import import_module

for name in (
    "darts.data.named",
    "darts.fitting.run",
    "darts.searching.task",
    "darts.training.task",
    "tests.darts.runs_support",
    "torch._dynamo",
    "torch.utils.tensorboard",
):
    import_module(name)
