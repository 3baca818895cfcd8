"""CIFAR-10: 60,000 colour photographs of 32×32 pixels (Krizhevsky 2009), from the binary version."""

import io
import tarfile

import numpy as np
from numpy.typing import NDArray

from repro.datasets.from_arrays import Options, Raw, divide, finish
from repro.datasets.images import Augmentation
from repro.datasets.memory import Data
from repro.datasets.splits import check_size
from repro.datasets.store.files import joined
from repro.errors import UserError

SHAPE = (3, 32, 32)
ROW = 1 + 3 * 32 * 32  # one label byte, then the red, green and blue planes
CLASSES = 10
# In the order of the official numbering; the last one is the test set.
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
MEMBERS = tuple(f"cifar-10-batches-bin/{batch}.bin" for batch in BATCHES)
MOST_BYTES = 10_000 * ROW  # of one member; more is refused before it is unpacked


def cifar10(
    valid_size: int | float,
    preprocessing: str,
    components: int | None,
    subset: int | None,
    seed: int,
    crop: int | None,
    flip: bool | None,
    data_dir: str | None,
) -> Data:
    """Images of shape (3, 32, 32), in [0, 1] before preprocessing; the test split is the official one.

    Args:
        valid_size: number of samples taken from the 50,000 of training, or their share of them.
        preprocessing: none, center, standardize, channels, pca or whiten (the last two take half a minute).
        components: coordinates kept by pca and whiten; None keeps all and the shape.
        subset: number of training samples kept; None keeps all.
        seed: of split and subset.
        crop: training images are padded with so many black pixels on every side and cut back to their size at a
            random place; None leaves them.
        flip: whether half of the training images, at random, are mirrored left to right.
        data_dir: cache folder; None means the user's.

    Raises:
        UserError: an option is not allowed; a file is missing, truncated or not a recorded one.
    """
    options = Options(preprocessing, subset, seed, components, Augmentation(crop, flip))
    options.check()
    check_size("valid_size", valid_size)
    edition, rows = joined("cifar10", data_dir, join_batches)
    x, y = parse_rows(rows)
    test = len(x) // len(BATCHES)  # they are of one size
    official = divide(x[:-test], y[:-test], valid_size, 0, seed, unit=255.0)
    raw = Raw(official.train, official.valid, (x[-test:], y[-test:]), unit=255.0)
    return finish("cifar10", raw, CLASSES, options, f"cifar10: {edition.label}")


def join_batches(files: list[bytes]) -> bytes:
    """The rows of all six batches, from their files or from the archive that holds them."""
    return b"".join(unpack_archive(files[0]) if len(files) == 1 else files)


def unpack_archive(archive: bytes) -> list[bytes]:
    """The six batches of the official archive, already without its gzip layer, in the order of MEMBERS.

    Members are read by their exact names into memory; nothing is written, whatever else the archive holds.

    Raises:
        UserError: it is no tar archive, or a batch is missing or too large.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            return [_member(tar, name) for name in MEMBERS]
    except tarfile.TarError as error:
        raise UserError(
            f"cifar-10-binary.tar.gz is no readable archive ({error}); fetch it anew: repro data fetch cifar10"
        ) from error


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    try:
        info = tar.getmember(name)
    except KeyError:
        info = tarfile.TarInfo(name)
        info.type = tarfile.DIRTYPE  # refused below like anything else that is no plain file
    if not info.isreg() or info.size > MOST_BYTES or (stream := tar.extractfile(info)) is None:
        raise UserError(
            f"cifar-10-binary.tar.gz has no file {name} of at most {MOST_BYTES} bytes; "
            "fetch it anew: repro data fetch cifar10"
        )
    return stream.read()


def parse_rows(data: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images, shape (n, 3, 32, 32), and classes, shape (n,), of binary batches.

    Raises:
        UserError: the bytes are not whole rows, or a label is no class.
    """
    if not data or len(data) % ROW:
        raise UserError(
            f"CIFAR-10 data have {len(data)} bytes, no multiple of {ROW}; they are truncated: repro data fetch cifar10"
        )
    rows = np.frombuffer(data, dtype=np.uint8).reshape(-1, ROW)
    labels = rows[:, 0].astype(np.int64)
    if labels.max() >= CLASSES:
        raise UserError(
            f"CIFAR-10 data have label {labels.max()}, allowed: 0 to {CLASSES - 1}; "
            "they are damaged: repro data fetch cifar10"
        )
    return rows[:, 1:].reshape(-1, *SHAPE), labels
