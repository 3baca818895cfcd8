"""The memory of the neural Turing machine: one step against a slow twin, and steered by hand."""

import math

import pytest
import torch
from torch import Tensor

from repro.model.architectures.ntm_memory import EMPTY, blocks, by_content, sharpened, shifted, step, written

BATCH, ROWS, FEATURES = 3, 5, 4


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=rng(seed))


# ---- addressing, against a twin that goes number by number ----


def slow_step(memory: Tensor, before: Tensor, said: Tensor) -> tuple[list, list, list]:
    """One sample: (rows, features), (2, rows) and what is said, by the formulas of Graves et al. (2014)."""

    def softmax(values: list[float]) -> list[float]:
        powers = [math.exp(v) for v in values]
        return [p / sum(powers) for p in powers]

    def softplus(z: float) -> float:
        return math.log(1 + math.exp(z))

    def logistic(z: float) -> float:
        return 1 / (1 + math.exp(-z))

    n, m, words = ROWS, FEATURES, iter(said.tolist())
    rows = memory.tolist()
    keys = [[math.tanh(next(words)) for _ in range(m)] for _ in range(2)]
    add = [math.tanh(next(words)) for _ in range(m)]
    gates = [logistic(next(words)) for _ in range(2)]
    erase = [logistic(next(words)) for _ in range(m)]
    strengths = [softplus(next(words)) for _ in range(2)]
    sharps = [1 + softplus(next(words)) for _ in range(2)]
    shifts = [softmax([next(words) for _ in range(3)]) for _ in range(2)]
    weightings = []
    for h, old in enumerate(before.tolist()):
        dots = [sum(k * v for k, v in zip(keys[h], row, strict=True)) for row in rows]
        cosines = [dot / math.hypot(*keys[h]) / math.hypot(*row) for dot, row in zip(dots, rows, strict=True)]
        found = softmax([strengths[h] * c for c in cosines])
        blend = [gates[h] * f + (1 - gates[h]) * o for f, o in zip(found, old, strict=True)]
        moved = [sum(shifts[h][j + 1] * blend[(i - j) % n] for j in (-1, 0, 1)) for i in range(n)]
        powers = [w ** sharps[h] for w in moved]
        weightings.append([p / sum(powers) for p in powers])
    read = [sum(w * row[k] for w, row in zip(weightings[0], rows, strict=True)) for k in range(m)]
    after = [
        [v * (1 - w * e) + w * a for v, e, a in zip(row, erase, add, strict=True)]
        for w, row in zip(weightings[1], rows, strict=True)
    ]
    assert next(words, None) is None
    return read, weightings, after


def state(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    before = torch.softmax(2 * normal(BATCH, 2, ROWS, seed=seed + 1), -1)
    return 3 * normal(BATCH, ROWS, FEATURES, seed=seed), before, 2 * normal(BATCH, sum(blocks(FEATURES)), seed=seed + 2)


@pytest.mark.parametrize("seed", range(5))
def test_a_step_is_its_slow_twin(seed: int) -> None:
    memory, before, said = state(seed)
    found = step(memory, before, said)
    for i in range(BATCH):
        for ours, slow in zip(found, slow_step(memory[i], before[i], said[i]), strict=True):
            torch.testing.assert_close(ours[i], torch.tensor(slow, dtype=torch.float64), rtol=1e-6, atol=1e-7)


def test_weightings_are_shares() -> None:
    memory, before, said = state()
    for scale in (0.1, 1.0, 30.0):
        _, weights, _ = step(memory, before, scale * said)
        assert (weights >= 0).all()
        torch.testing.assert_close(weights.sum(-1), torch.ones(BATCH, 2, dtype=torch.float64))


def test_content_goes_by_direction_and_strength() -> None:
    memory = torch.tensor([[[3.0, 0.0], [0.0, 0.5], [-2.0, 0.0]]], dtype=torch.float64)
    key = torch.tensor([[[0.1, 0.0], [0.0, 0.7]]], dtype=torch.float64)
    weak, strong = (by_content(memory, key, torch.full((1, 2, 1), b, dtype=torch.float64)) for b in (1.0, 50.0))
    cosines = torch.tensor([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(weak[0], torch.softmax(cosines, -1), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(strong[0], torch.eye(3, dtype=torch.float64)[:2], rtol=0, atol=1e-9)


def test_empty_rows_are_all_alike_and_like_no_key() -> None:
    memory = torch.full((1, ROWS, FEATURES), EMPTY, dtype=torch.float64)
    memory[0, 2] = 0.5
    weights = by_content(memory, torch.ones(1, 1, FEATURES, dtype=torch.float64), torch.tensor([[[10.0]]]).double())
    assert weights.unique().numel() == 2
    assert weights[0, 0, 2] / weights[0, 0, 0] == pytest.approx(math.exp(10 * (1 - 0.02)), rel=0.01)


def test_shifts_go_around_the_ring() -> None:
    weights = torch.tensor([[[0.7, 0.0, 0.0, 0.0, 0.3]]], dtype=torch.float64)

    def by(*shares: float) -> list[float]:
        return shifted(weights, torch.tensor([[shares]], dtype=torch.float64))[0, 0].tolist()

    assert by(0, 1, 0) == [0.7, 0, 0, 0, 0.3]
    assert by(0, 0, 1) == [0.3, 0.7, 0, 0, 0]  # on by one row
    assert by(1, 0, 0) == [0, 0, 0, 0.3, 0.7]  # back by one
    assert by(0.5, 0, 0.5) == pytest.approx([0.15, 0.35, 0, 0.15, 0.35])


def test_sharpening_is_a_power() -> None:
    weights = torch.softmax(normal(2, 2, ROWS), -1)
    for gamma in (1.0, 1.7, 6.0):
        found = sharpened(weights, torch.full((2, 2, 1), gamma, dtype=torch.float64))
        torch.testing.assert_close(found, weights**gamma / (weights**gamma).sum(-1, keepdim=True))
    one_hot = torch.eye(ROWS).unsqueeze(0)  # float32, and log 0 within
    one_hot.requires_grad_()
    out = sharpened(one_hot, torch.full((1, ROWS, 1), 20.0))
    out.square().sum().backward()
    assert torch.equal(out.detach(), torch.eye(ROWS).unsqueeze(0))
    assert one_hot.grad.isfinite().all()


# ---- a memory steered by hand ----


def words(key=(0.0,) * FEATURES, add=(0.0,) * FEATURES, read_stays=True, write_on=0.0, erase=-30.0) -> Tensor:
    """What a controller would say: heads go by content where their gate is open, else they stay or move on."""
    m, big = FEATURES, 30.0
    said = torch.zeros(1, sum(blocks(m)), dtype=torch.float64)
    tanhs, logistics, positive, shift = torch.split(said, blocks(m), -1)
    tanhs[0, :m] = torch.tensor(key)
    tanhs[0, 2 * m :] = torch.tensor(add)
    logistics[0, :2] = torch.tensor([-big if read_stays else big, -big])
    logistics[0, 2:] = erase
    positive[0] = 60.0  # strength 60, sharpness 61
    shift[0] = torch.tensor([-big, big, -big, -big, big * (1 - write_on), big * write_on])
    return said


def test_a_memory_steered_by_hand() -> None:
    """Three rows are written one after another, one is found by what is in it, one is erased."""
    items = torch.tensor([[1.0, -1, 1, 1], [-1, -1, 1, -1], [1, 1, -1, 1]], dtype=torch.float64) * 0.7
    memory = torch.full((1, ROWS, FEATURES), EMPTY, dtype=torch.float64)
    weights = torch.zeros(1, 2, ROWS, dtype=torch.float64)
    weights[:, :, 0] = 1
    for i, item in enumerate(items):
        _, weights, memory = step(memory, weights, words(add=item.atanh().tolist(), write_on=float(i > 0)))
    torch.testing.assert_close(memory[0, :3], items, rtol=0, atol=1e-5)
    torch.testing.assert_close(memory[0, 3:], torch.full((2, FEATURES), EMPTY, dtype=torch.float64))
    assert weights[0].argmax(-1).tolist() == [0, 2]

    read, weights, after = step(memory, weights, words(key=items[1].tolist(), read_stays=False))
    torch.testing.assert_close(read[0], items[1], rtol=0, atol=1e-4)
    assert weights[0].argmax(-1).tolist() == [1, 2]
    torch.testing.assert_close(after, memory)  # nothing was added, nothing erased

    read, weights, after = step(after, weights, words(erase=30.0))
    torch.testing.assert_close(read[0], items[1], rtol=0, atol=1e-4)  # the head has stayed; what it reads is older
    torch.testing.assert_close(after[0, 2], torch.zeros(FEATURES, dtype=torch.float64), rtol=0, atol=1e-6)
    torch.testing.assert_close(after[0, :2], items[:2], rtol=0, atol=1e-5)


def test_writing_by_hand() -> None:
    memory = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    weights, erase, add = torch.tensor([[[1.0], [0.5]]]), torch.tensor([[[1.0, 0.5]]]), torch.tensor([[[10.0, 20.0]]])
    assert written(memory, weights, erase, add).tolist() == [[[10, 21], [6.5, 13]]]


def test_gradients_of_a_step() -> None:
    assert torch.autograd.gradcheck(step, tuple(v.requires_grad_() for v in state()))
