"""The initialization study at its full size, one seed, against theory."""

from pathlib import Path

import pandas as pd
import pytest

from repro.config.compose import compose
from repro.config.run import resolve
from repro.study.experiment import with_variant
from repro.training.run import train

REFERENCE = pd.read_csv(Path(__file__).parents[1] / "data" / "init-study-reference.csv")
SETTINGS = {
    "tanh_small": ("tanh", "std0.01"),
    "tanh_large": ("tanh", "std1"),
    "tanh_xavier": ("tanh", "xavier_fan_in"),
    "relu_xavier": ("relu", "xavier_fan_in"),
    "relu_he": ("relu", "he_fan_in"),
}


@pytest.mark.parametrize("variant", SETTINGS)
def test_initialization_study(variant: str, tmp_path: Path) -> None:
    activation, rule = SETTINGS[variant]
    theory = REFERENCE[(REFERENCE["activation"] == activation) & (REFERENCE["init"] == rule)].set_index("layer")
    words = ["experiment=training_deep_networks/initialization", f"variant={variant}", "replicas=1"]
    folder = train(resolve(compose(with_variant([*words, f"results_dir={tmp_path}"])))).folder
    rows = pd.read_csv(folder / "layers.csv").query("step == 0 and layer.str.startswith('hidden')")
    found = rows.pivot_table(index="depth", columns="quantity", values="value")  # 10 layers
    assert list(found.index) == list(range(1, 11))
    if activation == "tanh":
        assert (found["activation_std"] / theory["theory_std"]).to_numpy() == pytest.approx(1, rel=0.02)
        assert found["activation_mean"].abs().max() < 0.02
    else:
        assert (found["activation_std"] / theory["theory_std"]).to_numpy()[:6] == pytest.approx(1, rel=0.25)
        assert (found["activation_mean"] / theory["theory_mean"]).to_numpy()[:6] == pytest.approx(1, rel=0.25)
    gradients = found["gradient_norm"]
    if variant == "tanh_small":
        assert (found["activation_std"] / found["activation_std"].shift()).to_numpy()[2:] == pytest.approx(
            0.2236, rel=0.02
        )
        assert found["weight_gradient_norm"].max() < 1e-5
    elif variant == "tanh_large":
        assert found["saturated_share"].between(0.88, 0.93).all()
        assert gradients[1] / gradients[10] > 1e3
    elif variant == "tanh_xavier":
        weights = found["weight_gradient_norm"]
        assert weights.max() / weights.min() < 1.5
    else:
        # In a net of rectifiers half of the units are flat, whatever the weights.
        assert found["saturated_share"].between(0.4, 0.6).all()
