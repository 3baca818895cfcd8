"""Commands, what they mean, and the net that tells it."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets.protocol import Batch, Order
from repro.errors import UserError
from repro.experiments.understanding_neural_networks.architectures.two_hops import Hop, TwoHops
from repro.experiments.understanding_neural_networks.datasets.episodes import (
    ACTIONS,
    COMMANDS,
    HELD_OUT,
    IGNORED,
    SINGLE,
    SOURCE,
    TARGET,
    TESTED,
    WORDS,
    episodes,
    holds,
)
from repro.experiments.understanding_neural_networks.tasks.whole_sequence import WholeSequence
from repro.model.activations import Activation
from repro.model.backward import exact
from repro.model.layer_factory import LayerFactory
from repro.model.normalization import none
from repro.schedules.rate import warm_up
from repro.training.prepare import prepare


def made(**changes):
    usual = {"meta": True, "single_steps": 3, "single_share": 0.2, "epoch_steps": 5, "valid_size": 200, "seed": 0}
    return episodes(**usual | changes)


def words(numbers, tokens=SOURCE):
    return [tokens[n] for n in numbers.tolist() if n != IGNORED]


def understood(asked, language):
    """A slow twin: what a command in words means, by a language of word to action."""
    if "and" in asked or "after" in asked:
        joint = "and" if "and" in asked else "after"
        at = asked.index(joint)
        parts = [understood(asked[:at], language), understood(asked[at + 1 :], language)]
        return parts[0] + parts[1] if joint == "and" else parts[1] + parts[0]
    done = [language[asked[0]]]
    for word in asked[1:]:
        turn = word in ("left", "right")
        done = [word[0].upper(), *done] if turn else done * {"twice": 2, "thrice": 3}[word]
    return done


FIXED = dict(zip(WORDS, ACTIONS, strict=True))


def test_every_command_is_there_once():
    assert len(COMMANDS) == len(set(COMMANDS)) == 36 + 2 * 36**2
    assert len(TESTED) == len(COMMANDS) - (27 + 2 * 27**2) - 1
    assert [COMMANDS[i] for i in SINGLE] == [((slot, "", 1),) for slot in range(4)]


def test_the_test_split_is_in_the_fixed_language():
    for meta in (True, False):
        split = made(meta=meta).tested()
        assert len(split) == 1142
        for source, answer in zip(split.x["source"], split.y, strict=True):
            told = words(source)
            asked = told[told.index("|") + 1 :] if meta else told
            assert "jump" in asked
            assert len(asked) > 1
            assert words(answer, TARGET) == [*understood(asked, FIXED), "."]
            if meta:
                assert sorted(told[:8:2]) == sorted(WORDS[:4])
                assert all(FIXED[word] == action for word, action in zip(told[:8:2], told[1:8:2], strict=True))
    assert len({tuple(row[:9].tolist()) for row in made().tested().x["source"]}) == 24


def test_an_episode_is_told_by_its_study_examples():
    split = made().draw(300, 0.2, torch.Generator().manual_seed(1))
    alike = 0
    for source, answer in zip(split.x["source"], split.y, strict=True):
        told = words(source)
        language = dict(zip(told[:8:2], told[1:8:2], strict=True))
        assert len(language) == len(set(language.values())) == 4
        assert words(answer, TARGET) == [*understood(told[9:], language), "."]
        true = sum(FIXED[word] == action for word, action in language.items() if word in WORDS[:4])
        assert true < 2
        alike += true
    assert alike > 0


def test_the_fixed_language_holds_jump_out():
    split = made(meta=False).draw(2000, 0.1, torch.Generator().manual_seed(1))
    asked = [words(source) for source in split.x["source"]]
    assert all(one == ["jump"] for one in asked if "jump" in one)
    assert sum("jump" in one for one in asked) / 2000 == pytest.approx(0.1, abs=0.02)
    assert max(map(len, asked)) == 7
    for one, answer in zip(asked, split.y, strict=True):
        assert words(answer, TARGET) == [*understood(one, FIXED), "."]


def test_what_is_held_out_is_in_no_command_of_the_fixed_language():
    assert all(holds(COMMANDS[i], HELD_OUT) for i in TESTED)
    assert not holds(((0, "", 1), "and", (1, "left", 2)), HELD_OUT)
    assert holds(((0, "", 1), "and", (HELD_OUT, "left", 2)), HELD_OUT)


def test_the_token_before_each_is_given():
    split = made().draw(50, 0.0, torch.Generator().manual_seed(1))
    assert (split.x["target"][:, 0] == IGNORED).all()
    assert torch.equal(split.x["target"][:, 1:], split.y[:, :-1])


def test_words_come_first():
    feed = made().feed(Order((4, 5), 64))
    lengths = [(feed.batch(step).y != IGNORED).sum(-1) for step in range(6)]
    assert all((length == 2).all() for length in lengths[:3])
    assert all((length > 2).any() for length in lengths[3:])
    assert torch.equal(feed.batch(4).y, feed.batch(4).y)
    assert not torch.equal(feed.batch(4).y[0], feed.batch(4).y[1])
    assert sum(len(batch) for batch in feed.batches("valid")) == 200
    assert not [*feed.batches("train")]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"single_steps": -1}, "single_steps"),
        ({"single_share": 2.0}, "single_share"),
        ({"epoch_steps": 0}, "epoch_steps"),
    ],
)
def test_wrong_options(changes, says):
    with pytest.raises(UserError, match=says):
        made(**changes)


# The net


def net(**changes):
    make = LayerFactory(Activation(nn.Tanh, nn.Sigmoid), exact, none)
    usual = {"width": 8, "embedding": 5, "hops": 2, "reset": "after", "tokens": len(SOURCE)}
    return TwoHops((), len(TARGET), make, **usual | changes).eval()


def test_a_hop_by_a_loop():
    torch.manual_seed(0)
    hop = Hop(6, 4, LayerFactory(Activation(nn.Tanh, nn.Sigmoid), exact, none))
    asks, annotations = torch.randn(2, 3, 6), torch.randn(2, 5, 4)
    there = torch.tensor([[True] * 5, [True, True, False, False, False]])
    found = hop(asks, annotations, there)
    for i in range(2):
        for j in range(3):
            q = hop.query.weight @ asks[i, j]
            scores = torch.stack(
                [q @ (hop.key.weight @ a) / 2 for a, t in zip(annotations[i], there[i], strict=True) if t]
            )
            weights = scores.exp() / scores.exp().sum()
            assert torch.allclose(found[i, j], weights @ annotations[i][there[i]], atol=1e-6)


@pytest.mark.parametrize("hops", [1, 2])
def test_an_answer_depends_on_what_was_said_before_it_only(hops):
    split = made().draw(6, 0.0, torch.Generator().manual_seed(1))
    model = net(hops=hops)
    with torch.no_grad():
        out = model(split.x)
        changed = {**split.x, "target": split.x["target"].clone()}
        changed["target"][:, 6:] = 0
        assert torch.allclose(model(changed)[:, :6], out[:, :6], atol=1e-6)
        assert not torch.allclose(model(changed)[:, 6:], out[:, 6:], atol=1e-3)


def test_what_fills_a_source_up_tells_nothing():
    split = made(meta=False).draw(6, 0.0, torch.Generator().manual_seed(1))
    model, more = net(), torch.full((6, 4), IGNORED)
    with torch.no_grad():
        longer = {**split.x, "source": torch.cat([split.x["source"], more], 1)}
        assert torch.allclose(model(longer), model(split.x), atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"width": 7}, "architecture.width must be even"),
        ({"hops": 3}, "architecture.hops must be 1 or 2, not 3"),
        ({"embedding": 0}, "architecture.embedding"),
        ({"tokens": None}, "take dataset=episodes"),
    ],
)
def test_wrong_nets(changes, says):
    with pytest.raises(UserError, match=says):
        net(**changes)


# The task


def test_a_sequence_is_right_as_a_whole():
    task, target = WholeSequence(), torch.tensor([[1, 2, IGNORED], [1, 0, 2]])
    output = torch.zeros(2, 3, 3)
    output[0, 0, 1] = output[0, 1, 2] = output[1, 0, 1] = output[1, 1, 0] = 9.0
    found = task.measure(output, target)
    assert found["accuracy"] == 0.5  # the second sequence ends on 0 where 2 was wanted
    assert found["token_accuracy"] == pytest.approx((1 + 2 / 3) / 2)
    with pytest.raises(UserError, match="use dataset=episodes"):
        task.check(torch.tensor([1, 2]), "xor")


def test_greedy_decoding_agrees_with_the_accuracy():
    torch.manual_seed(3)
    words_ = ["dataset=episodes", "task=whole_sequence", "architecture=two_hops", "architecture.width=16"]
    prepared = prepare(
        resolve(compose([*words_, "trainer.steps=60", "trainer.batch_size=32", "dataset.single_steps=0"]))
    )
    learner = prepared.learner()
    optimizer = torch.optim.Adam(learner.parameters.values(), lr=0.03)
    for step in range(60):
        batch = prepared.feed.batch(step)
        learner.gradients(batch)
        optimizer.step()
    sample = prepared.components.task
    batch = made(single_steps=0).draw(200, 1.0, torch.Generator().manual_seed(1))
    whole = Batch(batch.x, batch.y)
    scores = {k: float(v[0]) / 200 for k, v in learner.evaluate(whole)[0].items()}
    (texts,) = learner.texts(whole)
    right = sum(wanted.partition(": ")[2] == said for wanted, said in texts) / 200
    assert sample.metrics[1].name == "accuracy"
    assert scores["accuracy"] == pytest.approx(right)
    assert 0 < right < 1


def test_the_rate_rises_and_falls():
    rates = [warm_up(epoch, 20, epochs_up=4, floor=0.5) for epoch in range(20)]
    assert rates[:5] == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert rates[12] == pytest.approx(0.75)
    assert all(a > b for a, b in pairwise(rates[4:]))
    assert warm_up(0, 20, epochs_up=0, floor=0.0) == 1
    with pytest.raises(UserError, match="epochs_up"):
        warm_up(0, 20, epochs_up=-1, floor=0.0)
