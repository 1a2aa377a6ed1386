"""Random crops of whole photographs are torchvision's, wherever the photographs are kept."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import stats

from darts.data.crops import RandomCrops
from darts.data.loader import BatchLoader
from darts.data.options import DataOptions
from darts.data.pixels import Decoding, centre_square, colour, decode, decode_whole
from darts.data.sources import open_dataset
from darts.data.streaming import ImageFiles
from darts.data.transforms import load_image, random_crops, training_transform
from darts.data.whole_images import cached_whole, expected_bytes, in_memory
from darts.errors import UserError
from darts.system.share import Share
from darts.system.torchvision_compat import torchvision

WHOLE = Decoding(whole=True)
SHAPES = ((40, 60), (60, 40), (50, 50), (31, 93), (200, 90), (37, 53))
"""Height and width of photographs; at size 32, all but the fifth are kept as they are."""


def crops(**changes: object) -> RandomCrops:
    return RandomCrops(**{"size": 28, "decoding": WHOLE, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two classes with smooth pictures of all shapes."""
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for number, (height, width) in enumerate(SHAPES * 2):
            place = folder / part / ("cat" if number % 2 else "dog")
            place.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
            coarse.resize((width, height)).save(place / f"{number}.png")
    return folder


def files_of(folder: Path, workers: int = 0, how: Decoding = WHOLE) -> ImageFiles:
    paths = tuple(sorted(map(str, folder.rglob("*.png"))))
    return ImageFiles(paths, torch.arange(len(paths)) % 2, 32, workers, how)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_pixels_of_a_crop_are_torchvisions(shape, interpolation) -> None:
    random = np.random.default_rng(1)
    picture = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
    made = crops(decoding=Decoding(whole=True, interpolation=interpolation))
    mode = torchvision.transforms.InterpolationMode(interpolation)
    for key in range(20):
        box = made.box(*shape, key)
        theirs = torchvision.transforms.functional.resized_crop(
            Image.fromarray(picture), *box, [28, 28], mode, antialias=True
        )
        assert np.array_equal(made.cut(picture, key), np.asarray(theirs))


@pytest.mark.parametrize("shape", [(256, 256), (375, 500), (500, 333)])
def test_boxes_have_the_distribution_of_torchvisions(shape) -> None:
    picture = torch.empty(3, *shape)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = np.array(
            [
                torchvision.transforms.RandomResizedCrop.get_params(
                    picture, [0.08, 1.0], [3 / 4, 4 / 3]
                )
                for _ in range(2000)
            ]
        )
    ours = np.array([crops().box(*shape, key) for key in range(2000)])
    top, left, height, width = ours.T
    assert (top >= 0).all()
    assert (left >= 0).all()
    assert (top + height <= shape[0]).all()
    assert (left + width <= shape[1]).all()
    for measure in (
        lambda boxes: boxes[:, 2] * boxes[:, 3],
        lambda boxes: boxes[:, 3] / boxes[:, 2],
        lambda boxes: boxes[:, 0],
        lambda boxes: boxes[:, 1],
    ):
        assert stats.ks_2samp(measure(ours), measure(theirs)).pvalue > 1e-3


@pytest.mark.parametrize("shape", [(10, 400), (400, 10), (3, 9)])
def test_what_no_sample_fits_is_cut_as_by_torchvision(shape) -> None:
    # Only the whole area is allowed, and it has no allowed shape.
    made = crops(scale=(1.0, 1.0))
    theirs = torchvision.transforms.RandomResizedCrop.get_params(
        torch.empty(3, *shape), [1.0, 1.0], [3 / 4, 4 / 3]
    )
    assert made.box(*shape, key=5) == theirs


def test_a_test_image_is_resized_and_cropped_as_by_torchvision(photographs) -> None:
    for path in files_of(photographs).paths:
        with Image.open(path) as image:
            if min(image.size) > 48:
                continue  # Reduced before; see the next test.
            theirs = torchvision.transforms.functional.center_crop(
                torchvision.transforms.functional.resize(image, 32, antialias=True), [32, 32]
            )
        assert np.array_equal(decode(path, 32, WHOLE), np.asarray(theirs))
        assert np.array_equal(decode(path, 32), np.asarray(theirs))


def test_large_photographs_are_kept_smaller_but_whole(photographs, tmp_path) -> None:
    path = tmp_path / "large.png"
    Image.fromarray(np.zeros((600, 1000, 3), np.uint8)).save(path)
    assert decode_whole(path, 100, WHOLE).shape == (150, 250, 3)
    assert decode_whole(path, 400, WHOLE).shape == (600, 1000, 3)


def test_all_stores_give_the_same_pixels(photographs, tmp_path) -> None:
    files = files_of(photographs)
    stores = [files, in_memory(files), cached_whole(files, photographs, tmp_path)]
    numbers = torch.tensor([3, 0, 4, 4, 11])
    items = torch.stack([numbers, torch.arange(5) + 77], dim=1)
    squares = [one.fetch(numbers) for one in stores]
    cut = [one.cropping(crops()).fetch(items) for one in stores]
    for found in (squares, cut):
        assert found[0].dtype == torch.uint8
        assert found[0].equal(found[1])
        assert found[0].equal(found[2])
    assert not cut[0][2].equal(cut[0][3])  # The same photograph with other random numbers.
    part = stores[1].subset(torch.tensor([4, 2]))
    assert part.fetch(torch.tensor([0])).equal(squares[0][2:3])
    assert part.labels.tolist() == [int(files.labels[4]), int(files.labels[2])]
    total = sum(decode_whole(path, 32, WHOLE).size for path in files.paths)
    assert expected_bytes(files) == total == stores[1].pixels.size


@pytest.mark.parametrize("workers", [0, 2])
def test_a_reader_returns_what_fetch_does(photographs, workers, tmp_path) -> None:
    files = files_of(photographs, workers)
    batches = [torch.tensor([[1, 5], [2, 6], [9, 7]]), torch.tensor([[3, 8]])]
    for store in (files, in_memory(files), cached_whole(files, photographs, tmp_path)):
        found = list(store.cropping(crops()).reader()(batches))
        assert [one.shape[0] for one in found] == [3, 1]
        for batch, one in zip(batches, found, strict=True):
            assert one.equal(files.cropping(crops()).fetch(batch))


def test_an_interrupted_cache_is_continued_and_damage_is_seen(photographs, tmp_path) -> None:
    files = files_of(photographs)
    whole = cached_whole(files, photographs, tmp_path / "one").path
    assert whole is not None
    content = whole.read_bytes()
    # As after a kill: 10 photographs are written, 8 of them are in the table.
    sizes = [decode_whole(path, 32, WHOLE).size for path in files.paths]
    table = content[sum(sizes) : sum(sizes) + 12 * len(files)]
    other = tmp_path / "two"
    other.mkdir()
    partial = other / whole.with_suffix(".partial").name
    partial.write_bytes(content[: sum(sizes[:10])])
    partial.with_suffix(".sums").write_bytes(table[: 12 * 8 + 5])
    again = cached_whole(files, photographs, other)
    assert again.path is not None
    assert again.path.read_bytes() == content
    assert not list(other.glob("*.partial")) + list(other.glob("*.sums"))

    damaged = bytearray(content)
    damaged[3] ^= 1
    again.path.write_bytes(bytes(damaged))
    with pytest.raises(UserError, match="image 0 differs from its checksum"):
        cached_whole(files, photographs, other).fetch(torch.tensor([0]))
    again.path.write_bytes(content[:-1])
    with pytest.raises(UserError, match="is damaged"):
        cached_whole(files, photographs, other)


def test_another_way_to_decode_has_another_cache(photographs, tmp_path) -> None:
    bicubic = Decoding(whole=True, interpolation="bicubic")
    one = cached_whole(files_of(photographs), photographs, tmp_path)
    other = cached_whole(files_of(photographs, how=bicubic), photographs, tmp_path)
    assert one.path != other.path


def loader_of(photographs: Path, store: str = "", share: Share | None = None) -> BatchLoader:
    options = DataOptions(
        dataset=f"folder:{photographs}", image_size=96, workers=0, memory=0.0 if store else 1.0
    )
    dataset = open_dataset(options)
    generators = [torch.Generator().manual_seed(seed) for seed in (1, 2)]
    return BatchLoader(
        dataset.train,
        torch.arange(len(dataset.train)),
        4,
        "cpu",
        training_transform(dataset, options),
        *generators,
        crops=random_crops(dataset),
        **({} if share is None else {"share": share}),
    )


def test_a_loader_resumes_within_an_epoch(photographs) -> None:
    loader = loader_of(photographs)
    whole = [loader.next_batch()[0] for _ in range(5)]
    first = loader_of(photographs, store="files")
    got = [first.next_batch()[0] for _ in range(2)]
    state = first.state_dict()
    noise, order = first._noise.get_state(), first._order.get_state()
    second = loader_of(photographs)
    second._noise.set_state(noise)
    second._order.set_state(order)
    second.load_state_dict(state)
    got += [second.next_batch()[0] for _ in range(3)]
    assert all(one.equal(other) for one, other in zip(whole, got, strict=True))
    assert len({float(one.sum()) for one in whole}) == 5


def test_shares_of_a_batch_are_cropped_as_the_whole(photographs) -> None:
    whole, labels = loader_of(photographs).next_batch()
    parts = [loader_of(photographs, share=Share(index, 2)).next_batch()[0] for index in range(2)]
    assert torch.cat(parts).equal(whole)
    assert len(labels) == 4


def test_crops_reach_beyond_the_middle_square(tmp_path) -> None:
    """The outer thirds of wide photographs are bright, the middle is black."""
    for part in ("train", "test"):
        for name in "ab":
            place = tmp_path / part / name
            place.mkdir(parents=True)
            pixels = np.zeros((100, 300, 3), np.uint8)
            pixels[:, :90] = pixels[:, 210:] = 255
            for number in range(4):
                Image.fromarray(pixels).save(place / f"{number}.png")
    options = DataOptions(dataset=f"folder:{tmp_path}", image_size=96, workers=0)
    dataset = open_dataset(options)
    assert dataset.test.fetch(torch.arange(8))[:, :, :, 20:90].max() == 0
    keys = torch.stack([torch.zeros(60, dtype=torch.int64), torch.arange(60)], dim=1)
    cut = dataset.train.cropping(random_crops(dataset)).fetch(keys).float().mean((1, 2, 3))
    assert (cut > 200).any()
    assert (cut < 60).any()


def test_small_images_are_stored_as_squares(photographs) -> None:
    options = DataOptions(dataset=f"folder:{photographs}", image_size=32, workers=0)
    dataset = open_dataset(options)
    assert random_crops(dataset) is None
    assert "decoding" not in dataset.card()


def test_predictions_see_what_tests_see(photographs) -> None:
    options = DataOptions(
        dataset=f"folder:{photographs}",
        image_size=96,
        workers=0,
        interpolation="bicubic",
        background="#204060",
    )
    dataset = open_dataset(options)
    assert dataset.files is not None
    card = dataset.card()
    assert card["decoding"] == {
        "whole": True,
        "interpolation": "bicubic",
        "background": [32, 64, 96],
    }
    from darts.data.transforms import evaluation_transform

    seen = evaluation_transform(dataset)(dataset.test.fetch(torch.tensor([5])), torch.Generator())
    assert load_image(dataset.files.test[5], card).equal(seen)


def test_the_background_of_transparent_images(tmp_path) -> None:
    path = tmp_path / "icon.png"
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(path)
    assert decode(path, 4).min() == 255
    how = Decoding(background=colour("#ff8000"))
    assert decode(path, 4, how)[0, 0].tolist() == [255, 128, 0]
    arrays = tmp_path / "icons.npz"
    images = np.zeros((8, 8, 8, 4), np.uint8)
    labels = np.arange(8) % 2
    np.savez(arrays, x_train=images, y_train=labels, x_test=images, y_test=labels)
    dataset = open_dataset(DataOptions(dataset=f"array:{arrays}", background="#ff8000"))
    assert dataset.train.fetch(torch.tensor([0]))[0, :, 0, 0].tolist() == [255, 128, 0]
    with pytest.raises(UserError, match="--background: must be white, black or a colour"):
        open_dataset(DataOptions(dataset=f"array:{arrays}", background="pinkish"))


def test_centre_squares_of_any_size() -> None:
    picture = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    assert np.array_equal(centre_square(picture, 5, WHOLE), picture[:, 1:6])


def test_a_moved_folder_keeps_its_cache(photographs, tmp_path) -> None:
    one = cached_whole(files_of(photographs), photographs, tmp_path / "cache")
    moved = tmp_path / "moved"
    shutil.copytree(photographs, moved)
    other = cached_whole(files_of(moved), moved, tmp_path / "cache")
    assert one.path == other.path
