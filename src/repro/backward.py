"""Backward rules: what gradient a nonlinearity passes back, whatever it computes forward."""

from collections.abc import Callable
from functools import partial

from torch import Tensor

Rule = Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]


def exact(function: Callable[[Tensor], Tensor], a: Tensor) -> Tensor:
    """Plain back-propagation: the gradient is multiplied by the slope of the function.

    Args:
        function: an elementwise function or module.
        a: pre-activations, any shape.

    Returns:
        function(a), same shape.
    """
    return function(a)


def linear(function: Callable[[Tensor], Tensor], a: Tensor) -> Tensor:
    """Linear back-propagation (Yazdani 2018): the gradient passes as if the function were the identity.

    The value is that of `function` for every finite `a`; the slope towards `a` is one everywhere.
    Parameters inside the function keep their true gradient. The result is no gradient of any loss,
    so a finite-difference check of it fails by design.

    Args:
        function: an elementwise function or module.
        a: pre-activations, any shape.

    Returns:
        function(a), same shape.
    """
    # The difference is exactly zero and only carries the gradient; adding it last leaves every
    # bit of the value alone, which a + (f(a) - a) would not.
    value = a.detach()
    return function(value) + (a - value)


def is_exact(rule: Rule) -> bool:
    """Whether a rule is plain back-propagation, so that code with derivatives of its own may stand in for it."""
    return (rule.func if isinstance(rule, partial) else rule) is exact
