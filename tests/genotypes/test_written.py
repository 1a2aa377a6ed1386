"""Genotypes as papers and other programs write them: read without running anything."""

from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genotypes import Genotype, GenotypeError, format_python, list_genotypes, load_genotype
from genotypes.nasbench201 import arch_string
from genotypes.synonyms import SYNONYMS

PCDARTS = (
    "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 0), "
    "('dil_conv_3x3', 1), ('sep_conv_5x5', 0), ('sep_conv_3x3', 1), ('avg_pool_3x3', 0), "
    "('dil_conv_3x3', 1)], normal_concat=range(2, 6), reduce=[('sep_conv_5x5', 1), "
    "('max_pool_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_5x5', 2), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('sep_conv_3x3', 2)], reduce_concat=range(2, 6))"
)
SMALL = "Genotype([('skip_connect', 0), ('{0}', 1)], [2], [('{0}', 0), ('{0}', 1)], [2])"

PYTHON_FILE = f"""\
from collections import namedtuple
Genotype = namedtuple('Genotype', 'normal normal_concat reduce reduce_concat')
raise SystemExit('this file is never run')
# OLD = {SMALL.format("max_pool_3x3")}
DARTS_V1 = Genotype(
  normal = [
    ('sep_conv_3x3', 1),  # a comment with a bracket )
    ('sep_conv_3x3', 0)],
  normal_concat = [2],
  reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1)], reduce_concat=[2])
PC_DARTS_cifar = {PCDARTS}

def genotype(gene):
  return Genotype(normal=gene, normal_concat=gene, reduce=gene, reduce_concat=gene)

PCDARTS = PC_DARTS_cifar
"""


def same_cell(one: Genotype, other: Genotype) -> bool:
    return one.with_name("x") == other.with_name("x")


@pytest.mark.parametrize("name", list_genotypes())
def test_every_published_genotype_survives_the_form_of_the_papers(
    name: str, tmp_path: Path
) -> None:
    genotype = load_genotype(name)
    assert same_cell(load_genotype(format_python(genotype)), genotype)
    file = tmp_path / "cells.py"
    file.write_text(f"{name} = {format_python(genotype)}\n")
    assert load_genotype(f"{file}:{name}") == genotype == load_genotype(str(file))


def test_the_text_of_a_paper_is_the_genotype_of_the_zoo() -> None:
    assert same_cell(load_genotype(PCDARTS), load_genotype("pcdarts_cifar10"))
    assert format_python(load_genotype("pcdarts_cifar10")) == PCDARTS


def test_a_python_file_is_read_and_not_run(tmp_path: Path) -> None:
    file = tmp_path / "genotypes.py"
    file.write_text(PYTHON_FILE)
    assert same_cell(load_genotype(f"{file}:PCDARTS"), load_genotype("pcdarts_cifar10"))
    assert load_genotype(f"{file}:DARTS_V1").normal == ((("sep_conv_3x3", 1), ("sep_conv_3x3", 0)),)
    with pytest.raises(GenotypeError, match=r"several.* DARTS_V1, PC_DARTS_cifar, PCDARTS"):
        load_genotype(str(file))
    with pytest.raises(GenotypeError, match=r"Did you mean 'PCDARTS'\?"):
        load_genotype(f"{file}:PCDART")
    with pytest.raises(GenotypeError, match="no genotype 'OLD'"):
        load_genotype(f"{file}:OLD")


def test_a_log_has_one_genotype_for_each_epoch(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    lines = [
        f"03/14 10:0{n} PM don't stop (genotype = {SMALL.format(operation)}"
        for n, operation in enumerate(("max_pool_3x3", "sep_conv_3x3"))
    ]
    log.write_text("\n".join(lines))
    assert load_genotype(f"{log}:1").reduce[0][0] == ("max_pool_3x3", 0)
    assert load_genotype(f"{log}:last") == load_genotype(f"{log}:2")
    assert load_genotype(f"{log}:2").reduce[0][0] == ("sep_conv_3x3", 0)


def test_json_holds_one_or_several(tmp_path: Path) -> None:
    genotype, file = load_genotype("darts_v2"), tmp_path / "cells.json"
    file.write_text(json.dumps(genotype.as_dict()))
    assert load_genotype(str(file)) == genotype
    file.write_text(json.dumps({"a": genotype.as_dict(), "b": {"normal": []}}))
    assert load_genotype(f"{file}:a") == genotype
    with pytest.raises(GenotypeError, match="b: missing key"):
        load_genotype(f"{file}:b")
    flat = {
        key: [pair for node in value for pair in node] if key in ("normal", "reduce") else value
        for key, value in genotype.as_dict().items()
        if key not in ("space", "provenance")
    }
    assert load_genotype(json.dumps(flat)) == genotype
    assert load_genotype(str(flat)) == genotype  # Python's quotes


def test_the_forms_of_nas_bench_201(tmp_path: Path) -> None:
    arch = "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"
    assert arch_string(load_genotype("(4, 0, 3, 1, 4, 3)")) == arch  # published with the benchmark
    file = tmp_path / "log.txt"
    file.write_text(f"epoch 1: Structure(4 nodes with {arch})\n")
    assert load_genotype(str(file)) == load_genotype(arch)


def test_nni_writes_one_key_for_each_operation() -> None:
    known, keys = load_genotype("darts_v2"), {}
    for kind in known.kinds:
        for target, node in enumerate(known.cell(kind)[0], 2):
            for place, (operation, source) in enumerate(node):
                keys[f"{kind}/op_{target}_{place}"] = operation
                keys[f"{kind}/input_{target}_{place}"] = [source] if place else source
    assert same_cell(load_genotype(json.dumps(keys)), known)
    del keys["normal/op_5_0"], keys["normal/op_5_1"]
    with pytest.raises(GenotypeError, match="nodes 2 to 5, but normal has 2, 3, 4"):
        load_genotype(json.dumps(keys))


def test_nni_1_names_the_kept_edges_of_a_node() -> None:
    values: dict[str, object] = {}
    for kind in ("normal", "reduce"):
        for target in range(2, 6):
            for source in range(target):
                values[f"{kind}_n{target}_p{source}"] = "sepconv3x3" if source else []
            values[f"{kind}_n{target}_switch"] = [f"{kind}_n{target}_p{s}" for s in (1, 0)]
            values[f"{kind}_n{target}_p0"] = "maxpool"
    genotype = load_genotype(json.dumps(values))
    assert genotype.reduce == ((("sep_conv_3x3", 1), ("max_pool_3x3", 0)),) * 4
    values["normal_n2_p0"] = 2
    with pytest.raises(GenotypeError, match="'normal_n2_p0' has 2 instead of the name"):
        load_genotype(json.dumps(values))


def test_names_of_other_programs_and_the_weights_of_gdas() -> None:
    assert set(SYNONYMS.values()) < set(load_genotype("darts_v2").rules.operations)
    text = SMALL.format("dua_sepc_5x5").replace("0)", "0, 0.125)")
    assert load_genotype(text).normal == ((("skip_connect", 0), ("sep_conv_5x5", 1)),)
    with pytest.raises(GenotypeError, match="unknown operation 'conv_3x3'"):
        load_genotype(SMALL.format("conv_3x3"))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Genotype(", "never closed"),
        ("Genotype(normal=x)", "'x' is not a plain value"),
        ("Genotype(normal=[].__class__)", "not a plain value"),
        ("Genotype(normal=[1 + 1])", "not a plain value"),
        ("Genotype(normal=__import__('os').system('true'))", "not a plain value"),
        ("Genotype(normal=open('f'), normal_concat=[])", "not a plain value"),
        ("Genotype(normal=range(0, 10**9))", "not a plain value"),
        ("Genotype(normal=range(0, 1000000000000))", "longer than a cell"),
        ("Genotype(normal=[], normal=[])", "twice|repeated"),
        ("Genotype(*[1])", "not a plain value"),
        ("Genotype(**{})", "'\\*\\*' is not read"),
        ("Genotype([], [], [], [], [])", "no more"),
        ("Genotype([('skip_connect', 0)], [2], [('skip_connect', 0)], [2])", "nodes of two"),
        (SMALL.format("none"), "absent edge"),
        (SMALL.format("skip_connect").replace("0)", "7)"), "source 7"),
        (SMALL.format("skip_connect").replace("0)", "True)"), "a source is a state number"),
        ('{"normal": [], "normal": []}', "twice"),
        ('{"normal"', "not valid JSON"),
        ("{" * 5000, "."),
        ("Genotype(" + "[" * 9000, "."),
        ("Genotype(" + "-" * 9000 + "1)", "."),
        ("Genotype(a" + ".b" * 9000 + ")", "."),
        ("Genotype(" + "1," * 20000 + ")", "20,000 characters"),
        ("Genotype(" + "9" * 10000 + ")", "."),
        ("nb201-" + "9" * 10000, "has the cells"),
        ("x" * 5000, "no such file"),
        ("~nobody-of-this-name/x", "no such file"),
        ("missing.py:X", "missing.py: there is no such file"),
        ("a\0b.py", "."),
    ],
)
def test_wrong_text_is_one_error(text: str, problem: str) -> None:
    with pytest.raises(GenotypeError, match=problem):
        load_genotype(text)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 8))
def test_damaged_text_is_a_genotype_or_one_error(seed: int, changes: int) -> None:
    draw, text = random.Random(seed), list(PCDARTS)
    for _ in range(changes):
        place = draw.randrange(len(text))
        text[place : place + draw.randrange(3)] = draw.choice("()[]{}',:=#\\\n\0 9-*x\ud800é")
    with contextlib.suppress(GenotypeError):
        load_genotype("".join(text))


def test_damaged_files_are_one_error(tmp_path: Path) -> None:
    contents = (b"", b"\xff\xfe", b"{", b"[" * 9000, b"Genotype = 3", b"- 2001-99-99", b'{"a": 1}')
    for number, content in enumerate(contents):
        for suffix in ("py", "txt", "json", "yaml"):
            file = tmp_path / f"{number}.{suffix}"
            file.write_bytes(content)
            with pytest.raises(GenotypeError):
                load_genotype(str(file))
