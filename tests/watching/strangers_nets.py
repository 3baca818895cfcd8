"""Nets as other people write them, and a loop to train them; nothing of repro in it."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

Batch = tuple[Tensor, Tensor]
SIDE, CLASSES, BATCH, STEPS = 8, 3, 6, 4


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(SIDE, 16), nn.Tanh(), nn.Dropout(0.3), nn.Linear(16, 16), nn.GELU(), nn.Linear(16, CLASSES)
    )


def cnn() -> nn.Module:
    return nn.Sequential(
        *(nn.Unflatten(1, (1, SIDE)), nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.ReLU(inplace=True)),
        *(
            nn.Unflatten(1, (1, 4)),
            nn.Conv2d(1, 4, 3),
            nn.BatchNorm2d(4),
            nn.PReLU(),
            nn.Flatten(),
            nn.LazyLinear(CLASSES),
        ),
    )


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(4) for _ in range(2))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.norms[0](self.one(x)))
        out = self.norms[1](self.two(out))
        out += x
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.blocks, self.head = (
            nn.Conv2d(1, 4, 3, padding=1),
            nn.Sequential(Block(), Block()),
            nn.Linear(4, CLASSES),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.stem(x.view(len(x), 1, 2, 4))).mean((2, 3)))


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.RNNBase], **options: Any) -> None:
        super().__init__()
        self.recurrent, self.head = kind(2, 5, num_layers=2, **options), nn.Linear(5, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        steps = x.view(len(x), 4, 2)
        if not self.recurrent.batch_first:
            steps = steps.transpose(0, 1)
        out, _ = self.recurrent(steps)
        return self.head(out[:, -1] if self.recurrent.batch_first else out[-1])


class Packed(Recurrent):
    def forward(self, x: Tensor) -> Tensor:
        steps = nn.utils.rnn.pack_padded_sequence(x.view(len(x), 4, 2), [4, 4, 3, 3, 2, 1][: len(x)], batch_first=True)
        return self.head(self.recurrent(steps)[1][-1])


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=12, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x.view(len(x), 1, 8).expand(-1, 3, -1)).mean(1))


class Shared(nn.Module):
    """One layer called three times, functions without modules, and a weight that two layers share."""

    def __init__(self) -> None:
        super().__init__()
        self.middle, self.other, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, CLASSES)
        self.other.weight = self.middle.weight

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(3):
            x = torch.tanh(self.middle(input=x))
        return self.head(functional.relu(self.other(x)))


class Checkpointed(nn.Module):
    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.body, self.head, self.reentrant = mlp(), nn.Linear(CLASSES, CLASSES), reentrant

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = checkpoint(self.body, x.requires_grad_(), use_reentrant=self.reentrant)
        return self.head(out)


NETS: dict[str, Callable[[], nn.Module]] = {
    "mlp": mlp,
    "cnn": cnn,
    "resnet": ResNet,
    "lstm": lambda: Recurrent(nn.LSTM),
    "gru": lambda: Recurrent(nn.GRU, batch_first=True),
    "packed": lambda: Packed(nn.RNN, batch_first=True),
    "transformer": Transformer,
    "shared": Shared,
    "checkpointed": lambda: Checkpointed(reentrant=False),
    "checkpointed_reentrant": lambda: Checkpointed(reentrant=True),
    "compiled": lambda: torch.compile(mlp(), backend="aot_eager"),
}


def batches() -> list[Batch]:
    rng = torch.Generator().manual_seed(1)
    return [
        (torch.randn(BATCH, SIDE, generator=rng), torch.randint(CLASSES, (BATCH,), generator=rng)) for _ in range(STEPS)
    ]


def train(
    net: nn.Module, step: Callable[[Tensor], Any] = Tensor.detach, accumulate: int = 1, mixed: bool = False
) -> Iterable[Tensor]:
    """Parameters, buffers, momenta and random numbers after a few steps."""
    data = batches()
    net(data[0][0])  # lazy layers get their sizes
    optimizer = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", enabled=mixed, init_scale=8.0)
    for x, y in data:
        optimizer.zero_grad()
        for part in zip(x.chunk(accumulate), y.chunk(accumulate), strict=True):
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                loss = functional.cross_entropy(net(part[0]), part[1])
            scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        step(loss)
    state = [*net.parameters(), *net.buffers(), *(s["momentum_buffer"] for s in optimizer.state.values())]
    return [*(value.detach().clone() for value in state), torch.get_rng_state()]
