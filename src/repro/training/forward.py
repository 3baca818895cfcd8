"""How a net is called: in which arithmetic and memory layout, and whether compiled. What it computes stays the same."""

import secrets
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from repro.errors import UserError
from repro.model.activations import Nonlinearity
from repro.model.architectures.recurrence import State, call
from repro.model.trees import Tree, leaves, mapped

Call = Callable[[Tree, State], tuple[Tensor, State]]


@dataclass(frozen=True)
class Execution:
    """What `trainer` says about it.

    Attributes:
        precision: "bfloat16" for mixed precision, "float64" for double precision throughout; None for float32.
        channels_last: whether images and filters lie in memory with the channels of a pixel side by side.
        compile: whether torch.compile turns the net into code of its own.
    """

    precision: str | None = None
    channels_last: bool = False
    compile: bool = False

    @property
    def dtype(self) -> torch.dtype:
        """Of parameters, buffers and data."""
        return torch.float64 if self.precision == "float64" else torch.float32


PLAIN = Execution()


def forward(module: nn.Module, how: Execution) -> Call:
    """A function of inputs and state, that of a single net; its filters are laid out anew where that is asked for.

    Raises:
        UserError: there are no filters.
    """
    run: Call = partial(call, torch.compile(module) if how.compile else module)
    if how.channels_last:
        if not any(isinstance(part, nn.Conv2d) for part in module.modules()):
            raise UserError("trainer.channels_last is for nets with convolutions, and this one has none; leave it null")
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        units = [part for part in module.modules() if isinstance(part, Nonlinearity)]
        run = _channels_last(run, [] if how.compile else units)
    return _mixed(run, torch.bfloat16) if how.precision == "bfloat16" else run


def _mixed(run: Call, dtype: torch.dtype) -> Call:
    def cast(x: Tree, state: State) -> tuple[Tensor, State]:
        with torch.autocast(leaves(x)[0].device.type, dtype):
            output, state = run(x, state)
        return output.float(), state  # so that loss and metrics are taken in float32

    return cast


def _channels_last(run: Call, units: Sequence[nn.Module]) -> Call:
    """Gradients too: what a mean over places sends back lies otherwise, and batch norm takes long over that."""

    def laid_out(x: Tree, state: State) -> tuple[Tensor, State]:
        hooks = [unit.register_forward_hook(_gradient_too) for unit in units]
        try:
            return run(mapped(_images, x), state)
        finally:
            for hook in hooks:
                hook.remove()

    return laid_out


def _images(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


def _gradient_too(module: nn.Module, inputs: object, output: Tensor) -> None:  # noqa: ARG001
    if output.requires_grad:
        output.register_hook(_images)  # type: ignore[no-untyped-call]


def check_compiler(device: torch.device) -> None:
    """Compile next to nothing, to see whether it can be done here.

    Raises:
        UserError: it cannot.
    """
    torch.compiler.reset()  # what earlier runs of this process compiled counts against torch's limits
    # A new number each time: what an earlier run compiled, kept by torch, would hide that the compiler is gone.
    new = secrets.randbelow(2**31)

    def add(x: Tensor) -> Tensor:
        return x + new

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's compiler uses what torch warns of
            torch.compile(add)(torch.zeros(2, device=device))
    except Exception as error:  # whatever torch, Triton or the C++ compiler come up with
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(
            f"trainer.compile: torch.compile does not work here ({reason}); install a C++ compiler "
            "such as g++, or leave it null"
        ) from error
