"""What `activation=` chooses: a hidden unit, and the gate that goes with it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from repro.errors import UserError

Factory = Callable[..., nn.Module]


@dataclass(frozen=True)
class Activation:
    """A pair of factories, so that one choice serves feed-forward and gated architectures alike.

    Attributes:
        unit: makes the nonlinearity of hidden units (in place of tanh).
        gate: makes the nonlinearity of gates (in place of the logistic sigmoid), range about [0, 1].
    """

    unit: Factory
    gate: Factory

    def __post_init__(self) -> None:
        for part in ("unit", "gate"):
            factory = getattr(self, part)
            # One module shared by all layers would share its parameters too.
            if isinstance(factory, nn.Module) or not callable(factory):
                raise UserError(
                    f"activation.{part} is a {type(factory).__name__}; it must be a factory that makes "
                    f"one module for each layer: add `_partial_: true` to activation.{part}"
                )


def make(factory: Factory, units: int) -> nn.Module:
    """One nonlinearity for a layer of `units` units; `units` is passed on only where it is asked for."""
    if "units" in inspect.signature(factory).parameters:
        return factory(units=units)
    return factory()
