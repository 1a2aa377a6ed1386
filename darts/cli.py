"""The command line: `python -m darts COMMAND …`; `search.py` and `evaluate.py` are two of them.

Exit codes: 0 done, 2 the user's input is wrong (one message, no traceback), 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from darts.errors import UserError
from genotypes import GenotypeError

# Name: the module in darts/commands/ that holds a function of that name, and what it does.
COMMANDS = {
    "search": ("runs", "search a cell"),
    "evaluate": ("runs", "retrain a genotype from scratch, or test a checkpoint"),
    "compare": ("compare", "judge a genotype by populations of networks of its cost"),
    "detect": ("detect", "train and judge a detector on COCO's format"),
    "predict": ("runs", "say what an image shows, by a trained checkpoint"),
    "export": ("export", "write a network as ONNX or torch.export, checked"),
    "genotypes": ("info", "list the zoo"),
    "draw": ("info", "draw both cells of a genotype"),
    "cost": ("info", "count a model's parameters, multiply-adds and activations"),
    "scale": ("scale", "scale depth, width and resolution of a model to a budget"),
    "datasets": ("info", "list data sets and where they are"),
    "space": ("space", "design spaces: sample networks, train populations, show them"),
    "joint": ("joint", "search a network and its recipe together"),
    "report": ("runs", "write the report of a run, or the comparison of several"),
}


def main(arguments: Sequence[str] | None = None, prog: str = "python -m darts") -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            print(_usage(prog))
            return 0
        name, *rest = arguments
        if name not in COMMANDS:
            raise UserError(f"There is no command {name!r}.\n{_usage(prog)}")
        command = getattr(import_module(f"darts.commands.{COMMANDS[name][0]}"), name)
        command(rest, prog if prog.endswith(".py") else f"{prog} {name}")
        sys.stdout.flush()
    except (UserError, GenotypeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader (`| head`) has seen enough. Python would complain again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except Exception as error:
        # Imported late: these rooms bring torch, which `--help` does without.
        return _known_ending(error)
    return 0


def entry(command: str, prog: str) -> int:
    """Run one command under the name of its own script."""
    return main([command, *sys.argv[1:]], prog)


def _known_ending(error: Exception) -> int:
    from darts.runs.interrupt import Interrupted
    from darts.system.distributed import Ended, LostProcess
    from ops.backends import BackendError
    from ops.partial import ChannelError

    if isinstance(error, Interrupted):
        print(error, file=sys.stderr)
        return 130
    if isinstance(error, LostProcess):
        print(f"error: {error}", file=sys.stderr)
        return 1
    if isinstance(error, Ended):
        return 1
    if isinstance(error, (BackendError, ChannelError)):
        print(f"error: {error}", file=sys.stderr)
        return 2
    raise error


def _usage(prog: str) -> str:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:{width}}  {what}" for name, (_, what) in COMMANDS.items())
    return (
        f"usage: {prog} COMMAND [options]\n\n"
        "Differentiable architecture search: PC-DARTS and honest baselines.\n\n"
        f"{listed}\n\n{prog} COMMAND --help shows a command's options."
    )
