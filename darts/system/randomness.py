"""Named random streams: every use of chance in a run draws from its own generator."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import torch

from darts.errors import UserError


def stream_seed(seed: int, name: str) -> int:
    """Seed of the stream `name` in a run with `seed`: the first 63 bits of a SHA-256 hash.

    It depends on nothing else, so that a new stream never changes the draws of the others.
    """
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def subset_generator(seed: int, part: str) -> torch.Generator:
    """The generator that chooses `part` of a data set ("classes", "train_images" …) from a seed.

    Its seeds follow an older rule than `stream_seed`; so known subsets stay the same.
    """
    digest = hashlib.sha256(f"{seed} {part}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


class RandomStreams:
    """One `torch.Generator` a name; `streams["weights"]` is ready to be passed on.

    Args:
        seed: Seed of the run.
        names: Names of the streams; their order is of no account.
        device: Where the generators live. CPU generators repeat on every machine.
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
        """A copy of every generator's state: uint8 tensors on the CPU, by name."""
        return {name: generator.get_state() for name, generator in self._generators.items()}

    def load_state_dict(self, states: Mapping[str, torch.Tensor]) -> None:
        """Go on from `states`; all streams are set, or none.

        Raises:
            UserError: The names, or the kind of generator, are not those of these streams.
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
