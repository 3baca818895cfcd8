"""Pairs of sentences: files, tokens, vocabulary, batches; Multi30k and Europarl from a mirror."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest
import torch

from loading import error_of, load, need_mirror
from repro import errors
from repro.config.compose import compose
from repro.config.run import resolve
from repro.datasets.pairs.batches import NO_TOKEN, Buckets
from repro.datasets.pairs.corpora import unpacked
from repro.datasets.pairs.read import aligned, lines
from repro.datasets.protocol import Order
from repro.errors import UserError

pytest.importorskip("sacremoses")

NOUNS = ["dog", "cat", "bird", "man", "girl", "horse", "ball"]


def sentences(count: int) -> list[str]:
    """Of 3 to 9 words, the first word the most frequent."""
    return [f"The {' '.join(NOUNS[(i * k) % 7] for k in range(1, 2 + i % 7))}, yes." for i in range(count)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split, count in (("train", 43), ("valid", 9), ("test", 7)):
        for language, words in (("en", sentences(count)), ("fr", [s.replace("The", "Le") for s in sentences(count)])):
            (tmp_path / f"{split}.{language}").write_text("\n".join(words) + "\n", encoding="utf-8")
    return tmp_path


def test_numbers_go_back_to_what_was_written(folder: Path) -> None:
    for size in ({}, {"bpe": 40}):
        made = load("parallel_text", path=str(folder), **size)
        language, split = made.about.language, made.splits["test"]
        for i, line in enumerate(sentences(7)):
            tokens = split.target[i].tolist()
            assert language.written(tokens) == line.replace("The", "Le") == language.references[split.first + i]
            assert len(language.words(tokens)) == len(tokens)
        assert made.outputs == (40 if size else len(NOUNS) + len(["<eos>", "<unk>", "Le", ",", "yes", "."]))


def test_words_are_numbered_by_frequency_and_rare_ones_are_unknown(folder: Path) -> None:
    made = load("parallel_text", path=str(folder), vocabulary=6)
    assert made.tokens == made.outputs == 6
    text = [word for line in sentences(43) for word in line.replace(",", " ,").replace(".", " .").split()]
    kept = sorted(set(text), key=lambda word: (-text.count(word), word))[:4]
    numbers = {word: i for i, word in enumerate(kept, 2)}
    expected = [numbers.get(word, 1) for word in sentences(43)[10].replace(",", " ,").replace(".", " .").split()]
    assert made.splits["train"].source[10].tolist() == expected
    assert 1 in expected
    assert "unknown of those in validation" in made.about.notes[1]


def test_long_pairs_are_left_out_of_training_alone(folder: Path) -> None:
    made = load("parallel_text", path=str(folder), longest=7)
    assert int(made.splits["train"].target.lengths.max()) == 7
    assert int(made.splits["valid"].target.lengths.max()) > 7
    assert "left out" in made.about.notes[0]
    assert "leaves no training pair" in error_of("parallel_text", path=str(folder), longest=2)


def test_subsets_are_from_the_beginning(folder: Path) -> None:
    made = load("parallel_text", path=str(folder), subset=10, held_out=4)
    assert made.sizes == {"train": 10, "valid": 4, "test": 4}
    assert made.about.language.references[4:] == [line.replace("The", "Le") for line in sentences(4)]


def test_an_epoch_has_every_pair_once_in_batches_of_near_equal_length(folder: Path) -> None:
    made = load("parallel_text", path=str(folder))
    feed = made.feed(Order((3,), 4))
    assert isinstance(feed, Buckets)
    assert feed.per_epoch == 11
    rows = {step: feed.batch(step) for step in range(2 * feed.per_epoch)}
    orders = []
    for first in (0, 11):
        epoch = [rows[step] for step in range(first, first + 11)]
        seen = [tuple(t for t in row.tolist() if t != NO_TOKEN) for b in epoch for row in b.y["tokens"][0]]
        train = made.splits["train"].target
        assert sorted(seen) == sorted((*train[i].tolist(), 0) for i in range(43))
        spreads = [(b.y["tokens"][0] != NO_TOKEN).sum(1) for b in epoch]
        assert max(int(n.max() - n.min()) for n in spreads) <= 2
        orders.append(seen)
    assert orders[0] != orders[1]
    again = made.feed(Order((3,), 4)).batch(14)
    assert torch.equal(again.x["source"], rows[14].x["source"])
    assert not torch.equal(made.feed(Order((4,), 4)).batch(14).y["tokens"], rows[14].y["tokens"])


def test_a_batch_by_hand(folder: Path) -> None:
    made = load("parallel_text", path=str(folder))
    split = made.splits["valid"]
    batch = split.batch(torch.tensor([2, 0]), torch.device("cpu"))
    long, short = split.target[2].tolist(), split.target[0].tolist()
    fill = [NO_TOKEN] * (len(long) - len(short))
    assert batch.y["tokens"].tolist() == [[*long, 0], [*short, 0, *fill]]
    assert batch.x["target"].tolist() == [[NO_TOKEN, *long], [NO_TOKEN, *short, *fill]]
    assert batch.x["source"][0].tolist() == [*split.source[2].tolist(), 0]
    assert batch.y["line"].tolist() == [2, 0]
    assert made.splits["test"].batch(torch.tensor([1]), torch.device("cpu")).y["line"].tolist() == [10]
    assert len(batch.part([1])) == 1


def test_evaluation_reads_every_pair_from_short_to_long(folder: Path) -> None:
    feed = load("parallel_text", path=str(folder)).feed(Order((0,), 4))
    batches = list(feed.batches("valid"))
    assert sum(map(len, batches)) == 9
    lengths = torch.cat([(b.y["tokens"] != NO_TOKEN).sum(1) for b in batches])
    assert lengths.tolist() == sorted(lengths.tolist())
    assert list(feed.batches("train")) == []


def test_files_that_do_not_belong_together(folder: Path) -> None:
    (folder / "valid.fr").write_text("un\ndeux\n")
    assert "has 9 lines and" in error_of("parallel_text", path=str(folder))
    (folder / "valid.fr").write_text("un\n\n" * 4 + "neuf\n")
    assert "valid.fr has nothing in line 2" in error_of("parallel_text", path=str(folder))
    (folder / "valid.fr").write_bytes(b"un\nd\xe9j\xe0\n" * 9)
    assert "valid.fr is not UTF-8 in line 2" in error_of("parallel_text", path=str(folder))
    packed = gzip.compress((folder / "train.en").read_bytes())
    (folder / "valid.fr").unlink()
    (folder / "valid.fr.gz").write_bytes(packed[: len(packed) // 2])
    assert "truncated or damaged" in error_of("parallel_text", path=str(folder))
    (folder / "valid.fr.gz").unlink()
    assert "there is no valid.fr (or valid.fr.gz)" in error_of("parallel_text", path=str(folder))


@pytest.mark.parametrize("option", ["vocabulary", "bpe"])
@pytest.mark.parametrize("size", [1, 2])
def test_no_room_beside_the_special_words(folder: Path, option: str, size: int) -> None:
    said = error_of("parallel_text", path=str(folder), **{option: size})
    assert said == f"dataset.{option}={size} leaves no room for a word beside <eos> and <unk>; give 3 or more, or null"


def test_more_pieces_than_there_are(folder: Path) -> None:
    assert "dataset.bpe=9000 pieces do not go with these sentences" in error_of(
        "parallel_text", path=str(folder), bpe=9000
    )


def test_the_missing_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(errors, "import_module", missing)
    assert "-e '.[text]' (No module named 'sacremoses')" in error_of("parallel_text", path=str(folder))


def test_pairs_with_an_empty_side_are_skipped_where_the_corpus_has_them() -> None:
    assert aligned(b"a\nb\nc\n", b"x\n \nz", ("s", "t"), skip_empty=True) == (["a", "c"], ["x", "z"])
    assert lines(b"\xef\xbb\xbfa\r\nb", "it") == ["a", "b"]


def archive(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_archives() -> None:
    whole = archive(en=b"one\n" * 999, fr=b"un\n")
    assert unpacked(whole, ("en", "fr")) == (b"one\n" * 999, b"un\n")
    with pytest.raises(UserError, match="truncated or damaged"):
        unpacked(whole[: len(whole) // 2], ("en", "fr"))
    with pytest.raises(UserError, match=r"has no file .*de"):
        unpacked(whole, ("en", "de"))


def test_a_folder_counts_by_what_is_in_it(folder: Path) -> None:
    words = ["dataset=parallel_text", f"dataset.path={folder}", "task=translation", "architecture=translator"]
    before = resolve(compose(words)).id
    assert resolve(compose(words)).id == before
    (folder / "test.fr").write_text("autre\n" * 7)
    assert resolve(compose(words)).id != before


@pytest.mark.slow
def test_multi30k_is_whole() -> None:
    need_mirror("multi30k")
    made = load("multi30k")
    assert made.sizes == {"train": 29_000, "valid": 1_014, "test": 1_000}
    assert made.tokens == made.outputs == 8_000
    other = load("multi30k", source="fr", target="en", vocabulary=None)
    assert other.outputs > 10_000 < other.tokens
    references = made.about.language.references
    assert references[0] == "Un groupe d'hommes chargent du coton dans un camion"
    split = made.splits["valid"]
    same = sum(made.about.language.written(split.target[i].tolist()) == references[i] for i in range(300))
    assert same > 150  # the rest has rare words, or signs that cannot be put back exactly


def test_the_sample_of_europarl_says_what_it_is() -> None:
    need_mirror("europarl")
    made = load("europarl_sample", longest=80)
    assert sum(n or 0 for n in made.sizes.values()) <= 2_994
    assert (made.sizes["valid"], made.sizes["test"]) == (200, 200)
    assert made.source == "europarl_sample: a sample of 3,000 lines, not the corpus"
    assert "en and fr, one each, not en and de" in error_of("europarl_sample", target="de")
