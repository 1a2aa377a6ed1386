"""The table of all commands and their sub-commands, and the one way to run them.

Nothing here imports torch or a command's module until that command runs, so `--help` is instant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType

from darts.errors import UserError, closest
from darts.settings.help_page import examples_text

_LONGEST_NAME = 60


@dataclass(frozen=True)
class Command:
    """One command: what it does, the function that does it, and its sub-commands.

    Attributes:
        summary: One line for the list of commands.
        handler: "module:function" in `darts.commands`; the function takes the arguments and the
            name of the program. Empty if the command only has sub-commands.
        subcommands: The sub-commands by name. A first argument with such a name selects it.
        heading: What stands above this command in the list; empty if it belongs to the one before.
        examples: Arguments to begin with, each with what it does; for the list of sub-commands.
    """

    summary: str
    handler: str = ""
    subcommands: Mapping[str, Command] = field(default_factory=dict)
    heading: str = ""
    examples: tuple[tuple[str, str], ...] = ()

    def run(self, arguments: Sequence[str], prog: str) -> None:
        """Run this command or the sub-command that the first argument names.

        A command without a handler lists its sub-commands if no argument follows, or `--help`.

        Raises:
            UserError: There is no such sub-command, or the command refuses its arguments.
        """
        name = arguments[0] if arguments else "--help"
        if name in self.subcommands:
            self.subcommands[name].run(arguments[1:], f"{prog} {name}")
        elif self.handler:
            module, _, function = self.handler.partition(":")
            getattr(import_module(f"darts.commands.{module}"), function)(arguments, prog)
        elif name in ("-h", "--help"):
            print(self.usage(prog))
        else:
            name = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
            if hint := closest(name, self.subcommands):
                raise UserError(f"{prog}: there is no command {name!r}.{hint}")
            raise UserError(f"{prog}: there is no command {name!r}.\n{self.usage(prog)}")

    def usage(self, prog: str) -> str:
        """Return the text that `--help` prints for a command with sub-commands.

        >>> print(Command("Read.", subcommands={"show": Command("list all")}).usage("darts read"))
        usage: darts read COMMAND [options]
        <BLANKLINE>
        Read.
        <BLANKLINE>
          show  list all
        <BLANKLINE>
        darts read COMMAND --help shows a command's options.
        """
        width = max(map(len, self.subcommands))
        lines = []
        for name, each in self.subcommands.items():
            if each.heading:
                lines.append(f"{each.heading}:")
            lines.append(f"  {name:{width}}  {each.summary}")
        start = [
            f"usage: {prog} COMMAND [options]",
            f"\n{self.summary[0].upper()}{self.summary[1:].removesuffix('.')}.\n",
        ]
        if self.examples:
            start.append(f"{examples_text(prog, self.examples)}\n")
        return "\n".join([*start, *lines, f"\n{prog} COMMAND --help shows a command's options."])


_SCALE = {
    "grid": Command("find alpha, beta and gamma by training", "scale_trials:scale_grid_command"),
    "study": Command(
        "compare compound scaling with scaling one dimension", "scale_trials:scale_study_command"
    ),
}
_SPACE = {
    "list": Command(
        "list the design spaces with their sizes (RegNet, Table 1)",
        "space_studies:space_list_command",
    ),
    "sample": Command("sample networks of a space, with their costs", "space:space_sample_command"),
    "train": Command("train a population, or continue it", "space:space_train_command"),
    "show": Command("list a population's trials, or show one", "space:space_show_command"),
    "analyse": Command(
        "plots and statistics of one or more populations", "space:space_analyse_command"
    ),
    "rank": Command(
        "tell whether short trainings rank networks as long ones do",
        "space_studies:space_rank_command",
    ),
    "latency": Command(
        "time a population's networks, against multiply-adds and activations",
        "space_studies:space_latency_command",
    ),
}
_JOINT = {
    "search": Command(
        "train rounds of candidates and learn to predict their accuracy",
        "joint:joint_search_command",
    ),
    "evolve": Command(
        "find the best candidates under other ceilings, with the predictor of a search",
        "joint:joint_evolve_command",
    ),
    "ablate": Command(
        "tell what a search owes to its predictor, its stages and its recipes",
        "joint_studies:joint_ablate_command",
    ),
    "transfer": Command(
        "train other networks by the recipe of a search and by their own",
        "joint_studies:joint_transfer_command",
    ),
    "predict": Command(
        "predict the accuracy of candidates, with the predictor of a search",
        "joint:joint_predict_command",
    ),
    "show": Command(
        "list the spaces, describe one, or write the report of a search",
        "joint:joint_show_command",
    ),
}

_BENCHMARK = {
    "nasbench201": Command(
        "look up the known accuracies of cells and runs, beside random search",
        "benchmark:nasbench201_command",
    ),
    "correlate": Command(
        "compare one-shot accuracies of supernets with true ones", "correlate:correlate_command"
    ),
}
_METHODS = {
    "show": Command(
        "describe a method: parts, numbers, sources, settings", "methods:methods_show_command"
    ),
    "parts": Command(
        "list what methods are made of, with all numbers", "methods:methods_parts_command"
    ),
}

_SWEEP = {
    "show": Command("show what is done of a sweep, also while it runs", "sweep:sweep_show_command"),
}

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "fit": Command(
            "find and train a network for your images within a time budget",
            "fit:fit_command",
            heading="Begin here",
        ),
        "advise": Command(
            "settings, expected time and memory for your images on this machine",
            "advise:advise_command",
        ),
        "search": Command("search a cell", "runs:search_command"),
        "evaluate": Command(
            "retrain a genotype from scratch, or test a checkpoint", "runs:evaluate_command"
        ),
        "predict": Command(
            "classify images with a trained run or an exported file", "predict:predict_command"
        ),
        "report": Command(
            "write the report of a run, or a comparison of several runs", "runs:report_command"
        ),
        "compare": Command(
            "compare a genotype with populations of networks of equal cost",
            "compare:compare_command",
            heading="Judge what you found",
        ),
        "sweep": Command(
            "compare search methods, settings and seeds", "sweep:sweep_command", _SWEEP
        ),
        "benchmark": Command(
            "judge cells and searches by tables of known accuracies", subcommands=_BENCHMARK
        ),
        "genotypes": Command(
            "list the published genotypes", "info:genotypes_command", heading="Look around"
        ),
        "methods": Command("list the search methods", "methods:methods_command", _METHODS),
        "spaces": Command(
            "list the search spaces of cells, their sizes and supernets", "spaces:spaces_command"
        ),
        "datasets": Command("list the data sets and where they are", "info:datasets_command"),
        "draw": Command(
            "draw the cells of a genotype or the stages of a network", "info:draw_command"
        ),
        "cost": Command(
            "count parameters, multiply-adds and activations of models, and time them",
            "cost:cost_command",
        ),
        "score": Command(
            "score networks without training them, beside their costs", "score:score_command"
        ),
        "cam": Command(
            "draw where in images a trained network sees their class", "cam:cam_command"
        ),
        "export": Command(
            "write a network as ONNX or torch.export, and check it",
            "export:export_command",
            heading="Use a network elsewhere",
        ),
        "detect": Command(
            "train and test a detector on data in COCO's format", "detect:detect_command"
        ),
        "scale": Command(
            "scale a model's depth, width and resolution to a budget", "scale:scale_command", _SCALE
        ),
        "space": Command(
            "design spaces: sample networks, train populations, analyse them",
            subcommands=_SPACE,
            heading="Studies of many networks",
        ),
        "joint": Command(
            "search a network and its training recipe together (FBNetV3)", subcommands=_JOINT
        ),
        "doctor": Command(
            "what this machine has, what works, and what is missing",
            "doctor:doctor_command",
            heading="This machine",
        ),
        "backends": Command(
            "measure and check what can evaluate a search here",
            "backends:backends_command",
        ),
    }
)
PROGRAM = Command(
    "Differentiable architecture search: PC-DARTS and baselines.",
    subcommands=COMMANDS,
    examples=(
        ("fit photos --budget 1h", "a network for a folder of images, found and trained"),
        ("search --dataset digits --preset quick", "search a cell, in about two minutes"),
        ("evaluate --help", "how to train its network"),
    ),
)
