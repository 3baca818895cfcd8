"""One look for each activation, in all figures, that readers with any colour vision tell apart."""

import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from repro.plots.style import ACTIVATIONS, activation_look

ROOT = Path(__file__).parents[2]
OPTIONS = sorted(path.stem for path in (ROOT / "conf" / "activation").glob("*.yaml"))
# What stands in one figure of the papers.
TOGETHER = ("tanh", "sigmoid", "relu", "hard_tanh", "esp", "noisy_tanh", "noisy_tanh nah", "noisy_tanh nanil")
# Viénot, Brettel and Mollon 1999: linear RGB as protanopes and deuteranopes see it; and as it is.
SEEN = {
    "all": np.eye(3),
    "protanope": np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]]),
    "deuteranope": np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]]),
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(color: str, seen: np.ndarray) -> np.ndarray:
    """CIELAB of a colour."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ (seen @ linear).clip(0, 1) / XYZ.sum(1)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("option", OPTIONS)
def test_every_activation_has_its_look(option: str) -> None:
    assert option in ACTIVATIONS
    assert activation_look(option) == ACTIVATIONS[option]


def test_no_two_looks_are_the_same_and_kinds_of_noise_are_told_apart() -> None:
    looks = [(look.color, look.linestyle) for look in ACTIVATIONS.values()]
    assert len(set(looks)) == len(looks), "lines without markers must differ as well"
    kinds = ["nan", "nah", "nani", "nanil", "nanis", "nanil_softplus"]
    for unit in ("noisy_tanh", "noisy_sigmoid"):
        found = [activation_look(unit, kind) for kind in kinds]
        assert len(set(found)) == len(kinds)
        assert activation_look(unit) == activation_look(unit, "NAN") == found[0]


@pytest.mark.parametrize("seen", SEEN)
def test_colours_that_meet_in_one_figure_are_far_apart_for_all_eyes(seen: str) -> None:
    for one, other in combinations(TOGETHER, 2):
        apart = np.linalg.norm(lab(ACTIVATIONS[one].color, SEEN[seen]) - lab(ACTIVATIONS[other].color, SEEN[seen]))
        assert apart > 10, f"{one} and {other} look alike ({apart:.1f})"
        assert ACTIVATIONS[one].marker != ACTIVATIONS[other].marker


def test_a_name_of_ones_own_has_a_look_that_depends_on_nothing_else() -> None:
    code = "from repro.plots.style import activation_look as look; print(look('my_unit'))"
    env = os.environ | {"PYTHONHASHSEED": "7"}
    said = subprocess.run(
        [sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True, timeout=240
    ).stdout
    assert said.strip() == str(activation_look("my_unit"))
    found = {activation_look(f"unit_{i}") for i in range(50)}
    assert len(found) > 45
    for look in found:
        assert lab(look.color, np.eye(3))[0] < 75, "too pale for white paper"


def test_no_drawing_gives_an_activation_a_colour_of_its_own() -> None:
    """Names of activations as keys beside a colour of the palette."""
    palette = ["BLUE", "VERMILLION", "GREEN", "PURPLE", "ORANGE", "SKY", "BLACK"]
    for path in ROOT.glob("experiments/**/*.py"):
        for line in path.read_text().splitlines():
            key = line.strip().partition(":")[0].strip('"')
            assert key not in OPTIONS or not any(color in line for color in palette), f"{path.name}: {line}"
