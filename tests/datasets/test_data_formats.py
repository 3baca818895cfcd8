"""The binary formats of MNIST and CIFAR-10, from small files made by hand."""

import gzip
import hashlib
import io
import lzma
import struct
import tarfile

import numpy as np
import pytest
import torch

from loading import load, refusal_of
from repro.datasets.cifar10 import MEMBERS, ROW, parse_rows, unpack_archive
from repro.datasets.mnist import parse_idx, samples
from repro.datasets.store.sources import REGISTRY, Edition, SourceFile

# ---- idx ----


def idx(array):
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_idx_is_read_in_order():
    array = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
    np.testing.assert_array_equal(parse_idx(idx(array)), array)
    x, y = samples(idx(array), idx(np.array([7, 3], dtype=np.uint8)))
    assert x.shape == (2, 1, 3, 4)
    assert y.tolist() == [7, 3]
    assert y.dtype == np.int64


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:0],
        lambda data: data[:6],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: bytes([0, 0, 13]) + data[3:],
        gzip.compress,
    ],
)
def test_damaged_idx(change):
    data = idx(np.arange(12, dtype=np.uint8).reshape(3, 2, 2))
    assert "repro data fetch mnist" in refusal_of(parse_idx, change(data))


def test_idx_files_that_do_not_belong_together():
    images, labels = np.zeros((3, 2, 2), np.uint8), np.zeros(4, np.uint8)
    assert "do not belong together" in refusal_of(samples, idx(images), idx(labels))


# ---- CIFAR-10 ----


def batch(labels):
    """Rows whose pixels tell their plane and place."""
    planes = np.arange(3 * 32 * 32, dtype=np.int64) % 251
    return b"".join(bytes([label]) + ((planes + label) % 256).astype(np.uint8).tobytes() for label in labels)


def archive(members, extra=()):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, data in [*extra, *members]:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def test_cifar_batch():
    x, y = parse_rows(batch([3, 0, 9]))
    assert x.shape == (3, 3, 32, 32)
    assert y.tolist() == [3, 0, 9]
    assert x[0, 0, 0, 0] == 3
    assert x[0, 0, 1, 0] == 35  # the second row of red
    assert x[1, 1, 0, 0] == 1024 % 251  # the first value of green
    assert x[2, 2, 31, 31] == 3071 % 251 + 9  # the last value of blue


@pytest.mark.parametrize("data", [b"", batch([1])[:-1], batch([1, 2]) + b"\0", batch([10])])
def test_damaged_cifar_batch(data):
    assert "repro data fetch cifar10" in refusal_of(parse_rows, data)


def test_cifar_archive_reads_the_official_members_only():
    batches = [batch([i, i + 1]) for i in range(6)]
    others = [("../../escape.bin", b"x"), ("cifar-10-batches-bin/readme.html", b"hello")]
    shuffled = [(MEMBERS[i], batches[i]) for i in (5, 2, 0, 1, 4, 3)]
    assert unpack_archive(archive(shuffled, others)) == batches


@pytest.mark.parametrize("broken", [b"no archive at all", b"", archive([(name, b"") for name in MEMBERS[:5]])])
def test_damaged_cifar_archive(broken):
    assert "repro data fetch cifar10" in refusal_of(unpack_archive, broken)


def test_cifar_archive_with_a_member_too_large_or_a_link(monkeypatch):
    members = [(name, batch([1])) for name in MEMBERS]
    monkeypatch.setattr("repro.datasets.cifar10.MOST_BYTES", ROW - 1)
    assert MEMBERS[0] in refusal_of(unpack_archive, archive(members))
    monkeypatch.undo()
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        link = tarfile.TarInfo(MEMBERS[0])
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    assert MEMBERS[0] in refusal_of(unpack_archive, stream.getvalue())


# ---- through the loaders ----


def register(monkeypatch, name, folder, stored):
    """Put files into a mirror and record their checksums, as one edition."""
    monkeypatch.setenv("REPRO_DATA", str(folder))
    entries = []
    for file, suffix, data in stored:
        path = folder / name / (file + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        entries.append(SourceFile(file, {suffix: hashlib.sha256(data).hexdigest()}))
    monkeypatch.setitem(REGISTRY, name, (Edition("small", tuple(entries)),))


def test_mnist_from_small_files(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    arrays = []
    for file, n in (("train", 40), ("t10k", 10)):
        images = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        images[:, 0, 0] = np.arange(n)
        labels = (np.arange(n) % 10).astype(np.uint8)
        arrays += [(f"{file}-images-idx3-ubyte", images), (f"{file}-labels-idx1-ubyte", labels)]
    stored = [(file, ".gz", gzip.compress(idx(array))) for file, array in arrays]
    register(monkeypatch, "mnist", tmp_path, stored)
    data = load("mnist", valid_size=0.25, preprocessing="none", data_dir=str(tmp_path / "cache"))
    assert [s.x.shape for s in (data.train, data.valid, data.test)] == [
        (30, 1, 28, 28),
        (10, 1, 28, 28),
        (10, 1, 28, 28),
    ]
    assert torch.bincount(data.train.y).tolist() == [3] * 10
    order = data.train.x[:, 0, 0, 0].long()
    assert (data.train.x[:, 0].numpy() == arrays[0][1][order]).all()
    assert torch.equal(data.train.y, order % 10)
    assert torch.equal(data.test.y, torch.arange(10))  # the official test set, in its order
    assert data.source == "mnist: small"


@pytest.mark.parametrize("form", ["archive", "batches"])
def test_cifar10_from_small_files(tmp_path, monkeypatch, form):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 10, 3072), dtype=np.uint8)
    batches = [b"".join(bytes([i]) + pixels[b, i].tobytes() for i in range(10)) for b in range(6)]
    if form == "archive":
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            for name, batch in zip(MEMBERS, batches, strict=True):
                info = tarfile.TarInfo(name)
                info.size = len(batch)
                tar.addfile(info, io.BytesIO(batch))
        stored = [("cifar-10-binary.tar", ".gz", stream.getvalue())]
    else:
        stored = [(name, ".xz", lzma.compress(batch)) for name, batch in zip(MEMBERS, batches, strict=True)]
    register(monkeypatch, "cifar10", tmp_path, stored)
    data = load("cifar10", valid_size=10, preprocessing="none", data_dir=str(tmp_path / "cache"))
    assert [len(s) for s in (data.train, data.valid, data.test)] == [40, 10, 10]
    assert torch.bincount(data.valid.y).tolist() == [1] * 10
    assert (data.test.x.flatten(1).numpy() == pixels[5]).all()
    ours = torch.cat([data.train.x, data.valid.x]).flatten(1).numpy()
    assert sorted(map(bytes, ours)) == sorted(map(bytes, pixels[:5].reshape(50, 3072)))
