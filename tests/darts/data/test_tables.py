"""Data sets that a table lists: columns, files, labels and parts, or a sentence why not."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from darts.data.options import DataOptions
from darts.data.sources import open_dataset
from darts.data.tables.columns import TableColumns
from darts.data.tables.labels import read_labels_of
from darts.data.tables.text_table import TextTable, read_text_table
from darts.errors import UserError


def picture(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(path)


@pytest.fixture
def write_table(tmp_path):
    """Write a table beside its images, which are grey with the number of their row."""

    def write(header, rows, *, folder="", suffix="", column=0, encoding="utf-8", delimiter=","):
        file = tmp_path / "labels.csv"
        with file.open("w", newline="", encoding=encoding) as stream:
            csv.writer(stream, delimiter=delimiter).writerows([header, *rows])
        for number, row in enumerate(rows):
            picture(tmp_path / folder / f"{row[column]}{suffix}", number)
        return file

    return write


ROWS = [(f"{number}.png", "cat" if number % 2 else "dog") for number in range(10)]


def opened(path, **options):
    return open_dataset(DataOptions(dataset=f"csv:{path}", **options))


def told(images) -> dict[int, int]:
    """The label of each image by its grey value."""
    grey = images.fetch(torch.arange(len(images)))[:, 0, 0, 0]
    return dict(zip(grey.tolist(), images.labels.tolist(), strict=True))


def refusal(path, **options) -> str:
    with pytest.raises(UserError) as error:
        opened(path, **options)
    return str(error.value)


@pytest.mark.parametrize("path", ["image_id", "id", "Filename", "Image Path", "file_name", "photo"])
@pytest.mark.parametrize("label", ["label", "Class", "target", "category", "species", "breed"])
def test_columns_with_usual_names(write_table, path, label) -> None:
    rows = [("x", name, other) for name, other in ROWS]
    dataset = opened(write_table(("who", path, label), rows, column=1))
    assert dataset.classes == ("cat", "dog")
    assert told(dataset.train) | told(dataset.test) == {n: int(n % 2 == 0) for n in range(10)}


def test_every_fifth_image_of_each_class_is_held_out_and_the_same_for_each_seed(
    write_table, capsys
) -> None:
    file = write_table(("image", "label"), [(f"{n}.png", "ab"[n < 15]) for n in range(30)])
    first = opened(file)
    assert "every fifth image of each class" in capsys.readouterr().err
    again = open_dataset(DataOptions(dataset=f"csv:{file}"), seed=1)
    assert torch.bincount(first.test.labels).tolist() == [3, 3]
    assert told(first.test) == told(again.test)
    # They do not follow the order of the rows.
    assert sorted(told(first.test)) != [4, 9, 14, 19, 24, 29]


def test_numbers_without_suffix_in_a_folder_beside_as_kaggle_has_them(tmp_path) -> None:
    rows = [f"{n:04},{'rose' if n % 2 else 'lily'}" for n in range(10)]
    (tmp_path / "lists").mkdir()
    file = tmp_path / "lists" / "train.csv"
    file.write_text("id,species\n" + "\n".join(rows))
    for n in range(10):
        picture(tmp_path / "train_images" / f"{n:04}.png", n)
    assert told(opened(file).train) | told(opened(file).test) == {
        n: int(n % 2 == 1) for n in range(10)
    }


def test_the_folder_of_the_tables_name_comes_first(tmp_path) -> None:
    (tmp_path / "train.csv").write_text(
        "id,label\n" + "\n".join(f"{n},{'ab'[n % 2]}" for n in range(10))
    )
    for n in range(10):
        picture(tmp_path / "test" / f"{n}.png", 100 + n)
        picture(tmp_path / "train" / f"{n}.png", n)
    assert max(told(opened(tmp_path / "train.csv").train)) < 100


@pytest.mark.parametrize(
    ("encoding", "delimiter"),
    [("utf-8-sig", ";"), ("utf-16", "\t"), ("cp1252", "|"), ("utf-8", ",")],
)
def test_encodings_delimiters_and_quotes(write_table, encoding, delimiter) -> None:
    rows = [(f"été,;|{n}.png", "crème" if n % 2 else 'brûlée "x"') for n in range(10)]
    file = write_table(("image", "label"), rows, encoding=encoding, delimiter=delimiter)
    assert opened(file).classes == ('brûlée "x"', "crème")
    table = read_text_table(file)
    assert table.columns == ("image", "label")
    assert [row[0] for row in table.rows] == [row[0] for row in rows]


def test_a_column_of_parts(write_table, capsys) -> None:
    parts = ["train"] * 4 + ["valid", "valid", "test", "test", "train", "train"]
    rows = [(*row, part) for row, part in zip(ROWS, parts, strict=True)]
    file = write_table(("image", "label", "split"), rows)
    assert sorted(told(opened(file).test)) == [6, 7]
    words = capsys.readouterr().err
    assert "the rows of test" in words
    assert "2 rows of val are not used; --test-part val" in words
    assert sorted(told(opened(file, test_part="val").test)) == [4, 5]


def test_one_hot_columns_are_classes(write_table, capsys) -> None:
    rows = [(f"{n}.png", int(n % 2 == 0), int(n % 2 == 1)) for n in range(10)]
    dataset = opened(write_table(("image", "healthy", "rust"), rows))
    assert dataset.classes == ("healthy", "rust")
    assert told(dataset.train)[1] == 1
    assert "one-hot" in capsys.readouterr().err


def table_of(header, *rows) -> TextTable:
    return TextTable(Path("t.csv"), header, rows, tuple(range(2, len(rows) + 2)), "utf-8")


def labels_of(*values, wish="auto"):
    rows = tuple(("x.png", value) for value in values)
    return read_labels_of(table_of(("image", "label"), *rows), TableColumns(0, (1,), None), wish)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (("a|b", "a", "c"), "abc"),
        (("a;b", "b"), "ab"),
        (("a, b", "a", "b", "['b', 'c']", "c"), "abc"),
        (("haze primary", "primary", "haze", "haze cloud", "cloud"), ["cloud", "haze", "primary"]),
    ],
)
def test_several_labels_in_a_value(values, classes) -> None:
    found = labels_of(*values)
    assert found.several
    assert found.classes == tuple(classes)
    assert len(found.rows[0]) == 2


@pytest.mark.parametrize(
    "values",
    [
        ("golden retriever", "german shepherd", "pug", "pug"),
        ("red car", "blue car", "red bike", "red bike"),
        ("New York, NY", "Boston, MA", "Boston, MA"),
    ],
)
def test_names_of_several_words_are_one_label(values) -> None:
    assert not labels_of(*values).several
    assert labels_of(*values, wish="multi-label").several


def test_classes_of_numbers_are_in_order() -> None:
    assert labels_of("10", "9", "9").classes == ("9", "10")


def test_marks_are_several_labels_unless_each_row_has_one() -> None:
    rows = [("a", "1", "1"), ("b", "-1", "1")]
    found = read_labels_of(table_of(("image", "u", "v"), *rows), TableColumns(0, (1, 2), None))
    assert found.several
    assert found.rows == (frozenset("uv"), frozenset("v"))
    with pytest.raises(UserError, match="line 2: 2 labels, but --task single-label"):
        read_labels_of(
            table_of(("image", "u", "v"), *rows), TableColumns(0, (1, 2), None), "single-label"
        )


def test_missing_files_are_named_with_their_line(write_table, capsys) -> None:
    file = write_table(("image", "label"), ROWS)
    (file.parent / "3.png").unlink()
    assert "'3.png' in " + f"{file}, line 5" in refusal(file)
    dataset = opened(file, skip_corrupt=True)
    assert len(dataset.train) + len(dataset.test) == 9
    assert "of 1 of the 10 rows there is no file" in capsys.readouterr().err


def test_repeated_rows_count_once_and_conflicts_are_refused(write_table, capsys) -> None:
    dataset = opened(write_table(("image", "label"), [*ROWS, ROWS[0]]))
    assert len(dataset.train) + len(dataset.test) == 10
    assert "1 rows repeat an image" in capsys.readouterr().err
    file = write_table(("image", "label"), [*ROWS, ("0.png", "cat")])
    assert "lines 2 and 12" in refusal(file)
    file = write_table(
        ("image", "label", "split"),
        [("a.png", "x", "train"), ("a.png", "x", "test"), ("b.png", "y", "test")],
    )
    assert "is in train and in test" in refusal(file)


def test_images_elsewhere_are_read_and_said(tmp_path, capsys) -> None:
    (tmp_path / "here").mkdir()
    lines = [f"../there/{n}.png,{'ab'[n % 2]}" for n in range(10)]
    for n in range(10):
        picture(tmp_path / "there" / f"{n}.png", n)
    (tmp_path / "here" / "t.csv").write_text("path,label\n" + "\n".join(lines))
    dataset = opened(tmp_path / "here" / "t.csv")
    assert dataset.files is not None
    assert dataset.files.root == tmp_path
    assert "10 images lie outside" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("header", "rows", "words"),
    [
        (("image", "a", "b"), [("0.png", "x", "y"), ("1.png", "y", "x")], "--label-columns"),
        (("image", "label"), [("0.png", "x"), ("1.png", "")], "line 3: no label"),
        (("image", "label"), [("0.png", "x")], "at least 2 classes"),
        (("image", "label"), [(f"{n}.png", str(n)) for n in range(5)], "label of its own"),
        (
            ("image", "y"),
            [(f"{n}.png", f"{n % 40}.{n % 7}1") for n in range(90)],
            "these are measurements",
        ),
        (("image", "label", "label"), [("0.png", "x", "x")], "two columns"),
    ],
)
def test_what_cannot_be_right_is_refused(write_table, header, rows, words) -> None:
    assert words.lower() in refusal(write_table(header, rows)).lower()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"image,label\n0.png,a,b\n", "line 2: 3 values in a table of 2 columns"),
        (b"image,label\n", "at least one row"),
        (b"\x89PNG\0\0\0", "no table of text"),
        (b'image,label\n"0.png,a\n', "2 columns"),
        (b"image,label\nnone.png,a\n/dev/zero,b\n", "is an image file"),
    ],
)
def test_files_that_are_no_table(tmp_path, content, words) -> None:
    file = tmp_path / "labels.csv"
    file.write_bytes(content)
    assert words in refusal(file)


def test_ambiguous_names_and_flags(write_table) -> None:
    file = write_table(("image", "label"), [(row[0][:-4], row[1]) for row in ROWS], suffix=".png")
    picture(file.parent / "1.jpg")
    assert "could be 1.jpg or 1.png" in refusal(file)
    assert "has no column 'foto'" in refusal(file, path_column="foto")
    assert "no value of column 'label' is an image file" in refusal(file, path_column="label")
    assert "'cat' in column 'label' is no part" in refusal(
        write_table(("image", "label"), ROWS[1:]), part_column="label"
    )


def test_numbers_and_names_of_the_same_classes(write_table) -> None:
    rows = [(name, str(n % 2), label) for n, (name, label) in enumerate(ROWS)]
    assert opened(write_table(("image", "class_id", "class_name"), rows)).classes == ("cat", "dog")
    rows[0] = (rows[0][0], "1", rows[0][2])
    assert "which column has the labels" in refusal(
        write_table(("image", "class_id", "class_name"), rows)
    )
