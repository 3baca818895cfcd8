"""Other activations and backward rules for a net that is there already."""

import copy
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from repro.errors import UserError
from repro.model.activations.modules import PerUnit
from repro.model.activations.nonlinearity import Nonlinearity
from repro.model.backward import Rule
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

SIZES = ("out_features", "out_channels", "num_features")  # of the layer in front of an activation


def replace(model: nn.Module, replacements: Mapping[str, Replacement], example: Tensor | None = None) -> nn.Module:
    """Put other activations into a net, in place.

    Args:
        model: its activation modules are exchanged, and the tanh and sigmoid within each `nn.LSTM` and `nn.GRU`, which
            become `WithActivations`, with its weights under other names. What `forward` calls as a function stays.
        replacements: by class name in lower case ("tanh", "relu", "gelu"), a module, of which every place gets a copy
            of its own, or a function that makes one.
        example: a batch; it tells an activation with parameters how many units its layer has. Without it the last
            layer in front counts, in the order in which the net holds them.

    Returns:
        The net itself.

    Raises:
        UserError: the net has no such module, or an activation cannot be told its number of units.
    """
    places = [(name, m) for name, m in model.named_modules() if isinstance(m, ACTIVATIONS) and name]
    recurrent = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.LSTM | nn.GRU) and name]
    there = sorted({type(m).__name__.lower() for _, m in places} | ({*WITHIN} if recurrent else set()))
    for wanted in replacements:
        if wanted not in there:
            has = ", ".join(there) or "none at all"
            raise UserError(f"the net has no {wanted} module; its activation modules: {has}")
    chosen = [(name, replacements[key]) for name, m in places if (key := type(m).__name__.lower()) in replacements]
    units = _units_in_front(model) if example is None else _units_seen(model, [name for name, _ in chosen], example)
    for name, what in chosen:
        model.set_submodule(name, _fitting(name, what, units.get(name)))
    unit, gate = (_maker(replacements.get(key, usual)) for key, usual in WITHIN.items())
    for name, layer in recurrent if WITHIN.keys() & replacements.keys() else ():
        model.set_submodule(name, WithActivations(layer, unit, gate))
    return model


def under_rule(model: nn.Module, rule: Rule) -> nn.Module:
    """Give every activation module of a net a backward rule, in place; what it computes forward stays.

    Returns:
        The net itself.

    Raises:
        UserError: the net has no activation module.
    """
    places: list[tuple[str, nn.Module]] = [(n, m) for n, m in model.named_modules() if n and isinstance(m, ACTING)]
    within = [f"{name}." for name, m in places if isinstance(m, Nonlinearity)]
    places = [(name, m) for name, m in places if not name.startswith(tuple(within))]
    if not places:
        raise UserError("the net has no activation module that could have a backward rule")
    for name, module in places:
        if isinstance(module, Nonlinearity):
            module.rule = rule
            continue
        if getattr(module, "inplace", False):
            setattr(module, "inplace", False)  # noqa: B010  # the rule needs the pre-activation
        model.set_submodule(name, Nonlinearity(module, rule))
    return model


def _maker(what: Replacement) -> Callable[[int], nn.Module]:
    """From a number of units to a function for them."""

    def make(units: int) -> nn.Module:
        module = _fitting("", what, units)
        known = module.function if isinstance(module, PerUnit) else None
        return known or module  # the function itself, which the layers' kernels know

    return make


def _fitting(name: str, what: Replacement, units: int | None) -> nn.Module:
    module = copy.deepcopy(what) if isinstance(what, nn.Module) else what()
    if isinstance(module, PerUnit) and module.units is None:
        if units is None:
            raise UserError(f"how many units {name} has cannot be seen; give replace an example= batch, or units=")
        return module.of(units)
    return module


def _units_in_front(model: nn.Module) -> dict[str, int]:
    units: dict[str, int] = {}
    last = None
    for name, module in model.named_modules():
        size = next((size for key in SIZES if isinstance(size := getattr(module, key, None), int)), None)
        last = last if size is None else size
        if last is not None:
            units[name] = last
    return units


def _units_seen(model: nn.Module, names: Iterable[str], example: Tensor) -> dict[str, int]:
    units: dict[str, int] = {}

    def note(name: str, _module: nn.Module, args: tuple[Tensor, ...]) -> None:
        units[name] = args[0].shape[1 if args[0].dim() == 4 else -1]

    handles = [model.get_submodule(name).register_forward_pre_hook(partial(note, name)) for name in names]
    training = model.training
    try:
        with torch.no_grad():
            model.eval()(example)
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return units
