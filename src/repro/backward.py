"""Backward rules for a net that exists: what its activations pass back is changed, in place.

Each activation module becomes the `function` of a module that holds the rule, until `exact` takes that away again.
"""

from functools import partial

from torch import nn

from repro.errors import number
from repro.model import backward as rules
from repro.model.surgery import under_rule


def exact(model: nn.Module) -> nn.Module:
    """Plain back-propagation again, with the activation modules in their places as before; returns the net itself.

    Raises:
        UserError: the net has no activation module; so for all of these, and for the others also where a layer of
            torch's computes its activation as a function, which no rule reaches.
    """
    return under_rule(model, rules.exact)


def linear(model: nn.Module) -> nn.Module:
    """Linear back-propagation (Yazdani 2018): gradients pass every activation as if it were the identity."""
    return under_rule(model, rules.linear)


def scaled(model: nn.Module, slope: float) -> nn.Module:
    """Gradients are multiplied by one number at every activation, whatever the pre-activation."""
    return under_rule(model, partial(rules.scaled, slope=number("slope", slope)))


def clipped(model: nn.Module, bound: float = 1.0) -> nn.Module:
    """Straight-through estimator (Hubara et al. 2016): gradients pass where |pre-activation| <= bound, above 0."""
    return under_rule(model, partial(rules.clipped, bound=number("bound", bound, 0, ends="(]")))
