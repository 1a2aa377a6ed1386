"""The command `cam`: where in an image a trained network sees a class."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from darts.commands.shared import Arguments
from darts.errors import UserError


def cam_command(arguments: Sequence[str], prog: str) -> None:
    """Draw class activation maps of image files."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="Draw where in images a trained network sees their class (class activation "
        "maps): each image, beside it the same under its map, and the class with its probability.",
    )
    parser.add_argument("run", type=Path, help="run directory of evaluate.py, or checkpoint.pt")
    parser.add_argument("image", nargs="+", help="image files, folders, or patterns")
    parser.add_argument(
        "--class", dest="class_name", metavar="NAME", help="by default the most probable one"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 …")
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("cam.png"), help="picture to write; cam.png"
    )
    parsed = parser.parse_args(arguments)
    if parsed.output.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise UserError(f"-o {parsed.output}: give a file that ends in .png or .jpg.")
    if parsed.output.is_dir():
        raise UserError(f"-o {parsed.output}: this is a directory; give a file name.")
    from darts import api

    for sentence in api.draw_activation_maps(
        parsed.run, parsed.image, parsed.output, class_name=parsed.class_name, device=parsed.device
    ):
        print(sentence, file=sys.stderr)
    print(parsed.output)
