"""Other activations and backward rules for a net that is there already."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from repro.errors import UserError
from repro.model.activations.modules import PerUnit
from repro.model.activations.nonlinearity import Nonlinearity
from repro.model.backward import Rule, is_exact
from repro.model.fronts import Front, called, held
from repro.model.recurrent import WithActivations

ACTIVATIONS: tuple[type[nn.Module], ...] = (
    *(nn.CELU, nn.ELU, nn.GELU, nn.Hardsigmoid, nn.Hardshrink, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU, nn.LogSigmoid),
    *(nn.Mish, nn.PReLU, nn.RReLU, nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softplus, nn.Softshrink),
    *(nn.Softsign, nn.Tanh, nn.Tanhshrink, nn.Threshold, PerUnit),
)
"""What counts as an elementwise activation."""

ACTING: tuple[type[nn.Module], ...] = (*ACTIVATIONS, Nonlinearity)

WITHIN: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
"""The activations within an `nn.LSTM` or `nn.GRU`, of its candidate and of its gates."""

Replacement = nn.Module | Callable[[], nn.Module]


def replace(model: nn.Module, replacements: Mapping[str, Replacement], example: Any = None) -> nn.Module:
    """Put other activations into a net, in place.

    Args:
        model: its activation modules are exchanged, and the tanh and sigmoid within each `nn.LSTM` and `nn.GRU`, which
            become `WithActivations`, with its weights under other names. What `forward` calls as a function stays. A
            module that stands at several places gets another at each; a recurrent layer stays one.
        replacements: by class name in lower case ("tanh", "relu", "gelu"), a module, of which every place gets a copy
            of its own, or a function that makes one.
        example: a batch; it tells an activation with parameters how many units its layer has. Without it the last
            layer in front counts, in the order in which the net holds them.

    Returns:
        The net itself; it is as it was if there is an error.

    Raises:
        UserError: the net has no such module, what is to replace it is none, or an activation cannot be told its
            number of units.
    """
    modules = [(name, m) for name, m in model.named_modules(remove_duplicate=False) if name]
    places = [(name, m) for name, m in modules if isinstance(m, ACTIVATIONS)]
    recurrent = [(name, m) for name, m in modules if isinstance(m, nn.LSTM | nn.GRU)]
    there = sorted({type(m).__name__.lower() for _, m in places} | ({*WITHIN} if recurrent else set()))
    for wanted in replacements:
        if wanted not in there:
            has = ", ".join(there) or "none at all"
            raise UserError(f"the net has no {wanted} module; its activation modules: {has}")
    chosen = [(name, m) for name, m in places if type(m).__name__.lower() in replacements]
    fronts = held(model) if example is None else called(model, [name for name, _ in chosen], example)
    made: list[tuple[str, nn.Module]] = []
    for name, old in chosen:
        own = _fitting(name, replacements[type(old).__name__.lower()], fronts[name])
        made.append((name, own.train(old.training)))
    if WITHIN.keys() & replacements.keys():
        unit, gate = (_maker(replacements.get(key, usual)) for key, usual in WITHIN.items())
        layers = {layer: WithActivations(layer, unit, gate) for _, layer in recurrent}
        made += [(name, layers[layer]) for name, layer in recurrent]
    for name, module in made:
        model.set_submodule(name, module)
    return model


def under_rule(model: nn.Module, rule: Rule) -> nn.Module:
    """Give every activation module of a net a backward rule, in place; what it computes forward stays.

    Returns:
        The net itself.

    Raises:
        UserError: the net has no activation module, or torch's own recurrent layers, whose functions have no place.
    """
    modules = [(name, m) for name, m in model.named_modules(remove_duplicate=False) if name]
    places: list[tuple[str, nn.Module]] = [(name, m) for name, m in modules if isinstance(m, ACTING)]
    within = [f"{name}." for name, m in places if isinstance(m, Nonlinearity)]
    places = [(name, m) for name, m in places if not name.startswith(tuple(within))]
    sealed = [f"{name} ({type(m).__name__})" for name, m in modules if isinstance(m, nn.LSTM | nn.GRU)]
    if sealed and not is_exact(rule):
        raise UserError(
            f"no rule reaches the functions within {sealed[0]}; first open it with "
            'repro.replace(model, {"tanh": torch.nn.Tanh}), which changes no number'
        )
    if not places:
        raise UserError("the net has no activation module that could have a backward rule")
    ruled: dict[nn.Module, Nonlinearity] = {}
    for name, module in places:
        if isinstance(module, Nonlinearity):
            module.rule = rule
            continue
        if getattr(module, "inplace", False):
            setattr(module, "inplace", False)  # noqa: B010  # the rule needs the pre-activation
        model.set_submodule(name, ruled.setdefault(module, Nonlinearity(module, rule)))
    return model


def _maker(what: Replacement) -> Callable[[int], nn.Module]:
    """From a number of units to a function for them."""

    def make(units: int) -> nn.Module:
        module = _fitting("", what, Front(units, 0))
        known = module.function if isinstance(module, PerUnit) else None
        return known or module  # the function itself, which the layers' kernels know

    return make


def _fitting(name: str, what: Replacement, front: Front) -> nn.Module:
    """What goes to a place, in the type and on the device of the layer in front."""
    module = what() if callable(what) and not isinstance(what, nn.Module) else copy.deepcopy(what)
    if not isinstance(module, nn.Module):
        raise UserError(
            f"replace takes a module or a function that makes one, e.g. torch.nn.ReLU, not {type(module).__name__}"
        )
    if isinstance(module, PerUnit):
        units = front.units if module.units is None else module.units
        if units is None:
            raise UserError(f"how many units {name} has cannot be seen; give replace an example= batch, or units=")
        module = module.of(units, front.spatial) if module.units is None else module.behind(front.spatial)
    return module if front.like is None else module.to(front.like.device, front.like.dtype)
