"""A function's torch operations written down once and run again without what led to them.

`torch.func` finds out anew at every call which operations a stacked step consists of, which takes longer than the
operations themselves when the nets are small.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx, nn

from repro.model.activations import Nonlinearity

TensorFunction = Callable[..., tuple[Tensor, ...]]

VIEWS = (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default, torch.ops.aten.expand.default)


def recordable(module: nn.Module, *others: object) -> bool:
    """Whether a step of this net may be written down: it draws no noise, and every part of it is known.

    A record repeats noise instead of drawing it, and knows nothing of what a module counts or decides in Python.

    Args:
        module: the net, its noise attached.
        others: whatever else takes part, e.g. the task.
    """
    rules = [m.rule for m in module.modules() if isinstance(m, Nonlinearity)]
    noiseless = all(getattr(m, "noise", None) is None for m in module.modules())
    return noiseless and all(map(_known, [*module.modules(), *rules, *others]))


def _known(part: object) -> bool:
    while isinstance(part, partial):
        part = part.func
    home = part.__module__ if hasattr(part, "__qualname__") else type(part).__module__
    return home.startswith(("repro.", "torch.nn."))


def record(function: TensorFunction, inputs: Sequence[Tensor]) -> TensorFunction:
    """The operations of `function(*inputs)`, to be run on other tensors of the same shapes, strides and types.

    The results are those of `function` to the last bit, and it changes its arguments in place where `function` does.

    Args:
        function: must not decide anything by the values of its arguments, nor draw random numbers.
        inputs: where `function` changes some of them in place, they are changed.
    """
    # Half of torch's compiler comes with it.
    from torch.fx.experimental.proxy_tensor import make_fx

    recorded: fx.GraphModule = make_fx(function)(*inputs)
    graph = recorded.graph
    _simplify(graph)
    graph.eliminate_dead_code()
    graph.set_codegen(fx.graph.CodeGen())  # arguments and results are flat; the default packs and unpacks them
    recorded.recompile()
    for node in graph.nodes:
        node.meta.clear()  # holds on to every tensor of the recorded call
    run: TensorFunction = recorded.forward
    return run


def _simplify(graph: fx.Graph) -> None:
    aten, changing = torch.ops.aten, any(_changes(node) for node in graph.nodes)
    for node in list(graph.nodes):
        if node.op == "call_function" and node.args and isinstance(node.args[0], fx.Node):
            same = _idle(node, changing)
            if same is not None:
                node.replace_all_uses_with(same)
                graph.erase_node(node)
            elif node.target is aten.bmm.default and node.args[0].meta["val"].shape[2] == 1:
                node.target = aten.mul.Tensor  # an outer product; several times faster than as a matrix product
    for node in graph.nodes:
        # The same operations by the names that are called fastest.
        if isinstance(node.target, torch._ops.OpOverload) and not _changes(node):
            node.target = getattr(torch._C._VariableFunctions, node.target.overloadpacket.__name__, node.target)


def _idle(node: fx.Node, changing: bool) -> Any:
    """What a node returns unchanged: by a view of the same shape, a transposition back or a multiplication by one."""
    aten, (source, *options) = torch.ops.aten, node.args
    assert isinstance(source, fx.Node)
    if node.target in VIEWS:
        return source if node.meta["val"].shape == source.meta["val"].shape else None
    if node.target is aten.transpose.int and source.target is aten.transpose.int:
        return source.args[0] if options == list(source.args[1:]) else None
    if changing:  # then it matters that a multiplication by one is a copy
        return None
    if node.target is aten.mul.Tensor and _ones(options[0]):
        return source if node.meta["val"].shape == source.meta["val"].shape else None
    return source if node.target is aten.mul.Scalar and options == [1] else None


def _ones(value: Any) -> bool:
    """Whether a value is the ones that the gradient of a loss starts from, in whatever shape."""
    while isinstance(value, fx.Node) and value.target in VIEWS:
        value = value.args[0]
    return isinstance(value, fx.Node) and value.target is torch.ops.aten.ones_like.default


def _changes(node: fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and bool(schema.is_mutable)
