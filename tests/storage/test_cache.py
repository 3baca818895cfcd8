"""What is remembered in SQLite: by kind, key and version; whatever is wrong with the file, it only forgets."""

import multiprocessing
from pathlib import Path

import pytest

from repro.storage.cache import FILE, Cache


def test_entries_are_kept_by_kind_and_key(tmp_path: Path) -> None:
    one, other = Cache(tmp_path, "one"), Cache(tmp_path, "other")
    assert one.read(["a"]) == {}
    one.write({"a": [1, None], "b": {"c": 2.5}})
    other.write({"a": "another"})
    assert Cache(tmp_path, "one").read(["a", "b", "c"]) == {"a": [1, None], "b": {"c": 2.5}}
    assert other.read(["a", "b"]) == {"a": "another"}
    one.write({"a": 2})
    assert one.read(["a", "b"]) == {"a": 2, "b": {"c": 2.5}}


def test_entries_of_another_version_are_forgotten(tmp_path: Path) -> None:
    Cache(tmp_path, "one", "1").write({"a": 1})
    Cache(tmp_path, "other", "1").write({"a": 3})
    now = Cache(tmp_path, "one", "2")
    assert now.read(["a"]) == {}
    now.write({"b": 2})
    assert Cache(tmp_path, "one", "1").read(["a"]) == {}
    assert Cache(tmp_path, "other", "1").read(["a"]) == {"a": 3}


@pytest.mark.parametrize("content", [b"", b"no database at all" * 99, b"SQLite format 3\0" + b"\0" * 999])
def test_a_file_that_is_none_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    cache = Cache(tmp_path, "one")
    assert cache.read(["a"]) == {}
    cache.write({"a": 1})
    assert cache.read(["a"]) == {"a": 1}


def test_where_nothing_can_be_written_nothing_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    cache = Cache(tmp_path / "file" / "folder", "one")
    cache.write({"a": 1})
    assert cache.read(["a"]) == {}


def _write(folder: Path, worker: int) -> None:
    for i in range(20):
        Cache(folder, "one").write({f"{worker}.{i}": i})


def test_processes_take_turns(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write, args=(tmp_path, n)) for n in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    keys = [f"{n}.{i}" for n in range(3) for i in range(20)]
    assert len(Cache(tmp_path, "one").read(keys)) == 60
