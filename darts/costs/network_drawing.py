"""Pictures of networks of stages as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from darts.costs.outline import NetworkOutline, outline_of
from darts.errors import UserError
from darts.files import atomic_write
from darts.models.staged_config import StagedConfig
from darts.report.cell_picture import CellPicture
from darts.report.cell_png import png_of
from darts.report.cell_svg import svg_of
from darts.report.network_picture import DrawnStage, network_picture

_WRITERS = {"svg": svg_of, "png": png_of}


def draw_network(
    name: str,
    config: StagedConfig,
    directory: Path | str,
    formats: Sequence[str] = ("svg", "png"),
    *,
    resolution: int | None = None,
) -> list[Path]:
    """Write `NAME.svg` and `NAME.png` into `directory`; return all paths.

    Args:
        name: Name of the network.
        config: Its config.
        directory: Created if missing.
        formats: svg, png or both.
        resolution: Side of the image; by default the network's own.

    Raises:
        UserError: A format is unknown, or the network cannot take such images; then nothing is
            written.
    """
    if unknown := [one for one in formats if one not in _WRITERS]:
        raise UserError(f"--formats {unknown[0]}: networks are drawn as {' or '.join(_WRITERS)}.")
    picture = picture_of(outline_of(name, config, resolution))
    paths = []
    for suffix in dict.fromkeys(formats):
        paths.append(Path(directory) / f"{name}.{suffix}")
        with atomic_write(paths[-1], "wb") as stream:
            stream.write(_WRITERS[suffix](picture))
    return paths


def picture_of(outline: NetworkOutline) -> CellPicture:
    """The picture of an outline: stem, stages, head."""
    stages = []
    for one in outline.stages:
        what = "layer" if one.name == "stem" else "block"
        blocks = f"{one.depth} {what}{'s' * (one.depth != 1)}"
        labels = (
            one.name,
            blocks,
            f"width {one.width}",
            f"{one.size} × {one.size}",
            f"stride {one.stride}",
            *one.details,
        )
        stages.append(DrawnStage(slabs=one.depth, size=one.size, width=one.width, labels=labels))
    head = (
        "head",
        "1 layer",
        f"width {outline.features:,}",
        "1 × 1",
        f"{outline.classes:,} classes",
    )
    stages.append(DrawnStage(slabs=1, size=1, width=outline.features, labels=head))
    caption = (
        f"{outline.params:,} parameters · {outline.macs:,} multiply-adds · "
        f"{outline.resolution} × {outline.resolution} pixels"
    )
    note = (
        "One slab per block: its height follows the image's side, its thickness the channels "
        "(square roots)."
    )
    return network_picture(outline.name, caption, stages, note)
