"""The command `predict`: classify image files with a trained run or an exported file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from darts.commands.shared import Arguments, print_table
from darts.errors import UserError

if TYPE_CHECKING:
    from darts.training.predict_files import Predictions


def predict_command(arguments: Sequence[str], prog: str) -> None:
    """Print the most probable classes of images, or write them as CSV or JSON.

    Files that cannot be read are listed with their reason; the exit code is 2 only if none can.
    """
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="Classify image files. Files that cannot be read as images are reported and "
        "counted; the exit code is 0 unless none can be read.",
        examples=[
            ("photo.jpg --checkpoint runs/…", "the most likely classes of an image"),
            (
                "photos --checkpoint network.onnx --top-k 1",
                "a whole folder, with an exported network",
            ),
        ],
    )
    parser.add_argument(
        "image",
        nargs="+",
        help="image files, folders (with all below), or patterns: 'photos/*.jpg'",
    )
    parser.add_argument(
        "--checkpoint", type=Path, help="checkpoint.pt, run directory, or exported .onnx file"
    )
    parser.add_argument("--onnx", type=Path, help="file of: export --checkpoint RUN --format onnx")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:1 …; ONNX: the CPU")
    parser.add_argument(
        "--top-k", "--best", dest="best", type=int, default=5, help="classes for each image"
    )
    parser.add_argument("--batch-size", type=int, default=64, help="images at once")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_const", const="csv", dest="form", help="as CSV")
    form.add_argument("--json", action="store_const", const="json", dest="form", help="as JSON")
    parser.add_argument(
        "-o", "--output", type=Path, help="file to write; .csv or .json decides the form"
    )
    parsed = parser.parse_args(arguments)
    form_name = _form(parsed.form, parsed.output)
    if (parsed.checkpoint is None) == (parsed.onnx is None):
        raise UserError("Which network? Give one of --checkpoint RUN_DIR and --onnx FILE.")
    from darts.training.onnx_predictor import load_onnx
    from darts.training.predict_files import find_images, open_labeller, predict_files

    paths, notes = find_images(parsed.image)
    for note in notes:
        print(note, file=sys.stderr)
    source = parsed.checkpoint or parsed.onnx
    labeller = load_onnx(source) if parsed.onnx else open_labeller(source, parsed.device)
    found = predict_files(
        labeller, paths, source=str(source), best=parsed.best, batch_size=parsed.batch_size
    )
    _show(found, form_name, parsed.output)
    if found.unreadable:
        print(
            f"{len(found.unreadable)} of {len(found.images)} files could not be read as images:",
            file=sys.stderr,
        )
        for image in found.unreadable:
            print(f"  {image.problem}", file=sys.stderr)
    if len(found.unreadable) == len(found.images):
        raise UserError("None of the files could be read as an image.")


def _form(form: str | None, output: Path | None) -> str | None:
    """The form of the results: csv, json, or None for a table.

    Raises:
        UserError: The file to write is a directory or has no form.
    """
    if output is None:
        return form
    if output.is_dir():
        raise UserError(f"-o {output}: this is a directory; give a file name.")
    form = form or {".csv": "csv", ".json": "json"}.get(output.suffix.lower())
    if form is None:
        raise UserError(f"-o {output}: which form? Name it .csv or .json, or add --csv or --json.")
    return form


def _show(found: Predictions, form: str | None, output: Path | None) -> None:
    if form is None and len(found.images) == 1:
        print(found.images[0].path)
        for name, probability in found.images[0].best:
            print(f"  {100 * probability:6.2f} %  {name}")
        if not found.images[0].best and not found.images[0].problem:
            print("  no label is above 50 %")
    elif form is None:
        print_table(found.rows())
    else:
        text = found.as_csv() if form == "csv" else f"{found.as_json()}\n"
        if output is None:
            print(text, end="")
            return
        from darts.files import atomic_write

        with atomic_write(output) as stream:
            stream.write(text)
        print(output)
