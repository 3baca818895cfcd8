"""A net of spiking neurons: one hidden layer of leaky integrators that fire, and a layer that only integrates."""

import math

import torch
from torch import Tensor, nn

from repro.errors import UserError, number, whole
from repro.model.activations.noise import NoiseSource, required
from repro.model.layer_factory import LayerFactory


class Hidden(nn.Module):
    """Weights and what fires."""

    def __init__(self, linear: nn.Linear, activation: nn.Module) -> None:
        super().__init__()
        self.linear, self.activation = linear, activation


class Spiking(nn.Module):
    """Pixels as spikes, leaky integrate-and-fire neurons, and as outputs the mean potentials of leaky integrators.

    In every step a pixel of value p fires with probability p. A neuron's potential is u ← decay·u + Σ w·spike + b; it
    fires where u reaches the threshold, which is then taken off (reset by subtraction; not differentiated). Training
    draws new spikes each time; evaluation has one draw for all, so that it can be repeated and uses up no random
    number of training.

    Args:
        shape: of one input, of pixels in [0, 1].
        outputs: neurons of the last layer.
        make: `activation`'s gate says when a neuron fires, and the backward rule what passes back through that.
        width: hidden neurons, 1 or more.
        steps: of time, 1 or more.
        decay: share of its potential that a neuron keeps from step to step, in [0, 1].
        threshold: above 0.
        bias: biases in both layers.

    Raises:
        UserError: an option is out of its range, or the activation's gate is not a step from 0 to 1.
    """

    drawn: Tensor

    def __init__(
        self,
        shape: tuple[int, ...],
        outputs: int,
        make: LayerFactory,
        width: int,
        steps: int,
        decay: float,
        threshold: float,
        bias: bool,
    ) -> None:
        super().__init__()
        whole("architecture.width", width, 1)
        self.steps = whole("architecture.steps", steps, 1)
        self.decay = number("architecture.decay", decay, 0, 1)
        self.threshold = number("architecture.threshold", threshold, 0, ends="(]")
        inputs = math.prod(shape)
        self.hidden = Hidden(make.weights.linear(inputs, width, bias), make.gate(width))
        self.output = make.weights.linear(width, outputs, bias)
        self.noise: NoiseSource | None = None
        self.register_buffer("drawn", torch.full((self.steps, 1, inputs), 0.5))
        _check_steps(self.hidden.activation)

    def reset(self, rng: torch.Generator) -> None:
        """Draw the numbers that decide which pixels fire when the net is evaluated."""
        self.drawn.uniform_(generator=rng)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, *shape) to mean potentials (batch, outputs)."""
        currents = self.hidden.linear(self._spikes(x.flatten(1)))  # (steps, batch, width)
        potential, outer, total = torch.zeros_like(currents[0]), None, None
        for current in currents:
            potential = self.decay * potential + current
            fired = self.hidden.activation(potential - self.threshold)
            potential = potential - self.threshold * fired.detach()
            driven = self.output(fired)
            outer = driven if outer is None else self.decay * outer + driven
            total = outer if total is None else total + outer
        assert total is not None
        mean: Tensor = total / self.steps
        return mean

    def _spikes(self, x: Tensor) -> Tensor:
        """(batch, inputs) to 0 and 1, (steps, batch, inputs)."""
        if not self.training:
            return (self.drawn < x).to(x.dtype)
        # No source can draw for inputs that all replicas share, as a probe's are; with a weight in them they differ.
        own = x + 0 * self.hidden.linear.weight.detach()[0]
        return (required(self.noise, self).uniform(own.expand(self.steps, *own.shape)) < own).to(x.dtype)


def _check_steps(gate: nn.Module) -> None:
    if any(parameter.is_meta for parameter in gate.parameters()):
        return  # a net that is only counted
    gate.eval()
    with torch.device("cpu"), torch.no_grad():
        fired = gate(torch.tensor([[-1.0], [-0.01], [0.01], [1.0]]))
    gate.train()
    if fired.flatten().tolist() != [0, 0, 1, 1]:
        raise UserError(
            "architecture=spiking fires or does not, and the gate of this activation is no step from 0 to 1; "
            "take activation=sign with backward=surrogate"
        )
