"""The papers' activations as ordinary modules for nets of one's own: no Hydra, noise from torch's global generators."""

import copy
from abc import abstractmethod
from typing import Self

import torch
from torch import Tensor, nn

from repro.errors import UserError, number, whole
from repro.model.activations.elementwise import Esp, hard_sigmoid, hard_tanh
from repro.model.activations.noise import NoiseSource
from repro.model.activations.noisy import Noisy, noisy, variant


class GlobalNoise(NoiseSource):
    """Draws from torch's global generator of the device a tensor is on, as `nn.Dropout` does."""

    def __init__(self) -> None:
        super().__init__([])

    def normal(self, like: Tensor) -> Tensor:
        """Standard normal numbers of the shape, type and device of `like`."""
        return torch.randn_like(like)

    def uniform(self, like: Tensor) -> Tensor:
        """Uniform numbers in [0, 1) of the shape, type and device of `like`."""
        return torch.rand_like(like)


def units_axis(dims: int, spatial: int | None = None) -> int:
    """Along which of so many dimensions the units lie; `spatial` as in `PerUnit.behind`."""
    channels = dims == 4 if spatial is None else spatial > 0 and dims == spatial + 2
    return 1 if channels else -1


class PerUnit(nn.Module):
    """An activation that learns something for each unit of its layer.

    Without `units` it is a pattern only, which `of` and `repro.replace` make a module of. Units are the last dimension
    of what it is given, but for pictures (n, channels, height, width), where they are the channels. Once it is told
    what stands in front of it (`behind`; `repro.replace` tells it), channels are those of that convolution.

    Args:
        units: how many, at least 1; None = not known yet.
    """

    def __init__(self, units: int | None) -> None:
        super().__init__()
        self.units = None if units is None else whole("units", units, 1)
        self.spatial: int | None = None
        made = self._function(self.units or 1)  # a wrong setting is reported here, whatever is known
        self.function: nn.Module | None = None
        if self.units is not None:
            rng = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
            if callable(reset := getattr(made, "reset", None)):
                reset(rng)
            for part in made.modules():
                if isinstance(part, Noisy):
                    part.noise = GlobalNoise()
            self.function = made

    @abstractmethod
    def _function(self, units: int) -> nn.Module:
        """The function for so many units."""

    def of(self, units: int, spatial: int | None = None) -> Self:
        """The same for a layer of `units` units, with parameters of its own; `spatial` as in `behind`."""
        one = copy.copy(self)
        PerUnit.__init__(one, units)
        return one.behind(spatial)

    def behind(self, spatial: int | None) -> Self:
        """Itself, told what stands in front of it.

        Args:
            spatial: dimensions of space of a convolution, 1 to 3; 0 = a layer of rows; None = not known.
        """
        self.spatial = spatial
        return self

    def forward(self, input: Tensor) -> Tensor:
        """The function of `input`, same shape; input (..., units), or (n, units, ...) behind a convolution."""
        if self.function is None:
            raise UserError(f"{type(self).__name__} does not know how many units it has: give units=")
        axis = units_axis(input.dim(), self.spatial)
        if axis == units_axis(input.dim()):  # the function knows pictures
            out: Tensor = self.function(input)
        else:
            rows = input.movedim(axis, -1)
            out = self.function(rows.flatten(0, -2)).reshape(rows.shape).movedim(-1, axis)
        return out


class NoisyTanh(PerUnit):
    """Hard tanh, noisy where it saturates, so that gradients get through (Gulcehre et al. 2016, Eq. 8 to 15).

    While training; in evaluation the noise is at its expectation. Parameters: p of every unit, from U(−1, 1).

    Args:
        units: as in `PerUnit`.
        noise: nan, nah, nani, nanil, nanil_softplus or nanis, the paper's names, in either case.
        alpha: the slope is 1 − alpha where saturated (nan, nah).
        c: scale of the learnt noise, 0 or more; its standard deviation stays below c/4.
        sigma: standard deviation of the fixed noise (nani, nanis), 0 or more.

    Raises:
        UserError: an unknown noise, or a number out of its range.
    """

    _hard = staticmethod(hard_tanh)

    def __init__(
        self, units: int | None = None, noise: str = "nan", alpha: float = 1.15, c: float = 0.5, sigma: float = 0.05
    ) -> None:
        self.noise, self.alpha = variant(noise), number("alpha", alpha)
        self.c, self.sigma = number("c", c, 0), number("sigma", sigma, 0)
        super().__init__(units)

    def _function(self, units: int) -> nn.Module:
        return noisy(self._hard, units, self.noise, self.alpha, self.c, self.sigma)

    def saturated(self, a: Tensor) -> Tensor:
        """Where |a| is at or beyond the knee; booleans, same shape."""
        return self._hard().saturated(a)


class NoisySigmoid(NoisyTanh):
    """Hard sigmoid clip(x/4 + 1/2, 0, 1), noisy where it saturates; arguments as in `NoisyTanh`."""

    _hard = staticmethod(hard_sigmoid)

    def __init__(
        self, units: int | None = None, noise: str = "nan", alpha: float = 1.1, c: float = 0.5, sigma: float = 0.05
    ) -> None:
        super().__init__(units, noise, alpha, c, sigma)


class ESP(PerUnit):
    """x·sigmoid(βx) with a trainable β for each unit (Milletarì, Chotibut and Trevisanutto 2018).

    Args:
        units: as in `PerUnit`.
        beta: where every β starts; None draws each from N(0, beta_std²).
        beta_std: 0 or more; 0.004 as in the authors' code.

    Raises:
        UserError: a number out of its range.
    """

    def __init__(self, units: int | None = None, beta: float | None = None, beta_std: float = 0.004) -> None:
        self.beta, self.beta_std = beta, beta_std
        super().__init__(units)

    def _function(self, units: int) -> nn.Module:
        return Esp(units, self.beta, self.beta_std)
