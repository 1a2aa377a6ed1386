"""The command `export`: write a network for other software."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from darts.commands.shared import Arguments
from darts.errors import UserError


def export_command(arguments: Sequence[str], prog: str) -> None:
    """Write a network as ONNX or torch.export and print how well it agrees with the original."""
    parser = Arguments(
        uses_files=True,
        prog=prog,
        description="Write a network as ONNX or as a torch.export archive, and check it.",
        examples=[
            (
                "--checkpoint runs/… -o network.onnx",
                "a trained network, which predict and any ONNX runtime can run",
            ),
        ],
    )
    parser.add_argument(
        "--checkpoint", type=Path, help="trained network: a run directory or checkpoint.pt"
    )
    parser.add_argument("--genotype", help="published name, or a YAML file")
    parser.add_argument("--model", help="another network, instead of a genotype: regnetx_400mf …")
    parser.add_argument(
        "--channels", type=int, help="channels of a genotype's network, without --checkpoint"
    )
    parser.add_argument(
        "--layers", type=int, help="cells of a genotype's network, without --checkpoint"
    )
    parser.add_argument("--classes", type=int, help="number of classes, without --checkpoint")
    parser.add_argument("--stem", choices=("cifar", "imagenet"), help="stem, without --checkpoint")
    parser.add_argument(
        "--image-size", type=int, help="side of the images; by default the size in training"
    )
    parser.add_argument(
        "--format", choices=("onnx", "torch-export"), default="onnx", help="default: onnx"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="file to write")
    parsed = parser.parse_args(arguments)
    if parsed.genotype is not None and parsed.model is not None:
        raise UserError("--genotype and --model: give only one of them.")
    if parsed.output.is_dir():
        raise UserError(f"-o {parsed.output}: this is a directory; give a file name.")
    from darts.models.export import check_onnx, export_network, settle_norms

    if parsed.format == "onnx":
        check_onnx()
    model = parsed.genotype or parsed.model
    if parsed.checkpoint is not None:
        for name in ("channels", "layers", "classes", "stem"):
            if getattr(parsed, name) is not None:
                raise UserError(
                    f"--{name}: the network of --checkpoint has its own; leave the option out."
                )
        network, notes = _trained(parsed.checkpoint, model)
    elif model is not None:
        from darts.models.registry import create_network

        network = create_network(
            model,
            num_classes=parsed.classes,
            channels=parsed.channels,
            layers=parsed.layers,
            stem=parsed.stem,
        )
        notes = {}
        print("no --checkpoint: random weights; statistics of batch norms from random images")
    else:
        raise UserError("Which network? Give --checkpoint, --genotype or --model.")
    size = parsed.image_size or notes.get("image_size") or network.resolution
    network.eval().check_image_size(size, size)
    if parsed.checkpoint is None:
        settle_norms(network, size)
    print(f"writing and checking {parsed.format}, which can take a minute", flush=True)
    if notes:
        notes |= _sizes(notes, size)
    done = export_network(network, parsed.output, parsed.format, size, notes)
    print(f"wrote  {done.path} ({done.path.stat().st_size / 1e6:.1f} MB)")
    probable = f"; probabilities: {notes['activation']}" if "activation" in notes else ""
    print(f"input  images [B, 3, {size}, {size}] float32; output: logits{probable}")
    if notes:
        mean, std = (", ".join(f"{value:.4f}" for value in notes[key]) for key in ("mean", "std"))
        print(f"       pixels in 0..1, minus the mean ({mean}), divided by ({std})")
    print(
        f"check  largest difference of logits {done.difference:.2g}, of logits up to "
        f"{done.largest:.3g}; computed with {done.checked_by}"
    )


def _sizes(card: dict[str, Any], size: int) -> dict[str, int]:
    """The sizes of images for a file that takes another size than the training.

    >>> _sizes({"image_size": 224, "stored_size": 256}, 112)
    {'image_size': 112, 'stored_size': 128}
    """
    stored = round(card["stored_size"] * size / card["image_size"])
    return {"image_size": size, "stored_size": max(size, stored)}


def _trained(checkpoint: Path, model: str | None) -> tuple[Any, dict[str, Any]]:
    """Load a trained network and the card of its data.

    Raises:
        UserError: `model` is given and is not the model of the checkpoint.
    """
    import torch

    from darts.models.registry import find_model, model_from_description
    from darts.training.predict import load_trained

    trained = load_trained(checkpoint, torch.device("cpu"))
    network: Any = trained.network
    if model is not None:
        held: Any = model_from_description(network.description)
        asked: Any = find_model(model)
        if held not in (asked, getattr(asked, "for_small_images", lambda: asked)()):
            raise UserError(
                f"{checkpoint} holds a different network, not {model}; leave {model} out."
            )
    target = trained.target
    return network, {**trained.card, "task": target.kind, "activation": target.activation}
