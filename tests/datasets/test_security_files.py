"""Data files are data: what is downloaded, unpacked or grows in memory is tried with files made to do harm.

What of them is checked, replaced and kept is in test_data_files.py; targets, settings and runs are in test_security.py.
"""

import ast
import hashlib
import io
import lzma
import os
import pickle
import re
import stat
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Trap
from repro.datasets.cifar10 import MEMBERS, ROW, parse_rows, unpack_archive
from repro.datasets.store import files
from repro.datasets.store.sources import REGISTRY, Edition, SourceFile
from repro.errors import UserError


def register(monkeypatch: pytest.MonkeyPatch, file: SourceFile) -> None:
    monkeypatch.setitem(REGISTRY, "cifar10", (Edition("one", (file,)),))


@pytest.mark.parametrize("place", ["mirror", "cache", "download"])
def test_tampered_file(
    place: str, cli: Callable, canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = lzma.compress(pickle.dumps(Trap()))
    url = "https://example.invalid/" + "data_batch_1.bin.xz"
    register(monkeypatch, SourceFile("data_batch_1.bin", {".xz": "0" * 64}, url=url))
    monkeypatch.setenv("REPRO_DATA", str(tmp_path / "mirror"))
    monkeypatch.setattr("pooch.HTTPDownloader.__call__", lambda _self, _url, out, _pooch: Path(out).write_bytes(evil))
    (tmp_path / "mirror/cifar10").mkdir(parents=True)
    (tmp_path / "cache/cifar10").mkdir(parents=True)
    path = tmp_path / place / "cifar10/data_batch_1.bin.xz"
    if place != "download":
        path.write_bytes(evil)
    said = cli("train", "dataset=cifar10", f"data_dir={tmp_path / 'cache'}")
    assert said.status == 2
    for part in (
        url if place == "download" else str(path),
        f"expected {'0' * 64}",
        f"found {hashlib.sha256(evil).hexdigest()}",
    ):
        assert part in said.err
    assert not canary.exists()
    assert {f.name for f in (tmp_path / "cache/cifar10").iterdir()} <= {".lock", path.name if place == "cache" else ""}
    assert not (tmp_path / "results").exists()


def test_every_download_is_encrypted_and_checked() -> None:
    official = [file for editions in REGISTRY.values() for edition in editions for file in edition.files]
    assert len(official) > 10
    for file in official:
        assert file.url is None or file.url.startswith("https://")
        assert re.fullmatch(r"[0-9a-f]{64}", file.expected)


def test_a_batch_that_is_a_pickle_is_bytes_like_any_other(canary: Path) -> None:
    """CIFAR-10 also comes as pickles. The recorded files are the binary ones, and nothing unpickles them."""
    evil = pickle.dumps(Trap()).ljust(ROW, b".")
    with pytest.raises(UserError, match="label 128"):
        parse_rows(evil)
    assert not canary.exists()


def test_a_file_that_grows_is_refused_in_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cifar10/data_batch_1.bin.xz"
    path.parent.mkdir()
    path.write_bytes(lzma.compress(bytes(60_000_000), preset=0))
    assert path.stat().st_size < 1_000_000
    register(monkeypatch, SourceFile("data_batch_1.bin", content="0" * 64))
    monkeypatch.delenv("REPRO_DATA", raising=False)
    tracemalloc.start()
    with pytest.raises(UserError, match="is not the recorded one"):
        files.require("cifar10", tmp_path)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 20_000_000


HOSTILE = {"up": "../../escape", "absolute": "{tmp}/escape", "name of a member": MEMBERS[0]}
KINDS = {
    "file": tarfile.REGTYPE,
    "symlink": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "pipe": tarfile.FIFOTYPE,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", HOSTILE)
def test_archives_write_nothing(kind: str, name: str, canary: Path, tmp_path: Path) -> None:
    inside = tmp_path / "in/side"
    inside.mkdir(parents=True)
    os.chdir(inside)
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for member in MEMBERS if name != "name of a member" else MEMBERS[1:]:
            info = tarfile.TarInfo(member)
            info.size = 4
            tar.addfile(info, io.BytesIO(b"data"))
        evil = tarfile.TarInfo(HOSTILE[name].format(tmp=tmp_path))
        evil.type, evil.mode, evil.linkname = KINDS[kind], 0o777 | stat.S_ISUID, "/etc/passwd"
        evil.devmajor, evil.devminor = 1, 5  # /dev/zero: reading it would never end
        tar.addfile(evil)
    if name == "name of a member" and kind != "file":
        with pytest.raises(UserError, match="has no file"):
            unpack_archive(stream.getvalue())
    else:
        unpacked = unpack_archive(stream.getvalue())
        assert unpacked == [b"" if name == "name of a member" else b"data", *[b"data"] * 5]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["in", "side"]
    assert not canary.exists()


# What nobody writes here again without this noticing

FORBIDDEN = {
    "pickle",
    "cloudpickle",
    "dill",
    "shelve",
    "marshal",
    "eval",
    "exec",
    "os.system",
    "os.popen",
    "np.load",
    "pd.read_pickle",
    "pd.eval",
    "yaml.load",
    "yaml.unsafe_load",
    "extractall",
    "shutil.unpack_archive",
    "joblib.load",
    "shell",
}


def test_nothing_here_unpickles_evaluates_or_unpacks() -> None:
    found, loads = [], []
    for path in sorted(Path(str(files.__file__)).parents[2].rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = []
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            elif isinstance(node, ast.Call):
                names = [ast.unparse(node.func), ast.unparse(node.func).rpartition(".")[2]]
                names = [name for name in names if name != "eval" or not isinstance(node.func, ast.Attribute)]
                names += [word.arg or "" for word in node.keywords]
                if ast.unparse(node.func) == "torch.load":
                    loads.append({word.arg: ast.unparse(word.value) for word in node.keywords}.get("weights_only"))
            found += [f"{path.name}: {name}" for name in names if name in FORBIDDEN]
    assert found == []
    assert set(loads) == {"True"}
