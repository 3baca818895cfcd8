"""Backward rules: what gradient a net passes back, whatever it computes forward.

A rule is called with a function and its argument at every nonlinearity. Two rules are more than that: one that depends
on the depth has a method `at`, and random feedback has a method `matrix`, which layers with weights ask for theirs.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from repro.errors import UserError, number, whole

Function = Callable[[Tensor], Tensor]
Rule = Callable[[Function, Tensor], Tensor]


def exact(function: Function, a: Tensor) -> Tensor:
    """Plain back-propagation: the gradient is multiplied by the slope of the function.

    Args:
        function: an elementwise function or module.
        a: pre-activations, any shape.

    Returns:
        function(a), same shape; so for every rule below, whose parameters inside the function keep their true
        gradient. None of those is the gradient of any loss: a finite-difference check fails by design. Where gradients
        are on, they need `a`, and `scaled` its product with the slope, to be finite: they give NaN for infinity.
    """
    return function(a)


def linear(function: Function, a: Tensor) -> Tensor:
    """Linear back-propagation (Yazdani 2018): the gradient passes as if the function were the identity."""
    return with_gradient_of(a, function, a)


def linear_literal(function: Function, a: Tensor) -> Tensor:
    """Algorithm 2 of Yazdani (2018) as printed: the gradient is multiplied by the pre-activation itself.

    Most likely a misprint: text and title speak of a derivative that is left out.
    """
    return with_gradient_of(a * a.detach(), function, a)


def scaled(function: Function, a: Tensor, slope: float) -> Tensor:
    """The gradient is multiplied by one number, whatever the pre-activation.

    Args:
        function, a: as in `exact`.
        slope: that number; 1 is linear back-propagation, 1/4 the steepest slope of a sigmoid.
    """
    return with_gradient_of(number("backward.slope", slope) * a, function, a)


def clipped(function: Function, a: Tensor, bound: float) -> Tensor:
    """Straight-through estimator (Hubara et al. 2016): the gradient passes where |a| <= bound and is 0 elsewhere.

    Args:
        function, a: as in `exact`.
        bound: above 0; 1 in binary nets.
    """
    bound = number("backward.bound", bound, 0, ends="(]")
    return with_gradient_of(a.clamp(-bound, bound), function, a)


def surrogate(function: Function, a: Tensor, sharpness: float) -> Tensor:
    """Surrogate gradient of spiking nets (Zenke & Ganguli 2018): multiplied by 1 / (1 + sharpness · |a|)².

    It is largest at the threshold and falls off on both sides, so that steps, whose slope is 0, can be learnt through.

    Args:
        function, a: as in `exact`.
        sharpness: above 0.
    """
    sharpness = number("backward.sharpness", sharpness, 0, ends="(]")
    return with_gradient_of(a / (1 + sharpness * a.abs()), function, a)


def with_gradient_of(carrier: Tensor, function: Function, a: Tensor) -> Tensor:
    """function(a), and towards `a`, finite numbers, the gradient of `carrier`.

    Raises:
        UserError: the function gives something else than one tensor.
    """
    if not torch.is_grad_enabled():
        return function(a)
    out = function(a.detach())
    if not isinstance(out, Tensor):
        raise UserError(f"a backward rule is for a function that gives one tensor, not a {type(out).__name__}")
    # The difference is exactly zero and only carries the gradient; adding it last leaves every
    # bit of the value alone, which carrier + (f(a) - carrier) would not.
    return out + (carrier - carrier.detach())


class LinearAbove:
    """Linear for the nonlinearities above a depth, exact up to it (LinBP: Guo et al. 2020).

    Args:
        depth: the deepest layer that is differentiated exactly, 1 being next to the input; 0 is linear everywhere.
    """

    def __init__(self, depth: int) -> None:
        self.depth = whole("backward.depth", depth, 0)

    def at(self, depth: int) -> Rule:
        """The rule of a nonlinearity at this depth."""
        return linear if depth > self.depth else exact

    def __call__(self, function: Function, a: Tensor) -> Tensor:
        """Without a depth, exact."""
        return exact(function, a)


class FeedbackAlignment:
    """The error comes back through fixed random matrices instead of the transposed weights (Lillicrap et al. 2016).

    Slopes of activations stay exact; every weight of a linear or convolutional layer has a matrix B of its own shape,
    drawn once from N(0, scale² · 2/(n + m)), with n and m the fan-in and fan-out of the weight.

    Args:
        scale: above 0; at 1 the error keeps its size as through weights of `initialization=xavier`.
    """

    def __init__(self, scale: float) -> None:
        self.scale = number("backward.scale", scale, 0, ends="(]")

    def __call__(self, function: Function, a: Tensor) -> Tensor:
        """Exact at nonlinearities."""
        return exact(function, a)

    def matrix(self, feedback: Tensor, rng: torch.Generator) -> None:
        """Draw B, in place; (out, in) or (out, in, height, width)."""
        places = math.prod(feedback.shape[2:])
        fans = (feedback.shape[0] + feedback.shape[1]) * places
        feedback.normal_(0, self.scale * math.sqrt(2 / fans), generator=rng)


def at_depth(rule: Rule, depth: int) -> Rule:
    """The rule at a depth, 1 being next to the input; most are the same everywhere."""
    at: Any = getattr(rule, "at", None)
    chosen: Rule = rule if at is None else at(depth)
    return chosen


def is_exact(rule: Rule) -> bool:
    """Whether a rule is plain back-propagation, so that code with derivatives of its own may stand in for it."""
    return (rule.func if isinstance(rule, partial) else rule) is exact
