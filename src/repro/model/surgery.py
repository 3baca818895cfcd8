"""Other activations and backward rules for a net that is there already."""

import copy
from collections.abc import Callable, Iterable, Mapping
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


class Ruled(Nonlinearity):
    """Put around an activation of somebody's net for its rule; `function` is the activation.

    Args:
        function, rule: as in `Nonlinearity`; a function that works in place does not until it is bare again.
    """

    def __init__(self, function: nn.Module, rule: Rule) -> None:
        super().__init__(function, rule)
        self.in_place = bool(getattr(function, "inplace", False))
        if self.in_place:
            setattr(function, "inplace", False)  # noqa: B010  # the rule needs the pre-activation

    def bare(self) -> nn.Module:
        """The activation as it was."""
        if self.in_place:
            setattr(self.function, "inplace", True)  # noqa: B010
        return self.function


def replace(model: nn.Module, replacements: Mapping[str, Replacement], example: Any = None) -> nn.Module:
    """Put other activations into a net, in place.

    Args:
        model: its activation modules are exchanged, and the tanh and sigmoid within each `nn.LSTM` and `nn.GRU`, which
            become `WithActivations`, with its weights under other names. What `forward` calls as a function stays. A
            module that stands at several places gets another at each; a recurrent layer stays one.
        replacements: by class name in lower case ("tanh", "relu", "gelu"), a module, of which every place gets a copy
            of its own, or a function that makes one. A class derived from torch's goes by its own name.
        example: a batch; it tells an activation with parameters how many units its layer has. Without it the last
            layer in front counts, in the order in which the net holds them.

    Returns:
        The net itself; it is as it was if there is an error.

    Raises:
        UserError: the net has no such module, or is one itself; what is to replace it is none; an activation cannot be
            told its number of units; or such a function stands where nothing reaches it: in torch's other recurrent
            layers and cells, in a transformer layer made with a function, or in an `nn.LSTM` or `nn.GRU` with more to
            it than weights (hooks, a parametrization, a `forward` of its own, a projection).
    """
    modules = _modules("replace", model)
    if not isinstance(replacements, Mapping):
        raise UserError(f'replace takes a mapping, e.g. {{"tanh": torch.nn.ReLU}}, not {type(replacements).__name__}')
    if sealed := [why for functions, why in _sealed(modules, opens=(nn.LSTM, nn.GRU)) if functions & {*replacements}]:
        raise UserError(f"replace cannot reach {sealed[0]}; or call it on the modules beside that one alone")
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
        _put(model, name, module)
    return model


def under_rule(model: nn.Module, rule: Rule) -> nn.Module:
    """Give every activation module of a net a backward rule, in place; what it computes forward stays.

    Returns:
        The net itself.

    Raises:
        UserError: the net has no activation module or is one itself, or has layers of torch's whose activation is no
            module.
    """
    modules = _modules("a backward rule", model)
    if not is_exact(rule) and (sealed := _sealed(modules)):
        raise UserError(f"no rule reaches {sealed[0][1]}")
    places: list[tuple[str, nn.Module]] = [(name, m) for name, m in modules if isinstance(m, ACTING)]
    within = [f"{name}." for name, m in places if isinstance(m, Nonlinearity)]
    places = [(name, m) for name, m in places if not name.startswith(tuple(within))]
    if not places:
        raise UserError("the net has no activation module that could have a backward rule")
    ruled: dict[nn.Module, Ruled] = {}
    for name, module in places:
        if isinstance(module, Ruled) and is_exact(rule):
            _put(model, name, module.bare())
        elif isinstance(module, Nonlinearity):
            module.rule = rule
        elif not is_exact(rule):
            ruled[module] = ruled.get(module) or Ruled(module, rule)
            _put(model, name, ruled[module])
    return model


def _modules(what: str, model: nn.Module) -> list[tuple[str, nn.Module]]:
    """All of a net, by every name; the net's own is empty."""
    if not isinstance(model, nn.Module):
        raise UserError(f"{what} takes a torch.nn.Module, not {type(model).__name__}")
    if isinstance(model, (*ACTING, nn.LSTM, nn.GRU)):
        raise UserError(
            f"{what} acts in place, and the net itself is an activation or a recurrent layer ({type(model).__name__}); "
            "give it a module that holds it, e.g. torch.nn.Sequential(net)"
        )
    return list(model.named_modules(remove_duplicate=False))


def _sealed(
    modules: Iterable[tuple[str, nn.Module]], opens: tuple[type[nn.Module], ...] = ()
) -> list[tuple[set[str], str]]:
    """Functions within layers of torch's that are no modules, by their names, and in words what to do about them.

    Args:
        modules: by name.
        opens: kinds of layers whose functions are reached.
    """
    found: list[tuple[set[str], str]] = []
    for name, m in modules:
        where = f"the functions within {name or 'the net'} ({type(m).__name__})"
        own = getattr(m, "activation", None)
        if isinstance(m, opens):
            continue
        if isinstance(m, nn.LSTM | nn.GRU):
            cure = 'first open it with repro.replace(model, {"tanh": torch.nn.Tanh}), which changes no number'
            found.append(({*WITHIN}, f"{where}; {cure}"))
        elif isinstance(m, nn.RNNBase | nn.RNNCellBase):
            functions = {m.nonlinearity} if isinstance(m, nn.RNN | nn.RNNCell) else {*WITHIN}
            found.append((functions, f"{where}; take an nn.LSTM or nn.GRU, or write the step with modules"))
        elif isinstance(m, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer) and not isinstance(own, nn.Module):
            functions = {getattr(own, "__name__", "")}
            found.append((functions, f"{where}; first give it a module: layer.activation = torch.nn.ReLU()"))
    return found


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module into a place, and tell torch's encoders around it that their fast path knows nothing of it."""
    model.set_submodule(name, module)
    while name:
        name = name.rpartition(".")[0]
        holder = model.get_submodule(name)
        if isinstance(holder, nn.TransformerEncoderLayer):
            holder.activation_relu_or_gelu = 0
        elif isinstance(holder, nn.TransformerEncoder):
            holder.use_nested_tensor = False


def _maker(what: Replacement) -> Callable[[int], nn.Module]:
    """From a number of units to a function for them."""

    def make(units: int) -> nn.Module:
        module = _fitting("", what, Front(units, 0))
        known = module.function if isinstance(module, PerUnit) else None
        return known or module  # the function itself, which the layers' kernels know

    return make


def _fitting(name: str, what: Replacement, front: Front) -> nn.Module:
    """What goes to a place, in the type and on the device of the layer in front."""
    try:
        module = what() if callable(what) and not isinstance(what, nn.Module) else copy.deepcopy(what)
    except TypeError as error:  # as of torch.tanh, which wants a tensor
        raise UserError(
            "replace takes a module or a function that makes one without being given anything, e.g. torch.nn.ReLU; "
            f"{getattr(what, '__name__', what)} says: {str(error).partition(chr(10))[0]}"
        ) from error
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
