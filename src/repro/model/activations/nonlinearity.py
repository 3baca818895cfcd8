"""The place of a nonlinearity in a model, where the backward rule acts and diagnostics look."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from repro.model.backward import Rule

FLAT = 0.02
"""Slopes smaller than this, in absolute value, count as saturated."""


class Nonlinearity(nn.Module):
    """One elementwise function under one backward rule.

    Args:
        function: the elementwise module; may hold parameters of its own.
        rule: how it is differentiated, see `repro.model.backward`.
    """

    def __init__(self, function: nn.Module, rule: Rule) -> None:
        super().__init__()
        self.function = function
        self.rule = rule

    def forward(self, input: Tensor, xi: Tensor | None = None) -> Tensor:
        """Activations of the pre-activations, same shape; `xi` is the noise of a noisy function, if it is drawn."""
        return self.rule(self.function if xi is None else partial(self.function, xi=xi), input)

    def saturated(self, a: Tensor, mapped: bool = True) -> Tensor:
        """Where the function is too flat to learn from, whatever the backward rule.

        A function that knows its own flat region (a method `saturated`) is asked; for hard and
        noisy units that is |a| at or beyond the knee. Any other function is flat where its slope
        is below 0.02 in absolute value.

        Args:
            a: pre-activations, any shape.
            mapped: False promises that no `torch.func` transform is active, which halves the cost.

        Returns:
            Booleans, same shape.
        """
        known = getattr(self.function, "saturated", None)
        if known is not None:
            flat: Tensor = known(a)
            return flat
        # The function is elementwise, so pulling ones back gives every slope. Pushing them forward
        # (jvp) would too, but compiles deprecated TorchScript on its first call in torch 2.13.
        if mapped:
            slope: Tensor = torch.func.vjp(self.function, a)[1](torch.ones_like(a))[0]
            return slope.abs() < FLAT
        with torch.enable_grad():
            at = a.detach().requires_grad_()
            out = self.function(at)
            # A step made of comparisons has no graph. Of a sum, since torch imports sympy to look at other gradients.
            slope = torch.autograd.grad(out.sum(), at)[0] if out.requires_grad else torch.zeros_like(a)
        return slope.abs() < FLAT


@contextmanager
def under(module: nn.Module, rule: Rule) -> Iterator[None]:
    """Within it every nonlinearity of a net has this rule."""
    nonlinearities = [(part, part.rule) for part in module.modules() if isinstance(part, Nonlinearity)]
    for nonlinearity, _ in nonlinearities:
        nonlinearity.rule = rule
    try:
        yield
    finally:
        for nonlinearity, own in nonlinearities:
            nonlinearity.rule = own
