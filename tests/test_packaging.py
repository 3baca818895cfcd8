"""The wheel, in an environment of its own and outside the clone."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

CLONE = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(CLONE)]
    subprocess.run(words, check=True, capture_output=True, timeout=240)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel in it; the dependencies come from this one, the clone does not."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False)
    python = place / "bin" / "python"
    (site,) = (place / "lib").glob("python*/site-packages")
    # Paths in a .pth file are importable, but .pth files found there are not followed: no editable install.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--quiet",
        "--no-deps",
        "--ignore-installed",
    ]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True, timeout=240)
    return place


def run(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [installed / "bin" / "repro", *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=240
    )


def test_wheel_holds_configuration_and_experiments(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, inside in (("conf", "repro/conf"), ("experiments", "repro/experiments")):
        for path in (CLONE / folder).rglob("*.yaml"):
            if "experiment" not in path.relative_to(CLONE / folder).parts:
                assert f"{inside}/{path.relative_to(CLONE / folder).as_posix()}" in names
    assert "repro/conf/experiment/training_deep_networks/initialization.yaml" in names
    assert "hydra_plugins/repro_plugin/sweeper.py" in names
    templates = {path.name for path in (CLONE / "src/repro/html/templates").iterdir()}
    assert {"base.html", "report.html", "run.html", "page.css", "filter.js"} <= templates
    assert {f"repro/html/templates/{name}" for name in templates} <= names


def test_installed_wheel_lists_and_trains(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "list", "activation", "noisy*")
    assert where.returncode == 0, where.stderr
    assert "noisy_tanh" in where.stdout
    words = ("train", "dataset=xor", "activation=noisy_tanh", "architecture.depth=2", "trainer.epochs=1")
    trained = run(installed, tmp_path, *words)
    assert trained.returncode == 0, trained.stderr
    own = run(installed, tmp_path, "train", "dataset=five_points", "task=regression", "trainer.epochs=1")  # a paper's
    assert own.returncode == 0, own.stderr
    (summary,) = (tmp_path / "results" / "runs" / "xor").glob("*/summary.json")
    assert (summary.parent / "done.json").exists()
    shown = run(installed, tmp_path, "show", "xor", "--html")
    assert shown.returncode == 0, shown.stderr
    assert (summary.parent / "index.html").exists()


def test_installed_wheel_reproduces(installed: Path, tmp_path: Path) -> None:
    words = ("reproduce", "training_deep_networks/depth_and_activation", "scale=smoke")
    done = run(installed, tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results/training_deep_networks/depth_and_activation/smoke/claims.csv").exists()
    report = run(installed, tmp_path, "report", "--results-dir", str(CLONE / "results"), "--out", "report.html")
    assert report.returncode == 0, report.stderr
