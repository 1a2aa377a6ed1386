"""Measured choices are kept by machine, versions and shapes; the first one stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from darts.searching.choices import choice_file, choice_key, keep_choice, read_choice
from darts.searching.measuring import Measurement
from tests.darts.searching.settings import tiny_setting

NATIVE = Measurement("native", {"native": 0.1, "torch": 0.2}, 4, 3, 3, {"triton": "no GPU"})
PLAIN = Measurement("torch", {"native": 0.2, "torch": 0.1}, 4, 3, 3, {})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "darts" / "backends"


def test_a_choice_comes_back_and_the_first_one_stays(folder: Path) -> None:
    key = choice_key(tiny_setting())
    assert read_choice(key) is None
    assert keep_choice(key, NATIVE) == NATIVE
    assert keep_choice(key, PLAIN) == NATIVE
    assert read_choice(key) == NATIVE
    assert [path.name for path in folder.iterdir()] == [choice_file(key).name]


@pytest.mark.parametrize("damaged", [b"", b"{", b"\xff", b"[]", b'{"key": {}, "measurement": {}}'])
def test_a_damaged_file_is_measured_again(damaged: bytes) -> None:
    key = choice_key(tiny_setting())
    choice_file(key).parent.mkdir(parents=True)
    choice_file(key).write_bytes(damaged)
    assert read_choice(key) is None
    assert keep_choice(key, PLAIN) == PLAIN
    assert read_choice(key) == PLAIN


def test_a_folder_that_cannot_be_written_keeps_nothing(folder: Path) -> None:
    folder.parent.mkdir()
    folder.write_text("a file where the folder should be")
    assert keep_choice(choice_key(tiny_setting()), NATIVE) == NATIVE


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 16},
        {"channels": 8},
        {"k": 2},
        {"nodes": 3},
        {"layers": 4},
        {"precision": "fp64"},
        {"order": 2},
        {"image_size": 16},
        {"relaxation": "gumbel"},
        {"space": "s3"},
        {"accumulate": 2},
    ],
)
def test_other_shapes_have_another_choice(change: dict[str, object]) -> None:
    assert choice_file(choice_key(tiny_setting(**change))) != choice_file(
        choice_key(tiny_setting())
    )


def test_seed_and_number_of_epochs_do_not_matter() -> None:
    one, other = tiny_setting(seed=3, epochs=9, run_dir="elsewhere"), tiny_setting()
    assert choice_key(one) == choice_key(other)


def test_another_target_or_number_of_threads_has_another_choice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = [choice_key(tiny_setting())]
    monkeypatch.setenv("DARTS_NATIVE_TARGET", "avx2")
    keys.append(choice_key(tiny_setting()))
    monkeypatch.setattr("torch.get_num_threads", lambda: 64)
    keys.append(choice_key(tiny_setting()))
    assert len({str(choice_file(key)) for key in keys}) == 3
