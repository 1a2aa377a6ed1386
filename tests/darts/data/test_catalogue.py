import subprocess
import sys

from darts.data.catalogue import KNOWN, find, list_datasets, missing_error


def test_an_empty_directory_has_the_digits(tmp_path):
    rows = {row.name: row for row in list_datasets(str(tmp_path))}
    assert [name for name, row in rows.items() if row.present] == ["digits"]
    assert rows["digits"].where == "comes with scikit-learn"
    assert rows["cifar10"].where == str(tmp_path / "cifar-10-batches-py")
    assert (rows["cifar10"].train_images, rows["cifar10"].test_images) == (50_000, 10_000)
    assert (rows["cifar100"].classes, rows["fashion-mnist"].size) == (100, 28)


def test_what_is_there_is_found(tmp_path):
    for folder in ("cifar-10-batches-py", "FashionMNIST/raw"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "train_32x32.mat").touch()  # SVHN without its test images
    present = {row.name for row in list_datasets(str(tmp_path)) if row.present}
    assert present == {"digits", "cifar10", "fashion-mnist"}


def test_imagenet_is_a_folder_below_or_the_directory_itself(tmp_path):
    for part in ("train", "val"):
        (tmp_path / "imagenet" / part).mkdir(parents=True)
    below = (tmp_path / "imagenet" / "train", tmp_path / "imagenet" / "val")
    assert find("imagenet", tmp_path) == find("imagenet", tmp_path / "imagenet") == below


def test_the_directory_can_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("DARTS_DATA", str(tmp_path))
    assert list_datasets()[1].where.startswith(str(tmp_path))
    monkeypatch.delenv("DARTS_DATA")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert list_datasets()[1].where.startswith(f"{tmp_path}/.cache/darts/data/")


def test_the_error_says_where_and_what_remains(tmp_path):
    (tmp_path / "cifar-100-python").mkdir()
    message = str(missing_error("svhn", tmp_path, "no network"))
    assert str(tmp_path / "test_32x32.mat") in message
    assert "no network" in message
    assert "digits, cifar100, folder:PATH and array:FILE.npz" in message


def test_published_statistics_are_plausible():
    for known in KNOWN.values():
        if known.statistics:
            mean, std = known.statistics
            assert len(mean) == len(std) == 3
            assert (
                all(0 < d < m < 0.6 for m, d in zip(mean, std, strict=True)) or mean[0] == mean[1]
            )


def test_listing_and_options_need_no_torch():
    check = "import sys, darts.data.catalogue; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
