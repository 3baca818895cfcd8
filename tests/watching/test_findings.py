"""The words of a diagnosis: each rule speaks where it holds, and is silent on a net that is well."""

import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional

from repro.paths import experiments_dir
from repro.text.diagnosis import RULES, Rule, findings, report
from repro.watching import Watch


def look(net: nn.Module, lr: float = 0.1, steps: int = 1) -> Watch:
    rng = torch.Generator().manual_seed(0)
    optimizer = torch.optim.SGD(net.parameters(), lr)
    with Watch(net, every=1) as watch:
        for _ in range(steps):
            x, y = torch.randn(64, 10, generator=rng), torch.randint(4, (64,), generator=rng)
            loss = functional.cross_entropy(net(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            watch.step(loss)
    return watch


def deep(function: type[nn.Module], std: float, depth: int = 10, width: int = 50) -> nn.Sequential:
    torch.manual_seed(0)
    parts: list[nn.Module] = []
    for i in range(depth):
        layer = nn.Linear(width if i else 10, width)
        nn.init.normal_(layer.weight, 0, std / layer.in_features**0.5)
        nn.init.zeros_(layer.bias)
        parts += [layer, function()]
    return nn.Sequential(*parts, nn.Linear(width, 4))


def found(watch: Watch) -> dict[str, str]:
    return {finding.rule.name: finding.words for finding in findings(watch.table)}


def test_a_net_that_is_well() -> None:
    watch = look(deep(nn.Tanh, 1.0, depth=3), 0.01)
    assert found(watch) == {}
    assert "nothing is wrong of what was looked for (numbers that are not finite, vanishing gradients" in watch.report()


def test_sigmoids_vanish() -> None:
    words = found(look(deep(nn.Sigmoid, 1.0)))
    assert words["vanishing gradients"] == "layers 1-6 of 11 (0 to 11): the gradient is 3e-07 of the last layer's"
    assert words["weights that stand still"].startswith(
        "layers 1-5 of 11 (0 to 8): an update moves the weights by 4e-10"
    )


def test_large_weights_saturate_and_explode() -> None:
    assert "up to 9" in found(look(deep(nn.Tanh, 30.0)))["saturated units"]
    exploded = found(look(deep(nn.ReLU, 8.0), 1e-9))
    assert {"exploding gradients", "growing signals", "weights that leap"} <= exploded.keys()
    assert "saturated units" not in exploded  # a ReLU is flat on one side by design


def test_small_weights_fade() -> None:
    assert "fading signals" in found(look(deep(nn.Tanh, 0.1)))


def test_dead_and_alike() -> None:
    net = deep(nn.ReLU, 1.0, depth=3)
    with torch.no_grad():
        net[2].bias[:30] = -100.0
    assert "layer 2 of 4 (3): up to 6" in found(look(net))["dead units"]
    alike = deep(nn.Tanh, 1.0, depth=2)
    with torch.no_grad():
        for layer in (alike[0], alike[2]):
            layer.weight.fill_(0.01)
    assert found(look(alike))["units all alike"].startswith("layers 1-2 of 3")


def test_a_net_that_blows_up() -> None:
    watch = look(deep(nn.ReLU, 1.4), 1e9, steps=4)
    assert "the loss is not finite from step" in watch.report()
    assert {"numbers that are not finite", "weights that leap"} & found(watch).keys()


def test_several_seeds_count_by_their_median() -> None:
    rows = [(0, seed, "a", 1, "dead_share", value) for seed, value in enumerate((0.0, 0.1, 0.9))]
    layers = pd.DataFrame(rows, columns=["step", "seed", "layer", "depth", "quantity", "value"])
    assert findings(layers) == []
    assert [f.rule.name for f in findings(layers[layers["seed"] == 2])] == ["dead units"]


def test_what_is_undefined_by_right_is_not_wrong() -> None:
    rows = [(0, "a", 1, "gradient_norm_ratio", float("nan"))]
    assert findings(pd.DataFrame(rows, columns=["step", "layer", "depth", "quantity", "value"])) == []


def test_before_the_first_step() -> None:
    assert "call step()" in report(pd.DataFrame(), pd.DataFrame())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_rules_name_experiments_that_are_there(rule: Rule) -> None:
    assert (experiments_dir() / f"{rule.shown_by}.yaml").is_file()


def test_only_rules_that_could_say_something_are_named() -> None:
    columns = ["step", "layer", "depth", "quantity", "value"]
    rows = [(0, layer, depth, "gradient_norm", 1.0) for depth, layer in enumerate("ab", 1)]
    layers = pd.DataFrame(rows, columns=columns)
    none = pd.DataFrame(columns=["step", "value"])
    assert "looked for (numbers that are not finite)." in report(layers, none)
    third = pd.DataFrame([(0, "c", 3, "gradient_norm", 1.0)], columns=columns)
    assert "finite, vanishing gradients, exploding gradients)." in report(pd.concat([layers, third]), none)
    assert "nothing that a rule is about" in report(layers.assign(depth=0), none)
