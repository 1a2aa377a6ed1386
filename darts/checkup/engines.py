"""What evaluates the cells of a search here, and how fast, for a small search."""

from __future__ import annotations

from collections.abc import Iterator

from darts.checkup.finding import Finding

_SMALL = {"preset": "smoke", "dataset": "digits"}


def back_ends() -> Iterator[Finding]:
    """Each back end with the seconds of an iteration, or why it does not work here.

    Kernels that are not compiled yet stay so: that would take longer than everything else.
    """
    import torch

    from cells.engines import kernel_layouts
    from darts.searching.backend_table import described_setting, measured_table
    from darts.searching.options import SearchOptions, search_overlay
    from darts.searching.probe import build_probe
    from darts.settings.parsing import options_from
    from ops.native.build import BuildError
    from ops.native.kernels import kernels_are_built

    options = options_from(SearchOptions, _SMALL, search_overlay)
    setting = described_setting(options)
    layouts = kernel_layouts(build_probe(setting).parts.supernet.search_cells)
    if setting.device.type == "cpu":
        try:
            built = kernels_are_built(layouts, torch.get_default_dtype())
        except BuildError:
            built = True  # Without a compiler there is nothing to wait for.
        if not built:
            yield Finding(
                what="native",
                value="its kernels are compiled when they are first used, in some 10 s",
                state="note",
                remedy="python -m darts backends compiles and measures them now",
            )
            return
    table = measured_table(options)
    for name, seconds, chosen, note in table.rows()[1:]:
        works = table.reasons[name] is None  # type: ignore[index]
        value = f"{seconds} s an iteration of a small search" if seconds != "-" else note
        yield Finding(
            what=name,
            value=f"{value}{', taken by auto' if chosen else ''}",
            state="ok" if works else "note",
        )
