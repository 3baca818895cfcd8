"""What recurrent nets have in common: a state that goes in and comes out.

A recurrent net has a method `initial_state(batch)`, a tuple of tensors (batch in any place) that depend on no
parameter, and its `forward` takes and returns such a state besides input and output. Other nets take their input alone.
"""

from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

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
    fused: list[Any] = [part for part in module.modules() if getattr(part, "fused", False)]
    for part in fused:
        part.fused = False
    return fused
