"""Noticing that another process of the job is gone, even while this one waits for it.

A collective of torch.distributed that waits for a dead process may wait for a very long time. Here
a thread of each process counts up a number in the job's store, watches the number of the next
process, and ends this process with a message once that one has stood still for too long.
"""

from __future__ import annotations

import os
import sys
import threading

from torch.distributed import Store

EXIT_CODE = 1


class Heartbeat(threading.Thread):
    """Beats until `stop`; see the module.

    Args:
        store: A connection to the job's store, used by nobody else: calls to one wait for another.
        rank: Number of this process.
        world: Number of processes.
        patience: Seconds of silence after which a process counts as lost.
    """

    def __init__(self, store: Store, rank: int, world: int, patience: float) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._store, self._rank, self._world = store, rank, world
        self._patience = patience
        self._interval = min(2.0, patience / 5)
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def first_to_end(self) -> bool:
        """Whether this process is the first that reports its end: it is the one to say why.

        True as well where the store is gone, and nobody knows.
        """
        try:
            return self._store.add("ended", 1) == 1
        except RuntimeError:
            return True

    def run(self) -> None:
        # Checks are counted, not seconds, for a suspended job loses no process by sleeping.
        limit = round(self._patience / self._interval)
        neighbour = (self._rank + 1) % self._world
        last, silent, ended = -1, 0, 0
        while not self._stopped.wait(self._interval):
            try:
                self._store.add(f"beat {self._rank}", 1)
                beat = self._store.add(f"beat {neighbour}", 0)
                ended += self._store.add("ended", 0) > 0
            except RuntimeError:
                ended += 1
                beat = last
            silent = 0 if beat != last else silent + 1
            last = beat
            if not self._stopped.is_set() and (silent >= limit or ended > limit):
                self._end(neighbour, said=silent < limit)

    def _end(self, neighbour: int, said: bool) -> None:
        """End the whole process: its main thread waits inside a collective and hears nothing."""
        if not said and self.first_to_end():
            print(
                f"error: {lost(self._world)} Process {neighbour} has given no sign of life for "
                f"{self._patience:.0f} s.",
                file=sys.stderr,
                flush=True,
            )
        os._exit(EXIT_CODE)


def lost(world: int) -> str:
    return (
        f"One of the {world} processes of this job is gone: it was killed, ran out of memory, or "
        "its machine is away. The others end here; go on from the last checkpoint by --resume "
        "with the run's directory."
    )
