"""Images that stay bytes: normalized and augmented in batches, against the old way and against slow twins."""

import hashlib
import lzma

import numpy as np
import pytest
import torch
from scipy import stats
from test_data_formats import register

from conftest import equal
from loading import load
from repro.datasets.cifar10 import MEMBERS
from repro.datasets.from_arrays import Options, Raw, finish
from repro.datasets.images import Augmentation, shrunk
from repro.datasets.preprocessing import fit
from repro.datasets.protocol import Order
from repro.datasets.store import files

SIDE, SEEDS, BATCH = 6, (0, 5), 10
AFFINE = ("none", "center", "standardize", "channels")


def raw(samples=43, side=SIDE):
    rng = np.random.default_rng(0)
    parts = [(rng.integers(0, 256, (n, 3, side, side), dtype=np.uint8), np.arange(n) % 4) for n in (samples, 9, 7)]
    parts[0][0][:, 0, 0, 0] = 17  # a constant pixel
    return Raw(*parts, unit=255.0)


def made(kind="none", crop=None, flip=None, **options):
    return finish("images", raw(**options), 4, Options(kind, None, 0, None, Augmentation(crop, flip)))


def feed(data, batch_size=BATCH, seeds=SEEDS):
    return data.feed(Order(seeds, batch_size))


def everything(feed, epochs=2):
    """Every batch that a run sees."""
    train = [feed.batch(step) for step in range(epochs * feed.per_epoch)]
    rest = [batch for split in ("train", "valid", "test") for batch in feed.batches(split)]
    return [(batch.x, batch.y) for batch in [*train, *rest, feed.probe(4)]]


# ---- normalization ----


@pytest.mark.parametrize("batch_size", [BATCH, None])
@pytest.mark.parametrize("kind", AFFINE)
def test_batches_are_those_of_floats_in_memory_to_the_last_bit(kind, batch_size):
    bytes_in_memory = made(kind)
    assert {s.x.dtype for s in (bytes_in_memory.train, bytes_in_memory.valid, bytes_in_memory.test)} == {torch.uint8}
    floats = finish("images", raw(), 4, Options(kind, None, 0))
    assert floats.train.x.dtype == torch.float32
    assert equal(everything(feed(bytes_in_memory, batch_size)), everything(feed(floats, batch_size)))


def test_every_byte_is_divided_as_numpy_divides_it():
    every = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    pair = every, np.zeros(1, dtype=np.int64)
    data = finish("images", Raw(pair, pair, pair, 255.0), 1, Options("none", None, 0, None, Augmentation(None, None)))
    x = next(feed(data, 1).batches("test")).x
    assert (x.numpy() == every / np.float32(255)).all()


@pytest.mark.parametrize("kind", ["pca", "whiten"])
def test_what_is_rotated_is_floats_in_memory(kind):
    data = made(kind)
    assert data.train.x.dtype == torch.float32
    assert equal(everything(feed(data)), everything(feed(finish("images", raw(), 4, Options(kind, None, 0)))))


# ---- augmentation ----


def twin(x, drawn, crop, flip):
    """Image by image, pixel by pixel, in float64."""
    out = np.zeros(x.shape)
    channels, height, width = x.shape[2:]
    for r, b in np.ndindex(*x.shape[:2]):
        mirrored, top, left = (int(v) for v in drawn[r, b])
        for c, i, j in np.ndindex(channels, height, width):
            column = width - 1 - j if flip and mirrored else j
            row, column = (i + top - crop, column + left - crop) if crop else (i, column)
            if 0 <= row < height and 0 <= column < width:
                out[r, b, c, i, j] = x[r, b, c, row, column]
    return out


@pytest.mark.parametrize(("crop", "flip"), [(2, None), (None, True), (2, True), (5, True)])
@pytest.mark.parametrize("kind", ["none", "standardize"])
def test_augmentation_equals_its_twin(kind, crop, flip):
    augmented, plain = feed(made(kind, crop, flip)), feed(made("none"))
    augmentation, samples = Augmentation(crop, flip), len(raw().train[0])
    learnt = fit(raw().train[0] / 255, kind)
    for step in (0, 3, 4, 6):
        epoch, place = divmod(step, augmented.per_epoch)
        drawn = torch.stack([augmentation.draw(seed, epoch, samples) for seed in SEEDS])
        original = (plain.batch(step).x.numpy() * 255).round()
        expected = twin(original, drawn[:, place * BATCH : (place + 1) * BATCH].numpy(), crop, flip) / 255
        batch = augmented.batch(step)
        assert torch.equal(batch.y, plain.batch(step).y)  # the order is the same
        moved = np.stack([learnt(images) for images in expected])
        np.testing.assert_allclose(batch.x.numpy(), moved, rtol=1e-4, atol=1e-5)


def test_what_is_left_empty_is_black_before_normalization():
    black = made("standardize", crop=SIDE - 1)
    batch = feed(black).batch(0).x.numpy()
    dark = fit(raw().train[0] / 255, "standardize")(np.zeros((1, 3, SIDE, SIDE)))
    share = np.isclose(batch, dark, atol=1e-5).mean()
    assert 0.5 < share < 0.95  # about 1 - (0.55)² of the pixels come from the margin


@pytest.mark.parametrize("seed", [0, 1])
def test_every_offset_is_equally_likely_and_half_are_mirrored(seed):
    crop, samples = 4, 40_500
    flips, rows, columns = Augmentation(crop, True).draw(seed, 0, samples).unbind(1)
    offsets = torch.bincount(rows * (2 * crop + 1) + columns, minlength=81)
    assert len(offsets) == 81
    assert stats.chisquare(offsets.numpy()).pvalue > 0.001
    both = torch.bincount(flips * 81 + rows * 9 + columns, minlength=162)  # so they are independent too
    assert len(both) == 162
    assert stats.chisquare(both.numpy()).pvalue > 0.001


def test_draws_follow_from_seed_and_epoch_alone():
    both = Augmentation(2, True)
    assert torch.equal(both.draw(3, 1, 50), both.draw(3, 1, 50))
    assert not torch.equal(both.draw(3, 1, 50), both.draw(3, 2, 50))
    assert not torch.equal(both.draw(3, 1, 50), both.draw(4, 1, 50))
    assert torch.equal(both.draw(3, 1, 50)[:, 1:], Augmentation(2, None).draw(3, 1, 50)[:, 1:])
    assert torch.equal(both.draw(3, 1, 50)[:, 0], Augmentation(None, True).draw(3, 1, 50)[:, 0])


def test_batches_can_be_asked_for_from_anywhere():
    steps = list(range(9))
    straight = feed(made("center", 2, True))
    seen = [straight.batch(step).x for step in steps]
    for first in (3, 7):  # as a run that is resumed there asks for them
        later = feed(made("center", 2, True))
        assert equal([later.batch(step).x for step in steps[first:]], seen[first:])


def test_each_replica_has_the_batches_of_its_seed_alone():
    stacked = feed(made("channels", 2, True)).batch(5).x
    alone = [feed(made("channels", 2, True), seeds=(seed,)).batch(5).x[0] for seed in SEEDS]
    assert equal(list(stacked), alone)
    assert not torch.equal(*stacked)


@pytest.mark.parametrize("batch_size", [BATCH, None])
def test_only_training_batches_are_augmented(batch_size):
    augmented, plain = (feed(made("center", *options), batch_size) for options in ((2, True), (None, None)))
    assert not torch.equal(augmented.batch(0).x, plain.batch(0).x)
    assert augmented.batch(0).x.shape == plain.batch(0).x.shape
    for split in ("train", "valid", "test"):
        assert equal([b.x for b in augmented.batches(split)], [b.x for b in plain.batches(split)])
    assert torch.equal(augmented.probe(8).x, plain.probe(8).x)


def test_a_window_cannot_miss_the_image():
    with pytest.raises(Exception, match="crop must be less than 6, the side of the images, not 6"):
        made("none", crop=SIDE)


# ---- unpacked once ----


@pytest.fixture
def small_cifar(tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 10, 3072), dtype=np.uint8)
    batches = [b"".join(bytes([i]) + pixels[b, i].tobytes() for i in range(10)) for b in range(6)]
    stored = [(name, ".xz", lzma.compress(batch)) for name, batch in zip(MEMBERS, batches, strict=True)]
    register(monkeypatch, "cifar10", tmp_path / "mirror", stored)
    return tmp_path / "cache"


def unpackings(monkeypatch):
    """Counts how often files are unpacked."""
    counted = []
    unpack = files._unpacked
    monkeypatch.setattr(files, "_unpacked", lambda paths: counted.append(len(paths)) or unpack(paths))
    return counted


def loaded(cache):
    data = load("cifar10", valid_size=10, data_dir=str(cache))
    return [data.train.x, data.train.y, data.valid.x, data.test.x, data.test.y]


def test_files_are_unpacked_once(small_cifar, monkeypatch):
    counted = unpackings(monkeypatch)
    assert equal(loaded(small_cifar), loaded(small_cifar))
    assert counted == [6]
    kept = [path.name for path in (small_cifar / "cifar10").iterdir()]
    assert len(kept) == 1
    assert kept[0].startswith("unpacked-")


@pytest.mark.parametrize("damage", [b"", b"short", "flipped", "cut", "another's"])
def test_a_damaged_piece_is_made_anew(small_cifar, monkeypatch, damage):
    first = loaded(small_cifar)
    (kept,) = (small_cifar / "cifar10").iterdir()
    good = kept.read_bytes()
    other = good[32:][::-1]
    kept.write_bytes(
        {
            "flipped": good[:-1] + bytes([good[-1] ^ 1]),
            "cut": good[:-3073],
            "another's": hashlib.sha256(good).digest() + other,
        }.get(damage, damage)
    )
    counted = unpackings(monkeypatch)
    assert equal(loaded(small_cifar), first)
    assert counted == [6]
    assert kept.read_bytes() == good


def test_other_files_make_another_piece(small_cifar, monkeypatch, tmp_path):
    first = loaded(small_cifar)
    batches = [b"".join(bytes([i] * 3073) for i in range(10))] * 6
    stored = [(name, ".xz", lzma.compress(batch)) for name, batch in zip(MEMBERS, batches, strict=True)]
    register(monkeypatch, "cifar10", tmp_path / "other", stored)
    assert not equal(loaded(small_cifar), first)
    assert len(list((small_cifar / "cifar10").iterdir())) == 2


def test_a_cache_that_cannot_be_written_is_no_error(small_cifar, monkeypatch, tmp_path):
    before = sorted(path for path in (tmp_path / "mirror").rglob("*"))
    small_cifar.write_text("a file where the folder should be")
    counted = unpackings(monkeypatch)
    assert equal(loaded(small_cifar), loaded(small_cifar))
    assert counted == [6, 6]
    assert sorted(path for path in (tmp_path / "mirror").rglob("*")) == before


@pytest.mark.parametrize("side", [1, 2, 3, 4, 6])
def test_smaller_images_are_means_over_areas(side):
    x = np.random.default_rng(0).integers(0, 256, (3, 2, 6, 6), dtype=np.uint8)
    # Every pixel cut into side x side parts, of which each new pixel takes 6 x 6.
    fine = x.astype(float).repeat(side, 2).repeat(side, 3)
    expected = fine.reshape(3, 2, side, 6, side, 6).mean((3, 5))
    assert np.abs(shrunk(x, side) - expected).max() <= 0.5 + 1e-4
    assert shrunk(x, side).dtype == np.uint8
    assert np.array_equal(shrunk(x, 6), x)
