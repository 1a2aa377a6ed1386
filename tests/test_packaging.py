"""A built wheel contains everything that a command needs, and the metadata are complete."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[1]
PACKAGES = ("ops", "cells", "genotypes", "darts")
DISTRIBUTIONS = {"PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which a wheel, built from a copy of the sources, has been unpacked."""
    source = tmp_path_factory.mktemp("source")
    leftovers = shutil.ignore_patterns("__pycache__")
    for folder in (*PACKAGES, "configs"):
        shutil.copytree(CHECKOUT / folder, source / folder, symlinks=True, ignore=leftovers)
    for file in ("setup.cfg", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "search.py"):
        shutil.copy(CHECKOUT / file, source)
    build = "from setuptools import build_meta; build_meta.build_wheel('dist')"
    subprocess.run([sys.executable, "-c", build], cwd=source, check=True, capture_output=True)
    (wheel,) = (source / "dist").glob("*.whl")
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def test_the_wheel_holds_every_module_and_resource(site: Path) -> None:
    sources = [
        path.relative_to(CHECKOUT)
        for package in PACKAGES
        for pattern in ("*.py", "py.typed", "*.yaml", "templates/*")
        for path in (CHECKOUT / package).rglob(pattern)
    ]
    recipes = [
        Path("darts", path.relative_to(CHECKOUT)) for path in CHECKOUT.glob("configs/**/*.yaml")
    ]
    assert [str(path) for path in (*sources, *recipes) if not (site / path).is_file()] == []


def test_the_wheel_holds_nothing_else(site: Path) -> None:
    top = {path.name for path in site.iterdir() if not path.name.endswith(".dist-info")}
    assert top == set(PACKAGES)


def test_the_wheel_holds_the_licence(site: Path) -> None:
    (copy,) = site.glob("*.dist-info/**/LICENSE")
    assert copy.read_bytes() == (CHECKOUT / "LICENSE").read_bytes()


def test_the_citation_and_the_changelog_name_the_version() -> None:
    settings = ConfigParser()
    settings.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    metadata = settings["metadata"]
    citation = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == metadata["version"]
    assert citation["license"] == metadata["license"]
    changelog = (CHECKOUT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{metadata['version']}]" in changelog


def test_the_wheel_works_outside_the_checkout(site: Path, tmp_path: Path) -> None:
    program = """
import darts, genotypes
from darts.cli import main
from darts.settings.recipes import config_path, list_configs
print(darts.__file__)
for name in genotypes.list_genotypes():
    genotypes.load_genotype(name)
print(*map(config_path, list_configs()), sep="\\n")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [Path(line) for line in done.stdout.splitlines()]
    assert len(found) == 1 + len(list(CHECKOUT.glob("configs/*.yaml")))
    assert all(path.is_relative_to(site) for path in found)


def imported_libraries() -> set[str]:
    """Top-level names that the packages import and neither they nor Python itself provide."""
    names = set()
    for path in (path for package in PACKAGES for path in (CHECKOUT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - set(sys.stdlib_module_names) - set(PACKAGES)


def test_setup_cfg_names_every_library_that_is_imported() -> None:
    settings = ConfigParser()
    settings.read(CHECKOUT / "setup.cfg", encoding="utf-8")
    extras = (value for name, value in settings["options.extras_require"].items() if name != "dev")
    declared = {
        re.split(r"[\[<>=!~ ]", line)[0].lower()
        for text in (settings["options"]["install_requires"], *extras)
        for line in text.split()
    }
    needed = {DISTRIBUTIONS.get(name, name) for name in imported_libraries()}
    assert needed - declared == set()
