"""Back-propagation by its four equations and by products of Jacobians, against automatic differentiation."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.func import jacrev

from repro.errors import whole
from repro.training.work import Measured, from_rows

from .small_nets import Net, activations, batch, errors, gradients, sigmoid_net


def _check(*, hidden: Sequence[int], images: int, batch_norm_samples: int, smallest: int) -> None:
    for size in hidden:
        whole("hidden", size, 1)
    whole("images", images, 1)
    whole("batch_norm_samples", batch_norm_samples, 2)
    whole("smallest", smallest, 1)


@from_rows(check=_check)
def exact_gradients(
    data: object, rng: torch.Generator, *, hidden: Sequence[int], images: int, batch_norm_samples: int, smallest: int
) -> Iterator[Measured]:
    """Greatest absolute differences between derivatives written out and those of automatic differentiation.

    Args:
        data: inputs with classes; so many images are drawn.
        rng: of images and weights.
        hidden: units of the hidden layers.
        images: in the batch.
        batch_norm_samples: values that are normalized together.
        smallest: finite differences take steps of 10⁻¹ to 10 to the minus so much, ε of batch normalization too.
    """
    x, y = batch(data, images, rng)
    net = sigmoid_net([x.shape[1], *hidden, y.shape[1]], rng)
    yield from _four_equations(net, x, y)
    yield from _finite_differences(net, x, y, smallest, rng)
    yield from _products_of_jacobians(net, x[0], y[0])
    yield from _one_unit_a_layer(len(hidden) + 1, rng)
    yield from _softmax(y.shape[1], rng)
    yield from _batch_norm(batch_norm_samples, smallest, rng)


def _cost(net: Net, x: Tensor, y: Tensor) -> Tensor:
    return 0.5 * (activations(net, x)[-1] - y).square().sum(1).mean()


def _by_autograd(net: Net, x: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
    leaves = [tuple(p.clone().requires_grad_() for p in layer) for layer in net]
    flat = torch.autograd.grad(_cost([(w, b) for w, b in leaves], x, y), [p for layer in leaves for p in layer])
    return list(zip(flat[::2], flat[1::2], strict=True))


def _apart(one: Sequence[tuple[Tensor, ...]], other: Sequence[tuple[Tensor, ...]]) -> float:
    return max(
        _largest(a - b) for left, right in zip(one, other, strict=True) for a, b in zip(left, right, strict=True)
    )


def _largest(values: Tensor) -> float:
    return float(values.abs().max())


def _four_equations(net: Net, x: Tensor, y: Tensor) -> Iterator[Measured]:
    layers = activations(net, x)
    own, auto = gradients(layers, errors(net, layers, y)), _by_autograd(net, x, y)
    yield Measured("four_equations_error", _apart(own, auto))
    yield Measured("largest_gradient", max(_largest(g) for layer in auto for g in layer))
    single: Net = [(w.float(), b.float()) for w, b in net]
    rounded = _by_autograd(single, x.float(), y.float())
    yield Measured("float32_error", _apart(own, [(w.double(), b.double()) for w, b in rounded]))


def _finite_differences(net: Net, x: Tensor, y: Tensor, smallest: int, rng: torch.Generator) -> Iterator[Measured]:
    """Central differences for one weight of each layer: relative error, the greatest of them, by step 10⁻ᵏ."""
    auto = [weight for weight, _ in _by_autograd(net, x, y)]
    # Weights of some weight: of the ten with the greatest gradients, else rounding is all that is seen.
    picked = [g.abs().flatten().topk(10).indices[int(torch.randint(10, (), generator=rng))] for g in auto]
    found = []
    for k in range(1, smallest + 1):
        worst = 0.0
        for layer, place in enumerate(picked):
            costs = []
            for sign in (1, -1):
                moved = [(w.clone(), b) for w, b in net]
                moved[layer][0].view(-1)[place] += sign * 10.0**-k
                costs.append(_cost(moved, x, y))
            slope, true = (costs[0] - costs[1]) / (2 * 10.0**-k), auto[layer].view(-1)[place]
            worst = max(worst, float((slope - true).abs() / true.abs()))
        found.append(worst)
        yield Measured("difference_error", worst, k)
    best = min(found)
    yield Measured("best_difference_error", best)
    yield Measured("best_difference_step", found.index(best) + 1)


def _products_of_jacobians(net: Net, x: Tensor, y: Tensor) -> Iterator[Measured]:
    """One sample: gradients as J^T times the gradient above, dense Jacobians throughout, and input to output."""
    layers = activations(net, x[None])
    gradient, whole_way = (layers[-1] - y)[0], torch.eye(len(y), dtype=torch.float64)
    own: Net = []
    for (weight, _), below, above in zip(net[::-1], layers[-2::-1], layers[:0:-1], strict=True):
        of_sigmoid = torch.diag((above * (1 - above))[0])
        gradient = of_sigmoid.T @ gradient
        # The Jacobian of W a by W, row after row: I ⊗ a^T.
        of_weight = torch.kron(torch.eye(len(weight), dtype=torch.float64), below)
        own.insert(0, ((of_weight.T @ gradient).view_as(weight), gradient))
        gradient, whole_way = weight.T @ gradient, whole_way @ of_sigmoid @ weight
    yield Measured("jacobians_error", _apart(own, _by_autograd(net, x[None], y[None])))
    auto = jacrev(lambda v: activations(net, v[None])[-1][0])(x)
    yield Measured("input_output_error", _largest(whole_way - auto))


def _one_unit_a_layer(depth: int, rng: torch.Generator) -> Iterator[Measured]:
    """One unit a layer, cost (a − y)²: a product of three factors; with several units a sum over paths."""
    w, b = torch.randn(2, depth, generator=rng, dtype=torch.float64)
    w.requires_grad_()
    a, y, below = torch.tensor(0.5, dtype=torch.float64), 1.0, None
    for i in range(depth):
        below, a = a, torch.sigmoid(w[i] * a + b[i])
    (auto,) = torch.autograd.grad((a - y) ** 2, w)
    assert below is not None
    yield Measured("scalar_chain_error", _largest((auto[-1] - below * a * (1 - a) * 2 * (a - y)).detach()))
    first, second, third = (
        torch.randn(3, generator=rng, dtype=torch.float64),
        *torch.randn(2, 3, generator=rng, dtype=torch.float64),
    )
    first.requires_grad_()
    out = torch.sigmoid(torch.outer(second, first) @ third)  # three outputs, each by a path of its own from each input
    (auto,) = torch.autograd.grad((out - 1).square().sum(), first)
    paths = second[:, None] * third * (2 * (out - 1) * out * (1 - out))[:, None]
    yield Measured("paths_error", _largest(auto - paths.sum(0).detach()))


def _softmax(classes: int, rng: torch.Generator) -> Iterator[Measured]:
    z = torch.randn(classes, generator=rng, dtype=torch.float64)
    p = z.softmax(0)
    auto = jacrev(lambda v: v.softmax(0))(z)
    yield Measured("softmax_error", _largest(torch.diag(p) - torch.outer(p, p) - auto))


def _batch_norm(samples: int, smallest: int, rng: torch.Generator) -> Iterator[Measured]:
    """The Jacobian over a batch, with the biased variance; what it takes to nothing: 1, and x̂ as ε goes to 0."""
    x = torch.randn(samples, generator=rng, dtype=torch.float64)
    gamma, beta = torch.randn(2, generator=rng, dtype=torch.float64)
    ones = torch.ones(samples, dtype=torch.float64)

    def made(eps: float) -> tuple[Tensor, Tensor]:
        root = (x.var(correction=0) + eps).sqrt()
        hat = (x - x.mean()) / root
        return gamma / root * (
            torch.diag(ones) - torch.outer(ones, ones) / samples - torch.outer(hat, hat) / samples
        ), hat

    for k in range(1, smallest + 1):
        own, hat = made(10.0**-k)
        yield Measured("batch_norm_of_normalized", _largest(own @ hat), k)
    own, hat = made(1e-5)
    auto = jacrev(lambda v: _normalized(v, gamma, beta))(x)
    yield Measured("batch_norm_error", _largest(own - auto))
    yield Measured("batch_norm_of_ones", _largest(own @ ones))
    for place, value in enumerate(own.flatten().tolist()):
        yield Measured("batch_norm_jacobian", value, place)


def _normalized(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """torch's own batch normalization, of one feature."""
    none = torch.nn.functional.batch_norm(x[:, None], None, None, gamma.view(1), beta.view(1), training=True, eps=1e-5)
    return none[:, 0]
