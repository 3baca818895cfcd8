"""The small convolutional net, pooled and strided, held against torch's functions written out."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from repro.model import backward, normalization
from repro.model.activations import Activation
from repro.model.architectures.cnn import CNN
from repro.model.layer_factory import LayerFactory

MAKE = LayerFactory(Activation(nn.Tanh, nn.Sigmoid), backward.exact, normalization.none)
SHAPES = [(1, 28, 28), (3, 9, 7), (2, 4, 5)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stride", [None, 1, 2, 3])
@pytest.mark.parametrize("kernel", [3, 5])
def test_outputs_are_those_of_torchs_functions(shape, stride, kernel):
    net = CNN(shape, 3, MAKE, [2, 4], kernel, stride, [5], True, 0.0, None).double()
    x = torch.randn(6, *shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    h = x
    for block in net.blocks:
        conv = block.convolution
        h = functional.conv2d(h, conv.weight, conv.bias, stride=stride or 1, padding=kernel // 2).tanh()
        h = functional.max_pool2d(h, 2) if stride is None else h
    hidden = net.hidden[0].linear
    expected = net.output(functional.linear(h.flatten(1), hidden.weight, hidden.bias).tanh())
    assert torch.equal(net(x), expected)


def test_a_stride_of_two_leaves_as_much_as_pooling_does_of_even_sides():
    pooled, strided = (CNN((1, 28, 28), 10, MAKE, [8, 16], 3, stride, [], True, 0.0, None) for stride in (None, 2))
    assert pooled.output.in_features == strided.output.in_features == 16 * 7 * 7
    assert strided(torch.zeros(1, 1, 28, 28)).shape == (1, 10)
