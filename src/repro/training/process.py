"""What a process that trains is set to, for speed: memory is kept, denormals are zero, the compiler is left out."""

import ctypes
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.optim import Optimizer

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # numbers of glibc's mallopt


def keep_freed_memory() -> None:
    """Stop glibc from handing memory back to the system between steps.

    Every large tensor would be mapped anew, and zeroed page by page, at each step: a fifth of the time of a language
    model's step. Other systems are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, 32 * 2**20)  # the most it takes
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


COMPILER = "torch._dynamo"


def leave_compiler_out() -> None:
    """Let torch's optimizers do without `torch._dynamo` for as long as nobody compiles anything.

    They import it, which takes as long as all the rest of torch, only to tell it what it may not trace. From the moment
    that it is there, through `trainer.compile` or somebody else's `torch.compile`, they tell it as before.
    """
    if COMPILER in sys.modules:
        return
    for method in (Optimizer.add_param_group, Optimizer.zero_grad, Optimizer.state_dict, Optimizer.load_state_dict):
        function: Any = inspect.unwrap(method)
        function.__dynamo_disable = _untraced(function)  # where `torch._disable_dynamo` looks before it imports
    for kind in vars(torch.optim).values():
        step = vars(kind).get("step") if inspect.isclass(kind) and issubclass(kind, Optimizer) else None
        if step is not None and step.__code__.co_name == "_use_grad":
            kind.step = _unbroken(step)


def _untraced(function: Any) -> Callable[..., Any]:
    """A method as it is, until there is a compiler that has to be told."""

    def call(*args: Any, **options: Any) -> Any:
        if COMPILER not in sys.modules:
            return function(*args, **options)
        disable: Any = torch._dynamo.disable
        function.__dynamo_disable = disable(function, True, wrapping=False)
        return function.__dynamo_disable(*args, **options)

    return call


def _unbroken(step: Any) -> Callable[..., Any]:
    """An optimizer's step under `torch.optim.optimizer._use_grad_for_differentiable`, without its import."""
    algorithm = step.__wrapped__

    @functools.wraps(algorithm)
    def call(self: Optimizer, *args: Any, **options: Any) -> Any:
        if COMPILER in sys.modules:
            return step(self, *args, **options)
        with torch.set_grad_enabled(self.defaults["differentiable"]):
            return algorithm(self, *args, **options)

    return call


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Count numbers below the least normal one (1.2e-38, in double precision 2.2e-308) as zero on a CPU.

    Each operation on one takes a processor a hundred times as long. Noise that unlearns its p is full of them, since
    its standard deviation goes with p²: a step of Penn Treebank with half-normal noise at α = 1 takes 2.7 times as
    long. The weights after it are the same; the p that are themselves so small are not.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)
