"""Named random streams: every use of random numbers in a run has its own generator.

This is the one place where seeds are derived from the seed of a run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import torch

from darts.errors import UserError


def stream_seed(seed: int, name: str) -> int:
    """Seed of the stream `name` in a run with `seed`: the first 63 bits of a SHA-256 hash.

    It depends on nothing else, so a new stream never changes the numbers of the others.

    >>> stream_seed(0, "weights") == stream_seed(0, "weights") != stream_seed(1, "weights")
    True
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def subset_generator(seed: int, part: str) -> torch.Generator:
    """The generator that chooses `part` of a data set ("classes", "train_images" …) from a seed.

    The seed is computed in another way than in `stream_seed`, so that subsets that are in use
    stay the same: the first 56 bits of a SHA-256 hash.
    """
    digest = hashlib.sha256(f"{seed} {part}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


class RandomStreams:
    """One `torch.Generator` per name.

    >>> streams = RandomStreams(seed=0, names=("weights", "order"))
    >>> torch.rand(2, generator=streams["weights"]).shape
    torch.Size([2])

    Args:
        seed: Seed of the run.
        names: Names of the streams; their order does not matter.
        device: Device of the generators. CPU generators give the same numbers on every machine.
    """

    def __init__(self, seed: int, names: Iterable[str], device: torch.device | str = "cpu") -> None:
        self._generators = {
            name: torch.Generator(device).manual_seed(stream_seed(seed, name)) for name in names
        }

    def __getitem__(self, name: str) -> torch.Generator:
        return self._generators[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._generators)

    def __len__(self) -> int:
        return len(self._generators)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """A copy of the state of every generator, by name: uint8 tensors on the CPU."""
        return {name: generator.get_state() for name, generator in self._generators.items()}

    def load_state_dict(self, states: Mapping[str, torch.Tensor]) -> None:
        """Continue from `states`; either all streams are set, or none.

        Raises:
            UserError: The names or the kind of generator differ from these streams.
        """
        here, there = set(self._generators), set(states)
        if here != there:
            raise UserError(
                "The saved random streams are not those of this run "
                f"(missing: {_listed(here - there)}; unknown: {_listed(there - here)}). "
                "Resume with the version of the toolkit that wrote the checkpoint."
            )
        for name, generator in self._generators.items():
            if states[name].shape != generator.get_state().shape:
                raise UserError(
                    f"The saved random stream {name!r} comes from another kind of generator; "
                    f"resume on the kind of device that wrote it (here: {generator.device})."
                )
        for name, generator in self._generators.items():
            generator.set_state(states[name].cpu())


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
