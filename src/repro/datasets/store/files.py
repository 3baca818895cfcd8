"""Where data files are found, checked and downloaded; the only place that knows.

A data set's files are looked for in `$REPRO_DATA/<name>/` (a mirror, never written to), then in the cache
folder, and are downloaded from their official address at last. Every file is checked against the checksum in
`repro.datasets.store.sources`. Nothing here imports torch.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from repro.bars import bar, on_terminal, tracked
from repro.config.groups import option_files
from repro.datasets.store.checksums import Checksums, digest, read
from repro.datasets.store.sources import FOLDERS, REGISTRY, Edition, SourceFile
from repro.errors import UserError, unknown
from repro.paths import is_file, is_folder
from repro.storage.cache import cache_root
from repro.storage.files import write_atomic

DOWNLOAD_TIMEOUT = 60  # seconds without an answer
DIGEST = 32  # bytes of a SHA-256


@dataclass(frozen=True)
class Status:
    """One data set as `repro data list` shows it.

    Attributes:
        name: public name.
        where: "mirror", "cache", "built in" or "missing" (also when only some of its files are there).
        files: files found.
        bytes: their size as stored.
        note: what they are, or what is missing.
    """

    name: str
    where: str
    files: int
    bytes: int
    note: str


@dataclass(frozen=True)
class Check:
    """One file as `repro data verify` shows it.

    Attributes:
        name: data set.
        file: path below the data set's folder.
        result: "ok", "wrong" or "missing".
        note: where it lies; for a wrong file what was expected and found.
    """

    name: str
    file: str
    result: str
    note: str


@dataclass(frozen=True)
class _Found:
    """One official file and where it lies, if anywhere."""

    file: SourceFile
    path: Path | None
    in_mirror: bool


def require(name: str, data_dir: str | Path | None = None) -> tuple[Edition, list[Path]]:
    """Find a data set's files, downloading what is missing, and check each one.

    Args:
        name: key of the registry.
        data_dir: cache folder; None means the user's.

    Returns:
        The edition that was found and its files' paths, in the edition's order.

    Raises:
        UserError: a file is missing and cannot be had, or is not the recorded one.
    """
    edition, files = _locate(name, data_dir)
    checksums = Checksums(cache_root(data_dir))
    paths = []
    for one in tracked(files, f"checking {name}", "file"):
        if one.path is None:
            paths.append(_download(name, one.file, data_dir))
        else:
            _check(name, one, checksums)
            paths.append(one.path)
    return edition, paths


def contents(name: str, data_dir: str | Path | None = None) -> tuple[Edition, list[bytes]]:
    """Like `require`, but returns the files' unpacked bytes; made for files that fit in memory."""
    edition, paths = require(name, data_dir)
    return edition, _unpacked(paths)


def joined(
    name: str, data_dir: str | Path | None, join: Callable[[list[bytes]], bytes], how: str = ""
) -> tuple[Edition, bytes]:
    """Like `contents`, made into one piece by `join`, which is kept in the cache folder for the next time.

    For files that take far longer to unpack than to read. The piece is named after the checksums of the files it was
    made from, and after `how` it was made where there are several ways; it begins with its own. A cache folder that
    cannot be written is no error.
    """
    edition, paths = require(name, data_dir)
    sources = " ".join([file.expected for file in edition.files] + ([how] if how else []))
    kept = _cache(name, data_dir) / f"unpacked-{hashlib.sha256(sources.encode()).hexdigest()[:16]}.bin"
    with suppress(OSError):
        with kept.open("rb") as stream:
            own, piece = stream.read(DIGEST), stream.read()
        if own == hashlib.sha256(piece).digest():
            return edition, piece
    piece = join(_unpacked(paths))
    with suppress(UserError):  # not allowed, or no space left
        write_atomic(kept, hashlib.sha256(piece).digest() + piece)
    return edition, piece


def _unpacked(paths: Sequence[Path]) -> list[bytes]:
    # Unpacking releases the interpreter lock, so threads help.
    with ThreadPoolExecutor(max_workers=min(len(paths), os.cpu_count() or 1)) as pool:
        return list(tracked(pool.map(read, paths), "unpacking", "file", len(paths)))


def statuses(data_dir: str | Path | None = None, names: Iterable[str] = ()) -> list[Status]:
    """Data sets and where their files are; looks at names and sizes only.

    Args:
        data_dir: cache folder; None means the user's.
        names: data sets; none given means all, those without files as well.

    Raises:
        UserError: unknown name.
    """
    wanted = list(names)
    return [_status(name, data_dir) for name in (_known(wanted) if wanted else sorted({*REGISTRY, *_descriptions()}))]


def fetch(names: Iterable[str] = (), data_dir: str | Path | None = None) -> list[Status]:
    """Make sure that data sets are here: check what there is, download what is missing or broken.

    Broken files in the cache are replaced; a mirror is never written to.

    Args:
        names: data sets; none given means all that have files.
        data_dir: cache folder; None means the user's.

    Raises:
        UserError: unknown name, no network, or a mirror with a wrong file.
    """
    wanted = _known(names)
    for name in wanted:
        if name in REGISTRY:
            _discard_broken(name, data_dir)
            require(name, data_dir)
    return [_status(name, data_dir) for name in wanted]


def verify(names: Iterable[str] = (), data_dir: str | Path | None = None) -> list[Check]:
    """Hash every file anew, whatever was remembered about it. Built-in data sets have none.

    Args:
        names: data sets; none given means all that have files.
        data_dir: cache folder; None means the user's.
    """
    rows = []
    for name in _known(names):
        if name in REGISTRY:
            files = _locate(name, data_dir)[1]
            rows += [_verified(name, one) for one in tracked(files, f"verifying {name}", "file")]
    return rows


def _known(names: Iterable[str]) -> list[str]:
    known = {*REGISTRY, *_descriptions()}
    wanted = list(dict.fromkeys(names)) or sorted(REGISTRY)
    for name in wanted:
        if name not in known:
            raise unknown("data set", name, known)
    return wanted


def _descriptions() -> dict[str, str]:
    """Each data set's name and the first line of its configuration file."""
    files = option_files("dataset")
    first = {
        name: path.read_text(encoding="utf-8", errors="replace").partition("\n")[0] for name, path in files.items()
    }
    return {name: line.lstrip("# ") for name, line in first.items()}


def _mirror(name: str) -> Path | None:
    root = os.environ.get("REPRO_DATA")
    if not root:
        return None
    if not is_folder(root):
        raise UserError(f"REPRO_DATA is {root!r}, which is no folder; correct it or unset it")
    return Path(root) / FOLDERS.get(name, name)


def _cache(name: str, data_dir: str | Path | None) -> Path:
    return cache_root(data_dir) / FOLDERS.get(name, name)


def _locate(name: str, data_dir: str | Path | None) -> tuple[Edition, list[_Found]]:
    mirror, cache = _mirror(name), _cache(name, data_dir)
    folders = [cache] if mirror is None else [mirror, cache]
    edition = _edition(REGISTRY[name], folders)
    located = []
    for file in edition.files:
        paths = (_stored(file, folder) for folder in folders)
        path = next((path for path in paths if path is not None), None)
        located.append(_Found(file, path, mirror is not None and path is not None and mirror in path.parents))
    return edition, located


def _edition(editions: Sequence[Edition], folders: Sequence[Path]) -> Edition:
    """The first edition of which there is a file; the official one where there is nothing at all."""
    for folder in folders:
        for edition in editions:
            if any(_stored(file, folder) for file in edition.files):
                return edition
    return editions[0]


def _stored(file: SourceFile, folder: Path) -> Path | None:
    return next((folder / name for name in file.stored_names() if is_file(folder / name)), None)


def _expected(file: SourceFile, path: Path) -> tuple[str, bool]:
    """The recorded checksum of a stored file, and whether it is that of the unpacked bytes."""
    suffix = path.name.removeprefix(Path(file.name).name)
    if suffix in file.packed:
        return file.packed[suffix], False
    assert file.content is not None  # or `stored_names` would not have offered this name
    return file.content, True


def _check(name: str, one: _Found, checksums: Checksums) -> None:
    assert one.path is not None
    expected, unpacked = _expected(one.file, one.path)
    checksum = checksums.digest(one.path, unpacked)
    if checksum != expected:
        cure = "replace it there, or unset REPRO_DATA and run" if one.in_mirror else "download it anew"
        size = one.path.stat().st_size
        raise UserError(
            f"data file {one.path} ({size} bytes) is not the recorded one: sha256 expected "
            f"{expected}, found {checksum}; {cure}: repro data fetch {name}"
        )


def _verified(name: str, one: _Found) -> Check:
    if one.path is None:
        return Check(name, one.file.file_name, "missing", f"sha256 {one.file.expected}")
    expected, unpacked = _expected(one.file, one.path)
    try:
        checksum = digest(one.path, unpacked)
    except UserError as error:  # it cannot even be unpacked
        return Check(name, one.file.file_name, "wrong", str(error))
    if checksum == expected:
        return Check(name, one.file.file_name, "ok", str(one.path))
    return Check(name, one.file.file_name, "wrong", f"{one.path}: sha256 expected {expected}, found {checksum}")


def _discard_broken(name: str, data_dir: str | Path | None) -> None:
    for one in _locate(name, data_dir)[1]:
        if one.path is not None and not one.in_mirror and one.file.url and _verified(name, one).result == "wrong":
            one.path.unlink()


def _download(name: str, file: SourceFile, data_dir: str | Path | None) -> Path:
    """Fetch one file into the cache folder; the file appears there whole, checked, or not at all."""
    target = _cache(name, data_dir) / file.file_name
    missing = f"data file {file.file_name} not found in {_places(name, data_dir)}"
    put = f"put it there (sha256 {file.expected})"
    if file.url is None and all(one.url is None for edition in REGISTRY[name] for one in edition.files):
        raise UserError(f"{missing}, and there is no place to download it from; {put}")
    if file.url is None:
        raise UserError(
            f"{missing}, where other files of {name} lie; {put}, or take those away and run: repro data fetch {name}"
        )
    import pooch
    from filelock import FileLock

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # One of several runs that start together downloads; the others find the file when their turn comes.
        with FileLock(target.parent / ".lock"):
            shown = bar(None, file.file_name, "B", delay=0, unit_scale=True) if on_terminal() else False
            http = pooch.HTTPDownloader(progressbar=shown, timeout=DOWNLOAD_TIMEOUT)
            known = f"sha256:{file.expected}"
            pooch.retrieve(file.url, known, fname=target.name, path=target.parent, downloader=http)
    except OSError as error:  # no network, refused, timed out, or the folder cannot be written
        raise UserError(
            f"{missing}, and downloading {file.url} to {target.parent} failed ({type(error).__name__}); "
            f"{put} or, with a network, run: repro data fetch {name}"
        ) from error
    except ValueError as error:  # pooch: the checksum differs
        checksum = str(error).partition(" but got ")[2].partition(".")[0] or "another"
        raise UserError(
            f"downloading {file.url} gave another file than the recorded one: sha256 expected "
            f"{file.expected}, found {checksum}; nothing was kept; try again later: repro data fetch {name}"
        ) from error
    return target


def _places(name: str, data_dir: str | Path | None) -> str:
    mirror, cache = _mirror(name), _cache(name, data_dir)
    return f"{cache} (REPRO_DATA is not set)" if mirror is None else f"{mirror} or {cache}"


def _status(name: str, data_dir: str | Path | None) -> Status:
    if name not in REGISTRY:
        return Status(name, "built in", 0, 0, _descriptions()[name])
    edition, files = _locate(name, data_dir)
    here = [one for one in files if one.path is not None]
    size = sum(one.path.stat().st_size for one in here if one.path is not None)
    if len(here) < len(files):
        lost = [one.file.file_name for one in files if one.path is None]
        note = f"missing: {', '.join(lost)}; run: repro data fetch {name}"
        return Status(name, "missing", len(here), size, note)
    where = "mirror" if all(one.in_mirror for one in here) else "cache"
    return Status(name, where, len(here), size, edition.label)
