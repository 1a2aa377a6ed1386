"""Home directories that there are, and others."""

from pathlib import Path

import pytest

from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.errors import UserError
from genotypes import load_genotype
from genotypes.errors import GenotypeError
from genotypes.paths import user_path


def test_a_home_directory_is_found_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert user_path("~/photos") == Path("/home/me/photos")
    assert user_path(Path("photos/~")) == Path("photos/~")


def test_the_home_of_nobody_is_a_file_that_does_not_exist() -> None:
    assert user_path("~nosuchuser/photos") == Path("~nosuchuser/photos")
    with pytest.raises(UserError, match="there is no folder ~nosuchuser/photos"):
        open_dataset(DataOptions(dataset="folder:~nosuchuser/photos"))
    with pytest.raises(GenotypeError, match="no such file"):
        load_genotype("~nosuchuser/cell.yaml")
