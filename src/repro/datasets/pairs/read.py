"""Two files of lines that belong together, checked, and made into a data set of pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repro.datasets.about import About
from repro.datasets.pairs.batches import Pairs, Sentences, Split
from repro.datasets.pairs.vocabulary import SPECIAL, Pieces, Vocabulary, Words, check_texts, tokenized
from repro.errors import UserError
from repro.storage.metrics import SPLITS

Sides = tuple[list[str], list[str]]  # lines of the source and of the target language


def lines(content: bytes, name: str) -> list[str]:
    """The lines of a file; raises a `UserError` where it is no UTF-8."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{name} is not UTF-8 in line {line} ({error.reason}); save it as UTF-8") from error
    return text.removeprefix("\ufeff").removesuffix("\n").replace("\r\n", "\n").split("\n")


def aligned(source: bytes, target: bytes, names: tuple[str, str], skip_empty: bool = False) -> Sides:
    """The lines of two files, as many in each.

    Args:
        source, target: contents.
        names: of the files, for messages.
        skip_empty: leave out pairs with an empty side, which are an error otherwise.

    Raises:
        UserError: names the file and the line.
    """
    sides = [lines(content, name) for content, name in zip((source, target), names, strict=True)]
    if len(sides[0]) != len(sides[1]):
        raise UserError(
            f"{names[0]} has {len(sides[0]):,} lines and {names[1]} {len(sides[1]):,}; line by line they must be "
            "translations of each other"
        )
    kept = [(a, b) for a, b in zip(*sides, strict=True) if a.strip() and b.strip()]
    if len(kept) < len(sides[0]) and not skip_empty:
        line, name = next(
            (i, name)
            for i, pair in enumerate(zip(*sides, strict=True), 1)
            for one, name in zip(pair, names, strict=True)
            if not one.strip()
        )
        raise UserError(f"{name} has nothing in line {line}; take the pair out of both files")
    return [a for a, _ in kept], [b for _, b in kept]


@dataclass(frozen=True)
class Options:
    """How pairs are made from lines.

    Attributes:
        source, target: languages, as Moses knows them.
        vocabulary: words a side, the special ones included; None keeps all.
        bpe: pieces a side instead of words, the special ones included; None = words.
        longest: tokens that either side of a training pair may have.
        subset: training pairs kept, from the beginning; None keeps all.
        held_out: validation and test pairs kept, likewise.
    """

    source: str
    target: str
    vocabulary: int | None
    bpe: int | None
    longest: int
    subset: int | None
    held_out: int | None

    def check(self) -> None:
        """Raise a `UserError` for what no pairs can have; called before files are read."""
        check_texts(self.longest, self.subset, self.held_out, vocabulary=self.vocabulary, bpe=self.bpe)

    def cut(self, split: str, sides: Sequence[Any]) -> list[Any]:
        """The beginning of both sides, as far as it is kept."""
        return [side[: self.subset if split == "train" else self.held_out] for side in sides]


def tokenized_sides(sides: Sides, options: Options) -> Sides:
    """Both sides with a blank between tokens."""
    return tokenized(sides[0], options.source), tokenized(sides[1], options.target)


def made(name: str, texts: Mapping[str, tuple[Sides, Sides]], options: Options, source: str) -> Pairs:
    """The data set.

    Args:
        name: public name.
        texts: of each split, the lines as they were written and tokenized.
        options: how.
        source: which files were read, in words.

    Raises:
        UserError: nothing is left to learn from.
    """
    tokens = {split: options.cut(split, texts[split][1]) for split in SPLITS}
    languages = (options.source, options.target)
    sides = [_vocabulary(tokens["train"][i], language, options) for i, language in enumerate(languages)]
    encoded = {
        split: [[words.encoded(line) for line in lines] for words, lines in zip(sides, both, strict=True)]
        for split, both in tokens.items()
    }
    pairs = [pair for pair in zip(*encoded["train"], strict=True) if max(map(len, pair)) <= options.longest]
    if not pairs:
        raise UserError(f"dataset.longest={options.longest} leaves no training pair; take more")
    left_out = len(encoded["train"][0]) - len(pairs)
    encoded["train"] = [[a for a, _ in pairs], [b for _, b in pairs]]
    first = {"train": None, "valid": 0, "test": len(encoded["valid"][0])}
    splits = {split: Split(Sentences(own[0]), Sentences(own[1]), first[split]) for split, own in encoded.items()}
    references = [line for split in SPLITS[1:] for line in options.cut(split, texts[split][0])[1]]
    unknown = [_unknown(side) for side in encoded["valid"]]
    notes = [
        f"{len(pairs):,} training pairs"
        + (f", {left_out:,} with a side of more than {options.longest} tokens left out" if left_out else ""),
        f"{'pieces' if options.bpe else 'words'}: {len(sides[0]):,} {languages[0]}, {len(sides[1]):,} {languages[1]}; "
        f"unknown of those in validation: {unknown[0]:.1%}, {unknown[1]:.1%}",
    ]
    about = About(
        options.target, (), 0.0, 1.0, {}, {}, notes, uneven=False, language=Spoken(sides[0], sides[1], references)
    )
    return Pairs(name, splits, len(sides[0]), len(sides[1]), about, source)


def _vocabulary(sentences: list[str], language: str, options: Options) -> Vocabulary:
    if options.bpe is not None:
        return Pieces(sentences, language, options.bpe)
    return Words(sentences, language, options.vocabulary)


def _unknown(sentences: list[list[int]]) -> float:
    tokens = [token for one in sentences for token in one]
    return tokens.count(SPECIAL.index("<unk>")) / max(len(tokens), 1)


@dataclass(frozen=True)
class Spoken:
    """Both languages; see `repro.datasets.about.Language`."""

    source: Vocabulary
    target: Vocabulary
    references: Sequence[str]

    def written(self, tokens: Sequence[int]) -> str:
        """See `Language`."""
        return self.target.written(tokens)

    def words(self, tokens: Sequence[int]) -> list[str]:
        """See `Language`."""
        return self.target.words(tokens)

    def source_words(self, tokens: Sequence[int]) -> list[str]:
        """See `Language`."""
        return self.source.words(tokens)
