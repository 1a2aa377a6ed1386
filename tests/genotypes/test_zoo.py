"""The zoo and the YAML form: golden genotypes, round trips, messages for bad files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import genotypes.zoo
from genotypes import (
    GenotypeError,
    format_genotype,
    list_genotypes,
    load_genotype,
    parse_genotype,
    save_genotype,
)

NAMES_OF_THE_FACTS = {
    "amoebanet": "AmoebaNet",
    "darts_v1": "DARTS_V1",
    "darts_v2": "DARTS_V2",
    "nasnet": "NASNet",
    "pcdarts_cifar10": "PC_DARTS_cifar",
    "pcdarts_imagenet": "PC_DARTS_image",
    "pdarts_cifar10": "P_DARTS_cifar10",
}
ZOO = tuple(NAMES_OF_THE_FACTS)


def test_the_zoo_holds_the_published_genotypes() -> None:
    assert set(ZOO) <= set(list_genotypes())


@pytest.mark.parametrize("name", ZOO)
def test_golden_genotypes(name: str, shared: Path) -> None:
    facts = json.loads((shared / "facts" / "genotypes.json").read_text())[NAMES_OF_THE_FACTS[name]]
    genotype = load_genotype(name)
    for kind in ("normal", "reduce"):
        nodes, concat = genotype.cell(kind)
        assert [list(pair) for node in nodes for pair in node] == facts[kind]
        assert list(concat) == facts[f"{kind}_concat"]


def test_spot_checks() -> None:
    assert load_genotype("pcdarts_imagenet").normal == (
        (("skip_connect", 1), ("sep_conv_3x3", 0)),
        (("sep_conv_3x3", 0), ("skip_connect", 1)),
        (("sep_conv_3x3", 1), ("sep_conv_3x3", 3)),
        (("sep_conv_3x3", 1), ("dil_conv_5x5", 4)),
    )
    assert load_genotype("darts_v1").reduce[3] == (("skip_connect", 2), ("avg_pool_3x3", 0))
    assert load_genotype("pdarts_cifar10").reduce[0] == (("avg_pool_3x3", 0), ("sep_conv_5x5", 1))
    assert load_genotype("amoebanet").reduce[4] == (("conv_7x1_1x7", 0), ("sep_conv_3x3", 5))
    assert load_genotype("nasnet").reduce_concat == (4, 5, 6)


@pytest.mark.parametrize("name", list_genotypes())
def test_every_file_of_the_zoo_has_its_name_its_provenance_and_the_standard_layout(
    name: str,
) -> None:
    genotype = load_genotype(name)
    assert genotype.name == name
    assert genotype.provenance["searched_on"] in ("cifar10", "imagenet")
    assert {"source", "repository"} <= set(genotype.provenance)
    text = (Path(genotypes.zoo.__file__).parent / f"{name}.yaml").read_text(encoding="utf-8")
    assert text == format_genotype(genotype)


def test_published_figures() -> None:
    published = load_genotype("pcdarts_imagenet").provenance["published"]
    assert published["imagenet"]["top1_error_percent"] == 24.2
    assert published["imagenet"]["multiply_adds_millions"] == 597
    assert "cifar10" not in published
    cifar = load_genotype("pcdarts_cifar10").provenance["published"]["cifar10"]
    assert cifar["test_error_percent"] == 2.57
    assert cifar["parameters_millions"] == 3.6


@pytest.mark.parametrize("name", ZOO)
def test_yaml_round_trip(name: str, tmp_path: Path) -> None:
    genotype = load_genotype(name)
    path = tmp_path / "new" / "folder" / "copy.yaml"
    save_genotype(genotype, path)
    again = load_genotype(path)
    assert again == genotype
    assert again.provenance == genotype.provenance
    assert [entry.name for entry in path.parent.iterdir()] == ["copy.yaml"]


@pytest.mark.parametrize("name", ["yes", "12", "a: b # c", "Ünïcode", "two\nlines"])
def test_awkward_names_survive(name: str, tmp_path: Path) -> None:
    genotype = load_genotype("darts_v2").with_name(name)
    save_genotype(genotype, tmp_path / "x.yaml")
    assert load_genotype(tmp_path / "x.yaml") == genotype


def test_one_node_a_line() -> None:
    lines = format_genotype(load_genotype("pcdarts_cifar10")).splitlines()
    assert "  - [[sep_conv_3x3, 1], [skip_connect, 0]]" in lines
    assert "reduce_concat: [2, 3, 4, 5]" in lines


def test_saving_replaces_a_file_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    save_genotype(load_genotype("darts_v1"), path)
    unspeakable = load_genotype("darts_v2").as_dict() | {"provenance": {"by": object()}}
    with pytest.raises(GenotypeError, match="genotype 'darts_v2': provenance: YAML cannot express"):
        save_genotype(parse_genotype(unspeakable, "x"), path)
    assert load_genotype(path) == load_genotype("darts_v1")
    save_genotype(load_genotype("darts_v2"), path)
    assert load_genotype(path) == load_genotype("darts_v2")
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_directory_gives_its_genotype(tmp_path: Path) -> None:
    save_genotype(load_genotype("darts_v2"), tmp_path / "genotype.yaml")
    assert load_genotype(tmp_path) == load_genotype("darts_v2")
    assert load_genotype(str(tmp_path)) == load_genotype("darts_v2")


def test_a_missing_genotype_names_the_zoo_and_the_closest(tmp_path: Path) -> None:
    with pytest.raises(GenotypeError) as caught:
        load_genotype("pc_darts_image")
    message = str(caught.value)
    assert message.startswith(
        "no genotype 'pc_darts_image' (did you mean 'pcdarts_imagenet'?): no such file or name"
    )
    assert all(name in message for name in ZOO)
    with pytest.raises(GenotypeError, match=r"did you mean 'pcdarts_cifar10'"):
        load_genotype("PCDARTS")
    missing = tmp_path / "nothing.yaml"
    with pytest.raises(GenotypeError, match=re.escape(f"no genotype '{missing}': no such file (")):
        load_genotype(missing)


BAD_FILES = [
    (b"normal: [1, 2\nreduce: 3\n", "not valid YAML in line 2, column 7: expected ',' or ']'"),
    (b"name: a\nname: b\n", "not valid YAML in line 2, column 1: the key 'name' occurs twice"),
    (b"\xff\xfe\x00", "not a text file"),
    (b"name: \x07\n", "not valid YAML"),
    (b"", "a genotype is a mapping of keys, not nothing"),
    (b"- 1\n", "a genotype is a mapping of keys, not list [1]"),
    (b"!!python/object:os.system x\n", "not valid YAML in line 1"),
    (b"name: a\n", "missing key 'normal', 'normal_concat', 'reduce', 'reduce_concat'"),
]


@pytest.mark.parametrize(("content", "message"), BAD_FILES, ids=[m[:30] for _, m in BAD_FILES])
def test_bad_files_are_named(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(GenotypeError, match=re.escape(f"{path}: {message}")):
        load_genotype(path)


def test_messages_about_the_zoo_name_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.yaml").write_text("name: mine\n")
    monkeypatch.setattr(genotypes.zoo, "_ZOO", tmp_path)
    with pytest.raises(GenotypeError, match=r"^genotypes/mine\.yaml: missing key 'normal'"):
        load_genotype("mine")
