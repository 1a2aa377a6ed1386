"""Detection of dead processes while this one is blocked in a collective.

A collective of torch.distributed may wait for a dead process for a very long time. So a thread of
each process counts up a number in the job's store and watches the number of the next process. If
that number has not changed for too long, the thread ends its own process with a message.
"""

from __future__ import annotations

import os
import sys
import threading

from torch.distributed import Store

EXIT_CODE = 1


class Heartbeat(threading.Thread):
    """The thread that counts and watches until `stop`; see the module.

    Args:
        store: A connection to the job's store that nothing else uses, since calls on one
            connection wait for each other.
        rank: Number of this process.
        world: Number of processes.
        patience: Seconds without a change after which a process counts as dead.
    """

    def __init__(self, store: Store, rank: int, world: int, patience: float) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._store, self._rank, self._world = store, rank, world
        self._patience = patience
        self._interval = min(2.0, patience / 5)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()

    def first_to_end(self) -> bool:
        """Whether this process is the first to report its end, and so has to say why.

        Also True if the store is gone and no process can know.
        """
        try:
            return self._store.add("ended", 1) == 1
        except RuntimeError:
            return True

    def run(self) -> None:
        # Checks are counted, not seconds: a suspended job must not lose processes.
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
        """Kill this process: its main thread is blocked in a collective."""
        if not said and self.first_to_end():
            print(
                f"error: {lost(self._world)} Process {neighbour} has not answered for "
                f"{self._patience:.0f} s.",
                file=sys.stderr,
                flush=True,
            )
        os._exit(EXIT_CODE)


def lost(world: int) -> str:
    """The message about a dead process."""
    return (
        f"One of the {world} processes of this job has died: it was killed, ran out of memory, or "
        "its machine is unreachable. The others end, too. Continue from the last checkpoint with "
        "--resume and the run's directory."
    )
