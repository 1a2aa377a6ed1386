import dataclasses
import inspect
from pathlib import Path

from darts.data.options import DataOptions, data_directory


def test_every_option_is_explained():
    text = inspect.getdoc(DataOptions)
    for field in dataclasses.fields(DataOptions):
        assert f"\n    {field.name}: " in text


def test_the_given_directory_wins(monkeypatch, tmp_path):
    monkeypatch.setenv("DARTS_DATA", "/elsewhere")
    assert data_directory(str(tmp_path)) == tmp_path
    assert data_directory() == Path("/elsewhere")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_directory("~/data") == tmp_path / "data"
