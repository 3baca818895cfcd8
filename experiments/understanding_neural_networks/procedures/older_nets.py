"""Three nets of the 1980s and 1990s: radial basis functions, a self-organizing map, and Elman's."""

from collections.abc import Iterator

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from repro.datasets.memory import Data
from repro.errors import number, whole
from repro.training.work import Measured, from_rows

from .classify import arrays
from .deep_forest import LARGEST_SEED, Classes, Floats

SYLLABLES = ("ba", "dii", "guuu")  # Elman 1990
LETTERS = "badigu"
CONSONANTS = "bdg"


def _check_radial_basis(*, centres: int, train_size: int, test_size: int) -> None:
    whole("procedure.centres", centres, 2)
    for name, value in (("train_size", train_size), ("test_size", test_size)):
        whole(f"procedure.{name}", value, 2 * centres)


@from_rows(check=_check_radial_basis)
def radial_basis(
    data: None, rng: torch.Generator, *, centres: int, train_size: int, test_size: int
) -> Iterator[Measured]:
    """A disc in a ring, told apart by Gaussian bumps around centres of k-means, and by a straight line.

    Args:
        data: none; points are drawn, as ConvNetJS draws them.
        rng: of points and centres.
        centres: of the bumps.
        train_size, test_size: points, half of them in the disc.

    Raises:
        UserError: a setting is not allowed.
    """
    del data
    seed = int(torch.randint(LARGEST_SEED, (), generator=rng))
    drawn = np.random.default_rng(seed)
    (x, y), (test_x, test_y) = (_disc_in_ring(size, drawn) for size in (train_size, test_size))
    found = KMeans(centres, n_init=4, random_state=seed).fit(x).cluster_centers_
    apart = np.linalg.norm(found[:, None] - found, axis=-1)
    width = np.sort(apart, axis=1)[:, 1].mean()  # to the next centre
    bumps = LogisticRegression().fit(_bumps(x, found, width), y)
    yield Measured("accuracy", bumps.score(_bumps(test_x, found, width), test_y))
    yield Measured("linear_accuracy", LogisticRegression().fit(x, y).score(test_x, test_y))


def _disc_in_ring(n: int, rng: np.random.Generator) -> tuple[Floats, Classes]:
    y = np.arange(n, dtype=np.int64) % 2
    radius = np.where(y == 1, rng.uniform(0, 2, n), rng.uniform(3, 5, n))
    angle = rng.uniform(0, 2 * np.pi, n)
    return radius[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1), y


def _bumps(x: Floats, centres: Floats, width: float) -> Floats:
    """Shape (n, centres)."""
    found: Floats = np.exp(-(((x[:, None] - centres) ** 2).sum(-1)) / (2 * width**2))
    return found


def _check_self_organizing(*, side: int, epochs: int, rate: float) -> None:
    whole("procedure.side", side, 2)
    whole("procedure.epochs", epochs, 1)
    number("procedure.rate", rate, 0, 1, ends="(]")


@from_rows(check=_check_self_organizing)
def self_organizing(data: Data, rng: torch.Generator, *, side: int, epochs: int, rate: float) -> Iterator[Measured]:
    """Kohonen's map, by epoch: how far samples are from their unit, and whether the next best unit is its neighbour.

    Args:
        data: what is laid out; classes are only used to see what came of it.
        rng: of start and order.
        side: units along each side of the square map.
        epochs: over the samples, in each of which the neighbourhood shrinks, from half of the map to half a unit.
        rate: at the beginning; it falls to a hundredth.

    Raises:
        UserError: a setting is not allowed.
    """
    (x, y), (test_x, test_y) = arrays(data.train), arrays(data.test)
    drawn = np.random.default_rng(int(torch.randint(LARGEST_SEED, (), generator=rng)))
    units = x[drawn.integers(len(x), size=side**2)]
    places = np.stack(np.divmod(np.arange(side**2), side), axis=1).astype(np.float64)
    yield from _layout(units, places, test_x, 0)
    for epoch in range(epochs):
        along = epoch / max(1, epochs - 1)
        reach = (side / 2) * (1 / side) ** along
        for sample in x[drawn.permutation(len(x))]:
            winner = places[((units - sample) ** 2).sum(1).argmin()]
            near = np.exp(-((places - winner) ** 2).sum(1) / (2 * reach**2))
            units += rate * 0.01**along * near[:, None] * (sample - units)
        yield from _layout(units, places, test_x, epoch + 1)
    yield Measured("accuracy", _majority(units, x, y, test_x, test_y))


def _distances(units: Floats, x: Floats) -> Floats:
    found: Floats = ((x[:, None] - units) ** 2).sum(-1)
    return found


def _layout(units: Floats, places: Floats, x: Floats, epoch: int) -> Iterator[Measured]:
    distances = _distances(units, x)
    first, second = distances.argsort(1)[:, :2].T
    yield Measured("quantization_error", float(np.sqrt(distances.min(1)).mean()), epoch)
    # Neighbours share a side or a corner.
    yield Measured("torn_share", float((np.abs(places[first] - places[second]).max(1) > 1).mean()), epoch)


def _majority(units: Floats, x: Floats, y: Classes, test_x: Floats, test_y: Classes) -> float:
    """Accuracy of taking for a sample's class that of most training samples of its unit, of all where it has none."""
    votes = np.zeros((len(units), int(y.max()) + 1))
    np.add.at(votes, (_distances(units, x).argmin(1), y), 1)
    votes[votes.sum(1) == 0] = np.bincount(y, minlength=votes.shape[1])
    return float((votes.argmax(1)[_distances(units, test_x).argmin(1)] == test_y).mean())


def _check_elman(*, hidden: int, syllables: int, passes: int, rate: float) -> None:
    for name, value, least in (("hidden", hidden, 1), ("syllables", syllables, 20), ("passes", passes, 1)):
        whole(f"procedure.{name}", value, least)
    number("procedure.rate", rate, 0, ends="()")


@from_rows(check=_check_elman)
def elman(
    data: None, rng: torch.Generator, *, hidden: int, syllables: int, passes: int, rate: float
) -> Iterator[Measured]:
    """The next letter of ba, dii and guuu in a random order: vowels follow from what was, consonants do not.

    Args:
        data: none; syllables are drawn, as many again for testing.
        rng: of syllables and net.
        hidden: units of the context.
        syllables: of the text.
        passes: over the text, in pieces of 20 letters through which the error goes back.
        rate: of Adam.

    Raises:
        UserError: a setting is not allowed.
    """
    del data
    text, test = (_letters(syllables, rng) for _ in range(2))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(LARGEST_SEED, (), generator=rng)))
        net, out = nn.RNN(len(LETTERS), hidden, batch_first=True), nn.Linear(hidden, len(LETTERS))
    optimizer = torch.optim.Adam([*net.parameters(), *out.parameters()], rate)
    pieces = text[: len(text) // 20 * 20].view(-1, 20)
    for _ in range(passes):
        loss = nn.functional.cross_entropy(*_predicted(net, out, pieces))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    with torch.no_grad():
        scores, following = _predicted(net, out, test[None])
        losses = nn.functional.cross_entropy(scores, following, reduction="none")
    consonant = torch.isin(following, torch.tensor([LETTERS.index(letter) for letter in CONSONANTS]))
    yield Measured("consonant_loss", float(losses[consonant].mean()))
    yield Measured("vowel_loss", float(losses[~consonant].mean()))


def _letters(syllables: int, rng: torch.Generator) -> Tensor:
    """Numbers of letters in a row."""
    drawn = torch.randint(len(SYLLABLES), (syllables,), generator=rng).tolist()
    return torch.tensor([LETTERS.index(letter) for i in drawn for letter in SYLLABLES[i]])


def _predicted(net: nn.Module, out: nn.Module, pieces: Tensor) -> tuple[Tensor, Tensor]:
    """Scores of the next letter, shape (letters, 6), and which it is."""
    given = nn.functional.one_hot(pieces[:, :-1], len(LETTERS)).float()
    return out(net(given)[0]).flatten(0, 1), pieces[:, 1:].flatten()
