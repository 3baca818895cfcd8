"""Finding, checking and downloading of data files, with small registries; and the two binary formats."""

import gc
import gzip
import hashlib
import http.server
import lzma
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from loading import refusal_of
from repro.datasets.store import files
from repro.datasets.store.checksums import read
from repro.datasets.store.sources import REGISTRY, Edition, SourceFile

CONTENT = b"official bytes " * 400
PACKED = gzip.compress(CONTENT, mtime=0)


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Home:
    """A mirror and a cache in a temporary folder, and a data set of one file."""

    def __init__(self, root, monkeypatch):
        self.mirror, self.cache, self.monkeypatch = root / "mirror", root / "cache", monkeypatch
        (self.mirror / "tiny").mkdir(parents=True)
        monkeypatch.setenv("REPRO_DATA", str(self.mirror))
        self.register("https://example.invalid/values.bin.gz")

    def register(self, url, packed=PACKED):
        file = SourceFile("values.bin", {".gz": sha(packed)}, sha(CONTENT), url)
        self.monkeypatch.setitem(REGISTRY, "tiny", (Edition("official", (file,)),))

    def put(self, folder, name, data):
        path = folder / "tiny" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def find(self):
        return files.require("tiny", self.cache)[1]


@pytest.fixture
def home(tmp_path, monkeypatch):
    return Home(tmp_path, monkeypatch)


@pytest.fixture
def offline(monkeypatch):
    """Every download fails, the way a machine without a network fails."""
    import pooch

    def refuse(*_, **__):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(pooch, "retrieve", refuse)


@pytest.mark.usefixtures("offline")
def test_mirror_comes_before_cache(home):
    cached = home.put(home.cache, "values.bin.gz", PACKED)
    assert home.find() == [cached]
    assert home.find() == [cached]
    mirrored = home.put(home.mirror, "values.bin.gz", PACKED)
    assert home.find() == [mirrored]


@pytest.mark.parametrize(
    ("name", "data"), [("values.bin", CONTENT), ("values.bin.xz", lzma.compress(CONTENT)), ("values.bin.gz", PACKED)]
)
@pytest.mark.usefixtures("offline")
def test_any_packing_of_the_recorded_bytes_is_read(home, name, data):
    path = home.put(home.mirror, name, data)
    assert home.find() == [path]
    assert files.contents("tiny", home.cache)[1] == [CONTENT]


@pytest.mark.usefixtures("offline")
def test_unset_mirror_is_not_needed(home, monkeypatch):
    monkeypatch.delenv("REPRO_DATA")
    cached = home.put(home.cache, "values.bin.gz", PACKED)
    assert home.find() == [cached]


def test_mirror_that_is_no_folder(home, monkeypatch):
    monkeypatch.setenv("REPRO_DATA", str(home.mirror / "nowhere"))
    assert "REPRO_DATA" in refusal_of(home.find)


@pytest.mark.usefixtures("offline")
def test_missing_file_without_network(home):
    text = refusal_of(home.find)
    assert f"values.bin.gz not found in {home.mirror / 'tiny'} or {home.cache / 'tiny'}" in text
    for part in (sha(PACKED), "https://example.invalid/values.bin.gz", "ConnectionError", "repro data fetch tiny"):
        assert part in text
    assert not (home.cache / "tiny" / "values.bin.gz").exists()


@pytest.mark.parametrize("damaged", [PACKED[:-20], CONTENT, b"", PACKED[:-1] + b"\1"])
@pytest.mark.parametrize("place", ["mirror", "cache"])
@pytest.mark.usefixtures("offline")
def test_file_that_is_not_the_recorded_one(home, place, damaged):
    path = home.put(getattr(home, place), "values.bin.gz", damaged)
    text = refusal_of(home.find)
    for part in (str(path), sha(PACKED), sha(damaged), f"{len(damaged)} bytes", "repro data fetch tiny"):
        assert part in text
    assert ("unset REPRO_DATA" in text) == (place == "mirror")


@pytest.mark.usefixtures("offline")
def test_truncated_packing_of_unknown_checksum(home):
    path = home.put(home.mirror, "values.bin.xz", lzma.compress(CONTENT)[:-30])
    assert f"{path} is truncated or damaged" in refusal_of(home.find)
    assert [row.result for row in files.verify(["tiny"], home.cache)] == ["wrong"]


def test_reading_a_truncated_gz(tmp_path):
    path = tmp_path / "short.gz"
    path.write_bytes(PACKED[:-20])
    assert "truncated" in refusal_of(read, path)


@pytest.mark.usefixtures("offline")
def test_second_edition_is_used_and_needs_all_its_files(home, monkeypatch):
    first = SourceFile("all.bin", {"": sha(b"all")}, url="https://example.invalid/all.bin")
    parts = [SourceFile(f"part{i}.bin", {".xz": sha(b"?")}, sha(bytes([i]))) for i in (1, 2)]
    editions = (Edition("official", (first,)), Edition("parts", tuple(parts)))
    monkeypatch.setitem(REGISTRY, "tiny", editions)
    home.put(home.mirror, "part1.bin", bytes([1]))
    text = refusal_of(home.find)
    assert "part2.bin" in text
    assert "repro data fetch tiny" in text
    (status,) = (row for row in files.statuses(home.cache) if row.name == "tiny")
    assert (status.where, status.files) == ("missing", 1)
    home.put(home.mirror, "part2.bin", bytes([2]))
    edition, paths = files.require("tiny", home.cache)
    assert (edition.label, len(paths)) == ("parts", 2)
    home.put(home.mirror, "all.bin", b"all")
    assert files.require("tiny", home.cache)[0].label == "official"


def test_unchanged_files_are_not_hashed_again(home, monkeypatch):
    hashed = []
    real = files.digest
    monkeypatch.setattr("repro.datasets.store.checksums.digest", lambda *a: hashed.append(a) or real(*a))
    path = home.put(home.mirror, "values.bin.gz", PACKED)
    home.find()
    home.find()
    assert len(hashed) == 1
    path.write_bytes(PACKED[:-1] + bytes([PACKED[-1] ^ 1]))
    os.utime(path, ns=(1, 1))  # the same size; only the time tells
    refusal_of(home.find)
    assert len(hashed) == 2


def test_cache_that_cannot_be_written_only_forgets(home, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    home.cache = blocked / "cache"
    home.put(home.mirror, "values.bin.gz", PACKED)
    assert len(home.find()) == 1


def test_download_into_a_cache_that_cannot_be_written(home, tmp_path):
    (tmp_path / "file").write_text("no folder")
    home.cache = tmp_path / "file"
    text = refusal_of(home.find)
    assert str(home.cache) in text
    assert "NotADirectoryError" in text or "FileExistsError" in text


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Folder and address of a web server on this machine."""
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "127.0.0.1")
    folder = tmp_path / "served"
    folder.mkdir()
    handler = lambda *a, **k: _Quiet(*a, directory=str(folder), **k)  # noqa: E731
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_download_is_checked_and_kept(home, server):
    folder, address = server
    (folder / "values.bin.gz").write_bytes(PACKED)
    home.register(f"{address}/values.bin.gz")
    (status,) = files.fetch(["tiny"], home.cache)
    assert (status.where, status.files, status.bytes) == ("cache", 1, len(PACKED))
    (folder / "values.bin.gz").unlink()  # now it has to come from the cache
    assert home.find() == [home.cache / "tiny" / "values.bin.gz"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_wrong_download_is_not_kept(home, server):
    folder, address = server
    (folder / "values.bin.gz").write_bytes(b"a page that says: moved")
    home.register(f"{address}/values.bin.gz")
    text = refusal_of(home.find)
    assert sha(PACKED) in text
    assert address in text
    assert not (home.cache / "tiny" / "values.bin.gz").exists()
    home.register(f"{address}/nothing.gz")
    assert "HTTPError" in refusal_of(home.find)
    gc.collect()  # pooch leaves the connection of a refused download open


def test_fetch_replaces_what_is_broken_in_the_cache(home, server):
    folder, address = server
    (folder / "values.bin.gz").write_bytes(PACKED)
    home.register(f"{address}/values.bin.gz")
    path = home.put(home.cache, "values.bin.gz", b"broken")
    refusal_of(home.find)
    files.fetch(["tiny"], home.cache)
    assert path.read_bytes() == PACKED
    assert home.find() == [path]


@pytest.mark.usefixtures("offline")
def test_fetch_leaves_a_broken_mirror_alone(home):
    path = home.put(home.mirror, "values.bin.gz", b"broken")
    assert "unset REPRO_DATA" in refusal_of(files.fetch, ["tiny"], home.cache)
    assert path.read_bytes() == b"broken"


def test_names(home):
    assert "did you mean mnist?" in refusal_of(files.fetch, ["minst"], home.cache)
    assert "did you mean mnist?" in refusal_of(files.statuses, home.cache, ["minst"])
    (status,) = files.fetch(["digits"], home.cache)
    assert (status.where, status.files) == ("built in", 0)
    assert [row.name for row in files.statuses(home.cache, ["tiny"])] == ["tiny"]
    names = [row.name for row in files.statuses(home.cache)]
    assert {"tiny", "mnist", "cifar10", "digits", "spiral", "table"} <= set(names)


def test_status_and_verify(home):
    def row():
        return next(row for row in files.statuses(home.cache) if row.name == "tiny")

    assert (row().where, row().files, row().bytes) == ("missing", 0, 0)
    assert "values.bin.gz" in row().note
    assert [check.result for check in files.verify(["tiny"], home.cache)] == ["missing"]
    path = home.put(home.mirror, "values.bin.gz", PACKED)
    home.find()
    assert (row().where, row().files, row().bytes) == ("mirror", 1, len(PACKED))
    assert [check.result for check in files.verify(["tiny"], home.cache)] == ["ok"]
    # `verify` does not believe the stamps: same size, same time, other bytes.
    state = path.stat()
    path.write_bytes(PACKED[:-1] + bytes([PACKED[-1] ^ 1]))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    (check,) = files.verify(["tiny"], home.cache)
    assert check.result == "wrong"
    assert sha(PACKED) in check.note


NOWHERE = ("boundary", "europarl_sample", "flickr8k")  # to be had in a mirror only


def test_registry_is_complete():
    for name, editions in REGISTRY.items():
        urls = [file.url for file in editions[0].files]
        assert all(url and url.startswith("https://") for url in urls) or (name in NOWHERE and not any(urls)), name
        sums = [sum_ for e in editions for f in e.files for sum_ in (*f.packed.values(), f.content) if sum_]
        assert all(len(one) == 64 for one in sums)
        assert len(set(sums)) == len(sums)


def test_listing_imports_nothing_heavy():
    code = (
        "import sys; from repro.datasets.store import files; files.statuses('nowhere'); "
        "print([name for name in ('torch', 'pandas', 'sklearn', 'hydra') if name in sys.modules])"
    )
    environment = {key: value for key, value in os.environ.items() if key != "REPRO_DATA"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=300)
    assert done.stdout.strip() == "[]", done.stderr


# ---- the real files ----

MIRROR = os.environ.get("REPRO_DATA")


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_mirror_holds_the_recorded_files(name, tmp_path):
    if not MIRROR or not (Path(MIRROR) / name).is_dir():
        pytest.skip("REPRO_DATA is not set to a mirror with this data set")
    rows = files.verify([name], tmp_path)
    assert [row.result for row in rows] == ["ok"] * (4 if name == "mnist" else 6)
