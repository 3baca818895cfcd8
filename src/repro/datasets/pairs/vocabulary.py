"""Sentences to tokens and back, and tokens to numbers: words with Moses' rules, or pieces by byte-pair encoding.

The packages of the extra `[text]` are imported where they are used.
"""

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from repro.errors import UserError, extra, whole

END, UNKNOWN = "<eos>", "<unk>"
SPECIAL = (END, UNKNOWN)  # numbers 0 and 1
PIECE = "▁"  # how sentencepiece begins a word


def check_texts(longest: int, subset: int | None, held_out: int | None, **sizes: int | None) -> None:
    """Raise a `UserError` for what no texts can have; called before files are read.

    Args:
        longest: tokens that a training text may have, 1 or more.
        subset, held_out: samples kept, 1 or more; None keeps all.
        sizes: of vocabularies by the name of their option, the special ones included; None keeps all.
    """
    for name, size in sizes.items():
        if size is not None and whole(name, size, 1) <= len(SPECIAL):
            raise UserError(
                f"dataset.{name}={size} leaves no room for a word beside {' and '.join(SPECIAL)}; "
                f"give {len(SPECIAL) + 1} or more, or null"
            )
    whole("longest", longest, 1)
    for name, samples in (("subset", subset), ("held_out", held_out)):
        if samples is not None:
            whole(name, samples, 1)


def text_package(name: str) -> Any:
    """A package of the extra `[text]`; raises a `UserError` that names the extra where it is missing."""
    return extra(name, "translation", "text")


def tokenized(lines: Iterable[str], language: str) -> list[str]:
    """Sentences with a blank between tokens, by the rules of Moses; case is kept and nothing is escaped."""
    moses = text_package("sacremoses").MosesTokenizer(language)
    return [moses.tokenize(line, escape=False, return_str=True) for line in lines]


class Words:
    """The most frequent words of training sentences; others are `<unk>`.

    Args:
        sentences: of training, tokenized.
        language: as Moses knows it.
        size: words at most, the special ones included; None keeps all.
    """

    def __init__(self, sentences: Iterable[str], language: str, size: int | None) -> None:
        self.language = language
        seen = Counter(word for sentence in sentences for word in sentence.split())
        ordered = sorted(seen.items(), key=lambda one: (-one[1], one[0]))
        words = [word for word, _ in ordered if word not in SPECIAL]
        self.names = [*SPECIAL, *words[: None if size is None else size - len(SPECIAL)]]
        self.numbers = {word: i for i, word in enumerate(self.names)}

    def __len__(self) -> int:
        """Types, the special ones included."""
        return len(self.names)

    def encoded(self, sentence: str) -> list[int]:
        """Numbers of a tokenized sentence, END not among them."""
        unknown = self.numbers[UNKNOWN]
        return [self.numbers.get(word, unknown) for word in sentence.split()]

    def words(self, tokens: Sequence[int]) -> list[str]:
        """The words of numbers."""
        return [self.names[token] for token in tokens]

    def written(self, tokens: Sequence[int]) -> str:
        """A sentence as one would write it."""
        moses = text_package("sacremoses").MosesDetokenizer(self.language)
        return str(moses.detokenize(self.words(tokens), unescape=False))


class Pieces:
    """Pieces of words that byte-pair encoding finds in training sentences (Sennrich et al. 2016), by sentencepiece.

    Args:
        sentences: of training, tokenized.
        language: as Moses knows it.
        size: pieces, the special ones included.

    Raises:
        UserError: the sentences do not have so many, or cannot be written with so few.
    """

    def __init__(self, sentences: Iterable[str], language: str, size: int) -> None:
        self.language = language
        package, model = text_package("sentencepiece"), io.BytesIO()
        try:
            package.SentencePieceTrainer.train(
                sentence_iterator=iter(sentences),
                model_writer=model,
                model_type="bpe",
                vocab_size=size,
                eos_id=0,
                eos_piece=END,
                unk_id=1,
                unk_piece=UNKNOWN,
                unk_surface=UNKNOWN,
                bos_id=-1,
                pad_id=-1,
                character_coverage=1.0,
                minloglevel=2,
            )
        except RuntimeError as error:
            reason = " ".join(str(error).split()).rpartition("] ")[2]
            raise UserError(f"dataset.bpe={size} pieces do not go with these sentences: {reason}") from error
        self.processor = package.SentencePieceProcessor(model_proto=model.getvalue())

    def __len__(self) -> int:
        """Pieces, the special ones included."""
        return int(self.processor.get_piece_size())

    def encoded(self, sentence: str) -> list[int]:
        """As `Words.encoded`."""
        return list(self.processor.encode(sentence))

    def words(self, tokens: Sequence[int]) -> list[str]:
        """The pieces of numbers."""
        return [str(self.processor.id_to_piece(int(token))) for token in tokens]

    def written(self, tokens: Sequence[int]) -> str:
        """As `Words.written`."""
        moses = text_package("sacremoses").MosesDetokenizer(self.language)
        joined = "".join(self.words(tokens)).replace(PIECE, " ")
        return str(moses.detokenize(joined.split(), unescape=False))


Vocabulary = Words | Pieces
