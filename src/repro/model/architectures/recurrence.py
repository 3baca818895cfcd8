"""What recurrent nets have in common: a state that goes in and comes out.

A recurrent net has a method `initial_state(batch)`, a tuple of tensors (batch in any place) that depend on no
parameter, and its `forward` takes and returns such a state besides input and output. Other nets take their input alone.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from repro.model.activations import Nonlinearity
from repro.model.activations.noise import NoiseSource
from repro.model.activations.noisy import Noisy
from repro.model.trees import Tree, samples

State = tuple[Tensor, ...]


def is_recurrent(module: nn.Module) -> bool:
    """Whether a net has a state."""
    return hasattr(module, "initial_state")


def initial_state(module: Any, batch: int) -> State:
    """The state before the first step; () for a net without."""
    state: State = module.initial_state(batch) if is_recurrent(module) else ()
    return state


def call(module: Any, x: Tree, state: State = ()) -> tuple[Tensor, State]:
    """Output and new state, from `state` or, where that is empty, the initial one; () for a net without."""
    return module(x, state or initial_state(module, samples(x))) if is_recurrent(module) else (module(x), ())


def call_functional(
    module: Any, tensors: tuple[dict[str, Tensor], ...], x: Tree, state: State = ()
) -> tuple[Tensor, State]:
    """The same with these parameters and buffers."""
    if not is_recurrent(module):
        return functional_call(module, tensors, (x,)), ()
    output, state = functional_call(module, tensors, (x, state or initial_state(module, samples(x))))
    return output, state


def unfuse(module: nn.Module) -> list[Any]:
    """Make every layer walk its nonlinearities one by one, for hooks and `torch.func`; returns those that did not."""
    fused: list[Any] = [part for part in module.modules() if getattr(part, "fused", False) is True]
    for part in fused:
        part.fused = False
    return fused


@contextmanager
def unfused(module: nn.Module) -> Iterator[None]:
    """Within it every layer is as `unfuse` makes it, and afterwards as it was."""
    fused = unfuse(module)
    try:
        yield
    finally:
        for part in fused:
            part.fused = True


def applied(nonlinearity: Nonlinearity, a: Tensor, xi: Tensor | None) -> Tensor:
    """Activations of `a`; of a noisy function with the noise `xi`, where it is given."""
    out: Tensor = nonlinearity(a, xi) if isinstance(nonlinearity.function, Noisy) else nonlinearity(a)
    return out


def window_noise(
    training: bool, nonlinearities: Iterable[Nonlinearity], first: Tensor, second: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """A whole window's noise for two blocks of pre-activations, so that every way of walking it sees the same numbers.

    Returns:
        Standard normal numbers of the shapes of `first` and `second`; None where no noise is drawn.
    """
    functions = (nonlinearity.function for nonlinearity in nonlinearities)
    noisy = [f for f in functions if isinstance(f, Noisy) and getattr(f, "c", 1) > 0]
    if not training or not noisy:
        return None, None
    source = noisy[0].noise
    assert isinstance(source, NoiseSource)
    return source.normal(first), source.normal(second)
