"""The command that writes a network for other software: export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from darts.commands.shared import Arguments
from darts.errors import UserError


def export_command(arguments: Sequence[str], prog: str) -> None:
    parser = Arguments(
        prog=prog, description="Write a network as ONNX or as a torch.export archive, and check it."
    )
    parser.add_argument("--checkpoint", type=Path, help="trained network: a run or checkpoint.pt")
    parser.add_argument("--genotype", help="name in the zoo, or a YAML file")
    parser.add_argument("--model", help="or any other network: regnetx_400mf …")
    parser.add_argument("--channels", type=int, help="of a genotype without --checkpoint")
    parser.add_argument("--layers", type=int, help="of a genotype without --checkpoint")
    parser.add_argument("--classes", type=int, help="without --checkpoint")
    parser.add_argument("--stem", choices=("cifar", "imagenet"), help="without --checkpoint")
    parser.add_argument("--image-size", type=int, help="by default what it was trained on")
    parser.add_argument("--format", choices=("onnx", "torch-export"), default="onnx")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parsed = parser.parse_args(arguments)
    if parsed.genotype is not None and parsed.model is not None:
        raise UserError("--genotype and --model: give one of the two.")
    if parsed.output.is_dir():
        raise UserError(f"-o {parsed.output}: that is a directory; name a file.")
    from darts.models.export import check_onnx, export_network, settle_norms

    if parsed.format == "onnx":
        check_onnx()
    model = parsed.genotype or parsed.model
    if parsed.checkpoint is not None:
        for name in ("channels", "layers", "classes", "stem"):
            if getattr(parsed, name) is not None:
                raise UserError(f"--{name}: with --checkpoint the trained network has its own.")
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
        print("no --checkpoint: the weights are random, the norms' statistics of random images")
    else:
        raise UserError("Which network? Give --checkpoint, or --genotype or --model.")
    size = parsed.image_size or notes.get("image_size") or network.resolution
    network.eval().check_image_size(size, size)
    if parsed.checkpoint is None:
        settle_norms(network, size)
    print(f"writing and checking {parsed.format}, which can take a minute", flush=True)
    done = export_network(network, parsed.output, parsed.format, size, notes)
    print(f"wrote  {done.path} ({done.path.stat().st_size / 1e6:.1f} MB)")
    print(f"takes  images [B, 3, {size}, {size}] float32, gives logits")
    if notes:
        mean, std = (", ".join(f"{value:.4f}" for value in notes[key]) for key in ("mean", "std"))
        print(f"       pixels in 0..1, less the mean ({mean}), divided by ({std})")
    print(
        f"check  largest difference {done.difference:.2g} from the network, of logits up to "
        f"{done.largest:.3g}, run by {done.checked_by}"
    )


def _trained(checkpoint: Path, model: str | None) -> tuple[Any, dict[str, Any]]:
    """The trained network and the card of its data; `model`, if given, must be what it is."""
    import torch

    from darts.models.registry import find_model, model_from_description
    from darts.training.predict import load_trained

    trained = load_trained(checkpoint, torch.device("cpu"))
    network: Any = trained.network
    if model is not None:
        held: Any = model_from_description(network.description)
        asked: Any = find_model(model)
        if held not in (asked, getattr(asked, "for_small_images", lambda: asked)()):
            raise UserError(f"{checkpoint} holds another network than {model}; leave that out.")
    return network, dict(trained.card)
