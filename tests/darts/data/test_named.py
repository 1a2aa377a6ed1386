import gzip
import hashlib
import pickle
import urllib.error

import numpy as np
import pytest
import scipy.io
import torch

from darts.data import named
from darts.data.named import open_named
from darts.errors import UserError
from darts.system.torchvision_compat import torchvision

random = np.random.default_rng(0)


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def write_cifar(root, label_key="labels"):
    """Write six batches of two images in CIFAR-10's format; return the pixels `[12, 3, 32, 32]`."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    pixels = random.integers(0, 256, (12, 3072), np.uint8)
    names = [*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"]
    for number, name in enumerate(names):
        part = {"data": pixels[2 * number : 2 * number + 2], label_key: [number, number + 1]}
        (folder / name).write_bytes(pickle.dumps(part))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list("abcdefghij")}))
    return pixels.reshape(12, 3, 32, 32)


@pytest.fixture
def cifar_checksums(monkeypatch):
    """Make torchvision accept these small files with their own checksums."""

    def accept(root):
        folder, kind = root / "cifar-10-batches-py", torchvision.datasets.CIFAR10
        for part in ("train_list", "test_list"):
            names = [name for name, _ in getattr(kind, part)]
            monkeypatch.setattr(kind, part, [[name, md5(folder / name)] for name in names])
        monkeypatch.setattr(kind, "meta", kind.meta | {"md5": md5(folder / "batches.meta")})

    return accept


def test_cifar10(tmp_path, cifar_checksums):
    pixels = write_cifar(tmp_path)
    cifar_checksums(tmp_path)
    source = open_named("cifar10", tmp_path, download=False)
    assert torch.equal(source.train.fetch(torch.arange(10)), torch.from_numpy(pixels[:10]))
    assert torch.equal(source.test.fetch(torch.arange(2)), torch.from_numpy(pixels[10:]))
    assert source.train.labels.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    assert source.classes == tuple("abcdefghij")
    assert source.flip
    assert source.statistics[0] == (0.49139968, 0.48215827, 0.44653124)


def test_svhn(tmp_path, monkeypatch):
    pixels = random.integers(0, 256, (32, 32, 3, 5), np.uint8)  # [H, W, 3, N]
    splits = {}
    for part in ("train", "test"):
        path = tmp_path / f"{part}_32x32.mat"
        scipy.io.savemat(path, {"X": pixels, "y": np.array([[10], [1], [2], [10], [9]])})
        splits[part] = ["", path.name, md5(path)]
    monkeypatch.setattr(torchvision.datasets.SVHN, "split_list", splits)
    source = open_named("svhn", tmp_path, download=False)
    expected = torch.from_numpy(pixels.transpose(3, 2, 0, 1).copy())
    assert torch.equal(source.test.fetch(torch.arange(5)), expected)
    assert source.train.labels.tolist() == [0, 1, 2, 0, 9]
    assert source.classes == tuple("0123456789")
    assert not source.flip


def test_fashion_mnist(tmp_path):
    raw = tmp_path / "FashionMNIST" / "raw"
    raw.mkdir(parents=True)
    pixels = random.integers(0, 256, (4, 28, 28), np.uint8)
    for part in ("train", "t10k"):
        header = np.array([0x0803, 4, 28, 28], ">i4").tobytes()
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        header = np.array([0x0801, 4], ">i4").tobytes()
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(header + bytes([9, 0, 3, 3]))
    source = open_named("fashion-mnist", tmp_path, download=False)
    assert source.train.pixels.shape == (4, 1, 28, 28)
    batch = source.train.fetch(torch.arange(4))
    assert all((batch[:, channel].numpy() == pixels).all() for channel in range(3))
    assert source.test.labels.tolist() == [9, 0, 3, 3]
    assert source.classes[9] == "Ankle boot"
    assert source.size == 28


def test_damaged_files_are_not_used(tmp_path):
    write_cifar(tmp_path)  # without the official checksums
    with pytest.raises(UserError, match=rf"cifar10 in {tmp_path} are incomplete or damaged"):
        open_named("cifar10", tmp_path, download=True)


def test_absent_and_not_to_be_fetched(tmp_path):
    with pytest.raises(UserError, match="downloading is switched off") as caught:
        open_named("cifar10", tmp_path, download=False)
    assert str(tmp_path / "cifar-10-batches-py") in str(caught.value)
    assert "choose among digits, folder:PATH and array:FILE.npz" in str(caught.value)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "svhn", "fashion-mnist"])
def test_without_a_network_nothing_stays_behind(tmp_path, monkeypatch, name):
    def no_network(*_, **__):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", no_network)
    with pytest.raises(UserError, match=f"{name} is not on this machine.*downloading failed"):
        open_named(name, tmp_path / "new" / "data", download=True)
    assert list(tmp_path.iterdir()) == []


def test_a_broken_download_leaves_what_was_there(tmp_path, monkeypatch):
    def broken(self):
        path = self.root / "cifar-10-python.tar.gz"
        path.write_bytes(gzip.compress(b"half of the arch"))
        raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr(torchvision.datasets.CIFAR10, "download", broken)
    (tmp_path / "train_32x32.mat").write_bytes(b"another data set")
    with pytest.raises(UserError, match=r"downloading failed \(File not found or corrupted"):
        open_named("cifar10", tmp_path, download=True)
    assert [path.name for path in tmp_path.iterdir()] == ["train_32x32.mat"]


def test_a_download_arrives_whole(tmp_path, monkeypatch, cifar_checksums):
    fetched = []

    def download(self):
        if not fetched:
            fetched.append(write_cifar(self.root))
            (self.root / "cifar-10-python.tar.gz").write_bytes(b"")
            cifar_checksums(self.root)

    monkeypatch.setattr(torchvision.datasets.CIFAR10, "download", download)
    source = open_named("cifar10", tmp_path / "data", download=True)
    assert torch.equal(source.train.fetch(torch.arange(10)), torch.from_numpy(fetched[0][:10]))
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cifar-10-batches-py"]


def test_a_dead_network_is_given_up_soon():
    import socket

    before = socket.getdefaulttimeout()
    with named._patience(7):
        assert socket.getdefaulttimeout() == 7
    assert socket.getdefaulttimeout() == before
