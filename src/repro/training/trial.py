"""Components tried on a few numbers before any data are read: what shows its options' mistakes only in use."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from repro.errors import UserError
from repro.model.activations.noise import NoiseSource, attach_noise
from repro.model.layer_factory import LayerFactory
from repro.seeds import generator


class explained:  # noqa: N801 - reads as a word of the with statement
    """Turn what a component says of its settings' values or types into a one-line UserError that names its group."""

    def __init__(self, group: str) -> None:
        self.group = group

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if isinstance(error, ValueError | TypeError):
            raise UserError(f"{self.group}: {error}") from error


def try_out(schedule: Any, optimizer: Any, layer_factory: LayerFactory | None, initialization: Any) -> None:
    """Use once each of these that a run has: a schedule at its first epoch, an optimizer on one weight, a factory's
    activations on six numbers, an initialization on a matrix of four by four.

    Raises:
        UserError: it refuses a value or cannot do its work.
    """
    if schedule is not None:
        schedule(0, 1)
    if optimizer is not None:
        with explained("optimizer"):
            optimizer([nn.Parameter(torch.zeros(1))])
    if layer_factory is not None:
        for name, make in (("unit", layer_factory.unit), ("gate", layer_factory.gate)):
            _try_activation(name, make)
        layer_factory.normalize(1, 1)
        layer_factory.asked_for.clear()
        with explained("backward"):
            layer_factory.rule(torch.tanh, torch.zeros(1))
    if initialization is not None:
        with explained("initialization"):
            initialization(torch.empty(4, 4), generator(0, "initialization"))


def _try_activation(name: str, make: Callable[[int], nn.Module]) -> None:
    """An activation gives one number for each that it takes, and knows nothing of what came before."""
    says = f"activation.{name} must be a function of single numbers, one module a layer"
    try:
        module = make(3)
    except TypeError as error:
        raise UserError(f"{says}, and this one cannot be made without further arguments ({error})") from error
    attach_noise(module, NoiseSource([generator(0, "noise")]))
    x = torch.linspace(-2, 2, 6).view(2, 3)
    before = x.clone()
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            drawn = torch.random.get_rng_state()
            shape = getattr(module(x), "shape", None)
            draws = not torch.equal(drawn, torch.random.get_rng_state())
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise UserError(f"{says}; this one cannot take a row of three numbers ({reason})") from error
    if shape != (2, 3):
        raise UserError(f"{says}; this one makes {tuple(shape) if shape else 'no tensor'} of (2, 3)")
    kind = type(getattr(module, "function", module)).__name__
    if draws:
        raise UserError(
            f"activation.{name}: {kind} draws random numbers that no seed of a run governs; take "
            "activation=noisy_tanh, or draw from a source of noise as it does (repro.model.activations.noise)"
        )
    if not torch.equal(x, before):
        raise UserError(
            f"activation.{name}: {kind} works in place, over what other layers still need; set inplace=false"
        )
    if not _elementwise(module, x):
        raise UserError(f"{says}; {kind} mixes the units of a layer")


def _elementwise(module: nn.Module, x: Tensor) -> bool:
    """Whether a change in one number changes no other number's value, without noise."""
    other = x.clone()
    other[0, 0] += 1
    training = module.training
    module.eval()
    with torch.no_grad():
        same = torch.isclose(module(x), module(other), rtol=0, atol=0, equal_nan=True)
    module.train(training)
    same[0, 0] = True
    return bool(same.all())
