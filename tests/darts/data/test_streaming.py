import io
import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from darts.data import streaming
from darts.data.pixels import decode
from darts.data.streaming import ImageFiles
from darts.errors import UserError


@pytest.fixture
def files(tmp_path, write_folder):
    written = write_folder(tmp_path, {"a": 4, "b": 5})
    paths = tuple(map(str, sorted(tmp_path.rglob("*.png"))))
    pixels = torch.from_numpy(np.concatenate([written["a"], written["b"]]))
    return ImageFiles(paths, torch.tensor([0] * 4 + [1] * 5), 12), pixels.permute(0, 3, 1, 2)


def test_pixels_come_as_they_were_written(files):
    images, pixels = files
    indices = torch.tensor([8, 0, 3])
    assert torch.equal(images.fetch(indices), pixels[indices])


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_readers_keep_the_order_and_can_be_used_again(files, workers):
    images, pixels = files
    read = ImageFiles(images.paths, images.labels, 12, workers).reader()
    for plan in ([[8, 1], [0], [2, 2, 3]], [[5], [4, 6]]):
        batches = [torch.tensor(indices) for indices in plan]
        for batch, indices in zip(read(batches), batches, strict=True):
            assert torch.equal(batch, pixels[indices])


def test_an_abandoned_pass_does_not_leak_into_the_next(files):
    images, pixels = files
    read = ImageFiles(images.paths, images.labels, 12, 2).reader()
    next(read([torch.tensor([k]) for k in range(9)]))
    batches = list(read([torch.tensor([7]), torch.tensor([6])]))
    assert torch.equal(torch.cat(batches), pixels[[7, 6]])


def test_decoding_once_gives_the_same_images_in_memory(files):
    images, pixels = files
    tensor = images.in_memory()
    assert torch.equal(tensor.pixels, pixels)
    assert torch.equal(tensor.labels, images.labels)
    assert images.decoded_bytes == pixels.numel()


def test_subsets_and_sizes(files):
    images, pixels = files
    part = images.subset(torch.tensor([8, 2]))
    assert part.labels.tolist() == [1, 0]
    assert torch.equal(part.fetch(torch.tensor([0, 1])), pixels[[8, 2]])
    assert part.resized(6).fetch(torch.tensor([0])).shape == (1, 3, 6, 6)
    assert part.to("cpu") is part


@pytest.mark.parametrize("shape", [(30, 20), (20, 41), (20, 20)])
def test_the_middle_square_at_the_wanted_size(tmp_path, shape):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    image = Image.fromarray(pixels)
    image.save(tmp_path / "image.png")
    # The documented rule of torchvision's Resize(10) and CenterCrop(10) on Pillow images.
    height, width = (10 * side // min(shape) for side in shape)
    scaled = image.resize((width, height), Image.BILINEAR)
    left, top = round((width - 10) / 2), round((height - 10) / 2)
    expected = np.asarray(scaled)[top : top + 10, left : left + 10]
    assert (decode(tmp_path / "image.png", 10) == expected).all()


def test_large_jpegs_are_decoded_close_to_their_full_form(tmp_path):
    ramp = np.linspace(0, 255, 640, dtype=np.uint8)
    image = Image.fromarray(np.stack([np.tile(ramp, (640, 1))] * 3, axis=-1))
    image.save(tmp_path / "large.jpg", quality=95)
    expected = np.asarray(image.resize((40, 40), Image.BILINEAR), int)
    assert np.abs(decode(tmp_path / "large.jpg", 40) - expected).max() <= 3


def broken_files(folder):
    whole = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(whole, "JPEG")
    png = io.BytesIO()
    Image.fromarray(noise).save(png, "PNG")
    contents = {
        "truncated.jpg": whole.getvalue()[: len(whole.getvalue()) // 2],
        "truncated.png": png.getvalue()[: len(png.getvalue()) // 2],
        "header.png": png.getvalue()[:20],
        "scrambled.png": png.getvalue()[:200] + b"\0" * 50 + png.getvalue()[250:],
        "text.png": b"this is no image",
        "empty.png": b"",
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents] + [folder / "absent.png"]


def test_a_broken_file_is_named(tmp_path):
    for path in broken_files(tmp_path):
        fault = "cannot be read as an image" if path.exists() else ""
        with pytest.raises(UserError, match=f"{path.name}.*{fault}"):
            decode(path, 8)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_file_is_named_by_workers_too(files, workers):
    images, pixels = files
    with open(images.paths[5], "r+b") as stream:
        stream.truncate(100)
    read = ImageFiles(images.paths, images.labels, 12, workers).reader()
    batches = read([torch.tensor([0, 1]), torch.tensor([4, 5])])
    assert torch.equal(next(batches), pixels[:2])
    with pytest.raises(UserError, match=r"b/001\.png cannot be read as an image") as caught:
        next(batches)
    assert "Traceback" not in str(caught.value)


@pytest.fixture
def reading(files):
    """Nine batches of one image, of which one is read, and the process that decodes them."""
    images, _ = files
    others = set(multiprocessing.active_children())
    read = ImageFiles(images.paths, images.labels, 12, 1).reader()
    batches = read([torch.tensor([k]) for k in range(9)])
    next(batches)
    (worker,) = set(multiprocessing.active_children()) - others
    return batches, worker


def test_workers_leave_an_interrupt_to_the_parent(files, reading):
    batches, worker = reading
    os.kill(worker.pid, signal.SIGINT)
    assert torch.equal(torch.cat([next(batches) for _ in range(8)]), files[1][1:])
    assert worker.is_alive()


def test_without_workers_reading_goes_on(files, reading):
    batches, worker = reading
    os.kill(worker.pid, signal.SIGTERM)
    worker.join(10)
    assert not worker.is_alive()
    with pytest.warns(UserWarning, match="without processes that decode images"):
        assert torch.equal(torch.cat(list(batches)), files[1][1:])


def test_a_reader_in_use_does_not_keep_the_program_from_ending(files):
    program = f"""if True:
        import torch
        from darts.data.streaming import ImageFiles
        files = ImageFiles({files[0].paths}, torch.zeros(9, dtype=torch.int64), 12, 2)
        batches = files.reader()([torch.tensor([k]) for k in range(9)])
        next(batches)
        """
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0


def test_images_in_files_can_be_sent_to_a_fresh_process(files):
    images, pixels = files
    copy = pickle.loads(pickle.dumps(images))
    assert torch.equal(copy.fetch(torch.arange(9)), pixels)


def test_as_many_workers_as_shared_memory_has_room_for(monkeypatch, capsys):
    """Without room for what they have decoded, workers and loader would wait for ever."""
    monkeypatch.setattr(streaming, "_SHARED_MEMORY", Path("/"))
    usage = shutil.disk_usage("/")._replace(free=64 * 2**20)
    monkeypatch.setattr(streaming.shutil, "disk_usage", lambda _: usage)
    photograph = 3 * streaming.PIECE * 224**2
    assert streaming._workers_with_room(8, 3 * streaming.PIECE * 32**2) == 8
    assert capsys.readouterr().err == ""
    assert streaming._workers_with_room(8, photograph) == 2
    assert "64 MB free, room for 2 of 8 processes" in capsys.readouterr().err
    assert streaming._workers_with_room(8, 100 * photograph) == 0
    monkeypatch.setattr(streaming, "_SHARED_MEMORY", Path("/nonexistent"))
    assert streaming._workers_with_room(8, photograph) == 8
