"""A tokenizer: texts to rows of token ids of one length, by the library `tokenizers`, in whose file it is kept."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from distillab.data.array_store import ArrayStore
from distillab.errors import RequestError, not_allowed, reason
from distillab.io import replace_file

TOKENIZER_FILE = "tokenizer.json"
"""Beside a student of texts."""

KINDS = {"bpe": "byte-level BPE", "wordpiece": "WordPiece"}
"""The tokenizers that are trained here."""

VOCABULARY, FEWEST, MOST = 4_000, 300, 1_000_000
"""Token ids of a tokenizer that is trained here: by default, at least (BPE has one for each of 256 bytes), at most."""

SHARE, LONGEST = 95, 256
"""The default length: this percentile of the training texts' tokens, at most so many."""

PADDING = ("[PAD]", "<pad>", "<|pad|>", "<|padding|>", "<PAD>")
"""What padding is called in files that do not say how they pad; the first also in tokenizers that are trained here."""

UNKNOWN = "[UNK]"

BATCH = 10_000
"""Texts that are encoded at a time."""


@dataclass(frozen=True, eq=False)
class Tokenizer:
    """How texts become token ids.

    Args:
        content: of its file, `tokenizer.json`, with truncation and padding inside.
        length: T, the token ids of a text.
        vocabulary: the number of token ids, from 0.
        padding: the id that fills up a text.
        described: what it is, in words.
        trained: whether it was trained here.
    """

    content: str
    length: int
    vocabulary: int
    padding: int
    described: str = "given"
    trained: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of its file, in hex."""
        return hashlib.sha256(self.content.encode()).hexdigest()

    @cached_property
    def _library(self) -> Any:
        return _opened(self.content, TOKENIZER_FILE)

    def encode(self, texts: Sequence[str], store: ArrayStore | None = None) -> NDArray[np.int32]:
        """The token ids of texts, padded and cut to the length.

        Args:
            texts: N of them.
            store: allocates the array.

        Returns:
            Shape (N, T).
        """
        shape = (len(texts), self.length)
        ids = np.empty(shape, np.int32) if store is None else store.empty(shape, np.int32)
        for start in range(0, len(texts), BATCH):
            encoded = self._library.encode_batch(list(texts[start : start + BATCH]))
            ids[start : start + BATCH] = [one.ids for one in encoded]
        return ids

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write its file, which `tokenizers.Tokenizer.from_file` reads.

        Args:
            path: of the file.
        """
        replace_file(Path(path), lambda temporary: temporary.write_text(self.content, encoding="utf-8"))


def train_tokenizer(
    texts: Sequence[str], *, kind: str = "bpe", vocabulary: int = VOCABULARY, length: int | None = None
) -> Tokenizer:
    """Train a tokenizer: the same texts always make the same file.

    "bpe" is byte-level, so that it knows every text; "wordpiece" writes in small letters without accents, and has one
    id for characters that are rare or not in the training texts. Padding has id 0.

    Args:
        texts: training texts, not empty.
        kind: a name in `KINDS`.
        vocabulary: the number of token ids, at most; few texts give fewer.
        length: T; None: the 95th percentile of the texts' tokens, at most 256.

    Raises:
        RequestError: the library is missing, or a value is out of range.

    Example:
        >>> tokenizer = train_tokenizer(["a cat", "a dog", "a cat and a dog"] * 9, length=4)
        >>> tokenizer.encode(["a cat", "a bird and a dog"]).shape, tokenizer.padding
        ((2, 4), 0)

    Source: Sennrich, Haddow and Birch, Neural Machine Translation of Rare Words with Subword Units, 2016, section 3.2;
    Radford et al., Language Models are Unsupervised Multitask Learners, 2019, section 2.2, for bytes; Schuster and
    Nakajima, Japanese and Korean Voice Search, 2012, for WordPiece.
    """
    if kind not in KINDS:
        allowed = f"{', '.join(KINDS)}, or the path of a {TOKENIZER_FILE}"
        raise not_allowed("tokenizer", kind, allowed)
    if isinstance(vocabulary, bool) or not FEWEST <= vocabulary <= MOST:
        raise not_allowed("vocabulary", vocabulary, f"a whole number from {FEWEST} to {MOST:,}")
    needed()
    content = (_bpe if kind == "bpe" else _wordpiece)(texts, vocabulary)
    return _with_length(content, texts, length, KINDS[kind], TOKENIZER_FILE)


def read_tokenizer(path: str | os.PathLike[str], texts: Sequence[str], *, length: int | None = None) -> Tokenizer:
    """Read a tokenizer from its file.

    Args:
        path: a `tokenizer.json` of the library `tokenizers`, as transformers also write it.
        texts: training texts, which decide the length where nothing else does.
        length: T; None: where the file cuts texts, otherwise as in `train_tokenizer`.

    Raises:
        RequestError: the library is missing, the file is missing or damaged, or it has no padding.
    """
    needed()
    path = Path(path).expanduser()
    try:
        content = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise RequestError(f"{path} is no tokenizer: it is not UTF-8 ({reason(error)}).") from error
    except OSError as error:
        raise RequestError(f"The tokenizer {path} cannot be read: {error.strerror or reason(error)}.") from error
    return _with_length(content, texts, length, "", str(path))


def needed() -> Any:
    """The library `tokenizers`.

    Raises:
        RequestError: it is missing.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise RequestError("Texts need tokenizers. Install it: pip install 'distillab[text]'.") from error
    return tokenizers


def _with_length(content: str, texts: Sequence[str], length: int | None, trained: str, name: str) -> Tokenizer:
    """The tokenizer with truncation and padding in its file."""
    library = _opened(content, name)
    before, padding = library.truncation or {}, library.padding or {}
    token, number = _padding(library, name)
    if length is None:
        length = int(before.get("max_length", 0)) or _usual_length(library, texts)
    least = library.num_special_tokens_to_add(False) + 1
    if isinstance(length, bool) or not least <= length <= 2**16:
        raise not_allowed("length", length, f"a whole number from {least} to {2**16:,}, in tokens")
    library.enable_truncation(length, direction=before.get("direction", "right"))
    library.enable_padding(
        direction=padding.get("direction", "right"),
        pad_id=number,
        pad_type_id=padding.get("pad_type_id", 0),
        pad_token=token,
        length=length,
    )
    vocabulary = max(*library.get_vocab(with_added_tokens=True).values(), number) + 1
    described = f"{trained}, trained on the training texts" if trained else f"from {name}"
    return Tokenizer(library.to_str(pretty=True) + "\n", length, vocabulary, number, described, bool(trained))


def _usual_length(library: Any, texts: Sequence[str]) -> int:
    library.no_truncation()
    library.no_padding()
    lengths = [
        len(one.ids) for at in range(0, len(texts), BATCH) for one in library.encode_batch(texts[at : at + BATCH])
    ]
    return int(np.clip(np.percentile(lengths, SHARE, method="higher"), 1, LONGEST))


def _padding(library: Any, name: str) -> tuple[str, int]:
    """The padding's token and id."""
    if library.padding is not None:
        return library.padding["pad_token"], int(library.padding["pad_id"])
    for token in PADDING:
        number = library.token_to_id(token)
        if number is not None:
            return token, number
    raise RequestError(
        f"The tokenizer {name} has no padding: none of {', '.join(PADDING)} is a token of it. Set it with "
        "tokenizer.enable_padding(pad_id=..., pad_token=...), and save the file again."
    )


def _opened(content: str, name: str) -> Any:
    tokenizers = needed()
    try:
        return tokenizers.Tokenizer.from_str(content)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # Rust's own failures are no Exception
        raise RequestError(
            f"{name} is no tokenizer of the library tokenizers, or is damaged ({reason(error)}). Write it with "
            f"tokenizer.save('{TOKENIZER_FILE}')."
        ) from None


def _bpe(texts: Sequence[str], vocabulary: int) -> str:
    from tokenizers import Tokenizer as Library
    from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

    library = Library(models.BPE())
    library.normalizer = normalizers.NFC()
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    library.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PADDING[0]],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    library.train_from_iterator(texts, trainer)
    return str(library.to_str())


def _wordpiece(texts: Sequence[str], vocabulary: int) -> str:
    from tokenizers import Tokenizer as Library
    from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

    library = Library(models.WordPiece(unk_token=UNKNOWN))
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece()
    first, later = Counter[str](), Counter[str]()
    for text in texts:
        for word, _ in library.pre_tokenizer.pre_tokenize_str(library.normalizer.normalize_str(text)):
            first.update(word[:1])
            later.update(word[1:])
    known = sorted((first + later).items(), key=lambda item: (-item[1], item[0]))[: vocabulary // 4]
    alphabet = sorted(char for char, _ in known)
    # The library numbers the characters inside words as it meets them, in an order that differs from run to run, and
    # breaks ties between merges by these numbers. As special tokens they are numbered first, in the order given.
    inside = [f"##{char}" for char in alphabet if char in later]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        special_tokens=[PADDING[0], UNKNOWN, *inside],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    library.train_from_iterator(texts, trainer)
    content = json.loads(library.to_str())
    content["added_tokens"] = content["added_tokens"][:2]  # the characters are ordinary tokens of the model
    return json.dumps(content, ensure_ascii=False)
