"""The work of one operation of a search, which decides how many threads are worth it."""

from __future__ import annotations

from cells.topology import Topology
from darts.costs.count import operation_cost
from darts.costs.tables import Target, places
from darts.models.stems import choose_stem
from darts.searching.probe import SearchSetting
from darts.system import distributed
from darts.system.threads import fit_threads


def fit_search_threads(setting: SearchSetting) -> None:
    """Let the number of threads follow the work of the search, unless the user has chosen one."""
    options = setting.options
    fit_threads(options.threads, setting.device, lambda: mean_work(setting), resumed=options.resume)


def mean_work(setting: SearchSetting) -> float:
    """Mean multiply-adds of an operation of the supernet, for a part of a batch.

    All mixed operations of the edges that leave one state count as one operation, and so does the
    preprocessing of a cell: that is how the engines divide a cell. Methods that sample operations
    compute less; they are counted as if they did not.
    """
    options, space = setting.options, setting.space
    nodes = space.nodes or options.nodes
    target = Target(
        channels=options.channels,
        layers=options.layers,
        stem=choose_stem(options.stem, setting.dataset.image_size),
        resolution=setting.dataset.image_size,
        num_classes=setting.dataset.num_classes,
    )
    macs = sum(
        # An even number, as every operation needs.
        operation_cost(name, max(2, channels // options.k // 2 * 2), stride, size).macs
        for name, channels, stride, size in places(target, Topology(nodes, space.inputs), space)
    )
    images = options.batch_size / (distributed.world() * options.accumulate)
    return macs * images / (options.layers * (nodes + 1))
