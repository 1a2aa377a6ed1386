"""Files of `--use`: read, run once, kept, compared; what goes wrong in them."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from darts.cli import main
from darts.errors import UserError
from darts.run_files import RunFiles
from darts.searching.options import SearchOptions, search_overlay
from darts.settings.parsing import options_from
from darts.settings.used_files import (
    UsedFile,
    check_same_files,
    differing_files,
    failure_in_used_file,
    files_in_use,
    keep_files,
    kept_files,
    mentioned,
    read_files,
    run_file,
    use_files,
)


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Modules of these tests do not stay."""
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith("darts_used_"):
            del sys.modules[name]


def written(folder: Path, text: str, name: str = "mine.py") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return str(folder / name)


COUNTING = """import pathlib
with pathlib.Path(__file__).with_name("runs").open("a") as stream:
    stream.write("x")
"""


def test_a_file_runs_once_in_a_module_of_its_own(tmp_path: Path) -> None:
    path = written(tmp_path, COUNTING + "VALUE = 3\n")
    (file,) = use_files(path)
    assert use_files(path) == (file,)
    assert (tmp_path / "runs").read_text() == "x"
    assert sys.modules[file.module].VALUE == 3
    assert file.module.startswith("darts_used_")


def test_the_same_content_elsewhere_is_the_same_module(tmp_path: Path) -> None:
    (one,) = use_files(written(tmp_path, COUNTING))
    (two,) = use_files(written(tmp_path / "copy", COUNTING))
    assert one.module == two.module
    assert not (tmp_path / "copy" / "runs").exists()


def test_string_annotations_work_in_dataclasses(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "from typing import ClassVar\n@dataclass(frozen=True)\nclass Part:\n"
        "    size: float = 1.0\n    fixed: ClassVar[bool] = True\n",
    )
    (file,) = use_files(path)
    fields = dataclasses.fields(sys.modules[file.module].Part)
    assert [one.name for one in fields] == ["size"]


def test_a_file_that_changes_is_refused_in_the_same_process(tmp_path: Path) -> None:
    path = written(tmp_path, "VALUE = 1\n")
    (file,) = use_files(path)
    written(tmp_path, "VALUE = 2\n")
    assert files_in_use(path) == (file,)
    with pytest.raises(UserError, match=r"has changed since this process ran it. Start a new"):
        use_files(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\ndef f(:\n", r"mine.py: line 2: SyntaxError: "),
        (
            "x = 1\n\nimport not_there_at_all\n",
            r"line 3: ModuleNotFoundError: .*installed packages",
        ),
        ("from math import nothing\n", r"line 1: ImportError: "),
        ("def f():\n    return 1 / 0\n\nf()\n", r"line 2: ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(3)\n", r"line 2: SystemExit: 3"),
        ("from darts.plugins import register\nregister('x', 'y')\n", r"line 2: There is no kind"),
        ("\0", r"mine.py: .*null bytes"),
    ],
)
def test_what_goes_wrong_in_a_file(text: str, words: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    for _ in range(2):  # It does not count as run.
        with pytest.raises(UserError, match=words):
            use_files(path)


def test_a_wrong_file_ends_a_command_with_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["spaces", "darts", "--use", written(tmp_path, "1 / 0\n")]) == 2
    assert capsys.readouterr().err.endswith(
        "mine.py: line 1: ZeroDivisionError: division by zero\n"
    )


def test_an_error_in_the_users_code_later_names_its_line(tmp_path: Path) -> None:
    (file,) = use_files(written(tmp_path, "def f(x):\n    return x[1]\n"))
    with pytest.raises(KeyError) as caught:
        sys.modules[file.module].f({})
    assert failure_in_used_file(caught.value) == f"{tmp_path / 'mine.py'}: line 2: KeyError: 1"
    assert failure_in_used_file(ValueError("elsewhere")) is None


def test_which_files_can_be_named(tmp_path: Path) -> None:
    one, two = written(tmp_path, ""), written(tmp_path / "other", "x = 1")
    with pytest.raises(UserError, match=r"cannot be read: No such file"):
        read_files(str(tmp_path / "none.py"))
    with pytest.raises(UserError, match=r"a Python file is needed"):
        read_files(str(tmp_path))
    with pytest.raises(UserError, match=r"both files have the name mine.py"):
        read_files(f"{one},{two}")


def test_a_run_keeps_files_and_accepts_only_the_same(tmp_path: Path) -> None:
    run = RunFiles(tmp_path)
    file, other = UsedFile("a.py", b"x = 1\n"), UsedFile("b.py", b"x = 2\n")
    check_same_files((), run)
    keep_files((), run)
    assert not run.used.exists()
    keep_files((file, other), run)
    assert kept_files(run) == {"a.py": file.sha256, "b.py": other.sha256}
    check_same_files((other, file), run)
    kept = ",".join(str(run.used / name) for name in ("a.py", "b.py"))
    with pytest.raises(UserError, match=rf"uses b.py.*--use {kept}"):
        check_same_files((file,), run)
    with pytest.raises(UserError, match=r"elsewhere/b.py: the file differs"):
        check_same_files((file, UsedFile("elsewhere/b.py", b"x = 3\n")), run)
    with pytest.raises(UserError, match=r"--use c.py: .* did not use this file"):
        check_same_files((file, other, UsedFile("c.py", b"")), run)


def test_a_run_that_lost_its_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("use: mine.py\n")
    with pytest.raises(UserError, match=r"SHA256SUMS is missing: the run used mine.py"):
        options_from(SearchOptions, {"resume": str(tmp_path)}, search_overlay)


@pytest.mark.skipif(sys.platform != "linux", reason="needs sha256sum")
def test_checksums_have_the_usual_form(tmp_path: Path) -> None:
    run = RunFiles(tmp_path)
    keep_files((UsedFile("a.py", b"x = 1\n"),), run)
    assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=run.used).returncode == 0


def test_a_genotype_mentions_files(tmp_path: Path) -> None:
    run = RunFiles(tmp_path / "run")
    mention = mentioned((UsedFile("mine.py", b"x = 1\n"),), run)
    assert differing_files(mention) == []  # No other version has run here.
    run_file(UsedFile(str(tmp_path / "mine.py"), b"x = 2\n"))
    assert differing_files(mention) == ["mine.py"]
    assert differing_files(None) == differing_files({"mine.py": "?"})[1:] == []
