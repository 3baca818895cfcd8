"""Hooks on a net and on its optimizers, hung up for one step and taken down again; none of them changes a number."""

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from repro.model.recurrent import WithActivations
from repro.watching.parts import Part, output_of
from repro.watching.seen import Seen


class Hooks:
    """All hooks of one watch.

    Args:
        model: the net; calls without gradients, or while it is in evaluation, are not looked at.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._handles: list[Any] = []
        self._in_evaluation = False

    def hang(self, parts: Iterable[Part], seen: Seen, in_evaluation: bool = False) -> None:
        """Look at every call of the parts, and at the gradients that come back, until `take_down`.

        Args:
            parts: from `parts_of`.
            seen: where it is noted.
            in_evaluation: look at calls of a net in evaluation mode too.
        """
        self._in_evaluation = in_evaluation
        for part in parts:
            if part.acts or isinstance(part.module, WithActivations):
                before = _Before(self, part, seen)
                self._handles.append(part.module.register_forward_pre_hook(before, with_kwargs=True))
            self._handles.append(part.module.register_forward_hook(_After(self, part, seen)))

    def hang_on_optimizers(self, parts: Iterable[Part], seen: Seen) -> None:
        """Look at the next steps of any optimizer of these weights, until `take_down`."""
        weighted = [part for part in parts if part.weights]
        before: dict[str, list[Tensor]] = {}

        def late(optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
            """Whether its step is what computes the gradients, in a closure, or takes a `GradScaler`'s scale off."""
            given = [one for one in (*args, *kwargs.values()) if one is not None and one is not optimizer]
            return bool(given) or getattr(optimizer, "grad_scale", None) is not None

        def pre(optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            own = {id(p) for group in optimizer.param_groups for p in group["params"]}
            for part in weighted:
                if any(id(weight) in own for weight in part.weights):
                    before[part.name] = [weight.clone() for weight in part.matrices()]
                    seen.stands(part, before[part.name])
                    if not late(optimizer, args, kwargs):
                        seen.pulls(part)

        def post(optimizer: torch.optim.Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            for part in weighted:
                if part.name in before:
                    if late(optimizer, args, kwargs):
                        seen.pulls(part)
                    seen.moves(part, before.pop(part.name), part.matrices())

        self._handles += [register_optimizer_step_pre_hook(pre), register_optimizer_step_post_hook(post)]

    def take_down(self) -> None:
        """Leave nothing on the net, its optimizers and what it was given."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def look(self, part: Part, seen: Seen) -> bool:
        """Whether the call of a part that is going on is one to look at.

        Those without gradients are none, but have their depth from it: checkpointing that is reentrant calls all parts
        that way first, and again from the last to the first.
        """
        # What is traced, by torch.compile or torch.func, is no call with numbers.
        if torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is not None:
            return False
        if not (self.model.training or self._in_evaluation):
            return False
        seen.place(part)
        return torch.is_grad_enabled()

    def follow(self, values: Any, flow: "_Flow") -> None:
        """Look at the gradient of a tensor; asked for before anything can change the tensor in place."""
        self._handles.append(values.register_hook(flow))


class _Hook:
    """A hook of one part; a copy of a net, or a file of it, that is made meanwhile has one that does nothing."""

    def __init__(self, hooks: Hooks, part: Part, seen: Seen) -> None:
        self.hooks, self.part, self.seen = hooks, part, seen

    def __reduce__(self) -> Any:
        return _nothing_of, ()


class _Before(_Hook):
    def __call__(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        a, _ = output_of(args or tuple(kwargs.values()))
        # A layer's own activations come first, and stand at its depth.
        if a is None or not self.hooks.look(self.part, self.seen) or not self.part.acts:
            return
        self.seen.enters(self.part, a)
        if a.requires_grad:
            self.hooks.follow(a, _Flow(self.part, self.seen, self.seen.samples_first(self.part, a.shape)))


class _After(_Hook):
    def __call__(self, _module: nn.Module, _args: tuple[Any, ...], out: Any) -> None:
        h, packed = output_of(out)
        if h is None or not self.hooks.look(self.part, self.seen):
            return
        self.seen.leaves(self.part, h, packed)
        if not self.part.acts and h.requires_grad:
            self.hooks.follow(h, _Flow(self.part, self.seen, self.seen.samples_first(self.part, h.shape, packed)))


_NUMBERS = count()


class _Flow:
    """The gradient of what one call was given or put out: the sum over the passes back that come to it."""

    def __init__(self, part: Part, seen: Seen, samples_first: Callable[[Tensor], Tensor]) -> None:
        self.part, self.seen, self.samples_first = part, seen, samples_first
        self.call = f"call {next(_NUMBERS)}"  # by a name, since what is seen would hold itself with what it saw
        self.sum: Tensor | None = None

    def __call__(self, gradient: Tensor) -> None:
        # One that is differentiated again, as for a penalty on it, is no loss's; several at once are none of one loss.
        functorch = torch._C._functorch
        batched = functorch.is_legacy_batchedtensor(gradient) or functorch.is_functorch_wrapped_tensor(gradient)
        if torch.is_grad_enabled() or batched:
            return
        self.sum = gradient if self.sum is None else self.sum + gradient
        self.seen.flows(self.part, self.samples_first(self.sum), self.call)
        if not torch._C._autograd._get_current_graph_task_keep_graph():  # there can be no other pass
            self.sum = None


def _nothing(*_: Any) -> None:
    return None


def _nothing_of() -> Any:
    return _nothing


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Whatever happens within, random numbers, buffers and attributes of the net's modules are as before afterwards.

    Random numbers are those of torch, NumPy, Python, and of every `torch.Generator` that is a module's attribute. What
    an attribute holds is not looked into. Lazy modules get their sizes within, and keep them.
    """
    cuda = sorted({p.get_device() for p in model.parameters() if p.is_cuda})
    modules = [module for module in model.modules() if not _is_lazy(module)]
    held = [vars(module) for module in modules]
    held += [own for module in modules for own in (module._buffers, module._parameters, module._modules)]
    kept = [(own, dict(own)) for own in held]
    buffers = [(value, value.clone()) for module in modules for value in module.buffers(recurse=False)]
    own_rngs = [value for own in held for value in own.values() if isinstance(value, torch.Generator)]
    drawn = [(rng, rng.get_state()) for rng in own_rngs]
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=cuda):
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            for rng, state in drawn:
                rng.set_state(state)
            for own, before in kept:
                for name in own.keys() - before.keys():
                    del own[name]
                own.update(before)
            with torch.no_grad():
                for value, old in buffers:
                    if not torch.equal(value, old):
                        value.copy_(old)


def _is_lazy(module: nn.Module) -> bool:
    return any(map(is_lazy, (*module.parameters(recurse=False), *module.buffers(recurse=False))))
