"""One encoder-decoder that translates the course's English into French and into Chinese.

Data card: sentences of `llmcourse.sentences`, our own small grammar.  Which part a sentence is in
is decided by its English alone, the same in both languages: "train"; "test", other sentences of the
same kind; "new pair", in which somebody draws and there is a fish, as in no training sentence; and
"two adjectives" before one noun, a structure that it never has.  Not good for: anything about the
two real languages.  CC0.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from llmcourse.checkpoints import load_checkpoint
from llmcourse.pretrained import WEIGHTS
from llmcourse.sentences import sentence_pairs
from llmcourse.transformer import EncoderDecoder, EncoderDecoderConfig

PARTS = ("train", "test", "new pair", "two adjectives")
PAIR = ("draw", "fish")
LANGUAGES = ("french", "chinese")
START, STOP = 1, 2


def translation_pairs(language: str, part: str = "train") -> list[tuple[str, str]]:
    """English sentences with their translations, tokens separated by spaces.

    16,000 to train, 200 to test, 200 with two adjectives before one noun, and the few dozen that
    were drawn in which somebody draws and there is a fish, never together in training.

    Args:
        language: "french" or "chinese".
        part: one of `PARTS`.

    Raises:
        ValueError: for another language or part.
    """
    if part not in PARTS:
        raise ValueError(f"part is {part!r}: choose one of {', '.join(PARTS)}")
    if part == "two adjectives":
        return sentence_pairs(language, 200, two_adjectives=True, seed=3)
    pairs = sentence_pairs(language, 18000, seed=2)
    with_pair = [pair for pair in pairs if _has_pair(pair[0])]
    if part == "new pair":
        return with_pair
    usual = [pair for pair in pairs if not _has_pair(pair[0])]
    return usual[:200] if part == "test" else usual[200:16200]


def _has_pair(english: str) -> bool:
    words = english.split()
    return PAIR[1] in words and any(word in words for word in (PAIR[0], PAIR[0] + "s"))


def vocabularies() -> tuple[list[str], list[str]]:
    """The words that are read and those that are written, special ones first."""
    source, target = {"<french>", "<chinese>"}, set()
    for language in LANGUAGES:
        for english, translation in translation_pairs(language):
            source |= set(english.split())
            target |= set(translation.split())
    return ["<pad>", *sorted(source)], ["<pad>", "<start>", "<stop>", *sorted(target)]


class Translator(nn.Module):
    """An `EncoderDecoder` with its words.  The first word that it reads says into which language.

    Source: Johnson and others, "Google's Multilingual Neural Machine Translation System", 2016,
    section 3, for the token that names the language.
    """

    def __init__(self, d_model: int = 96, n_layer: int = 3, dropout: float = 0.1):
        super().__init__()
        self.source_words, self.target_words = vocabularies()
        self.source_ids = {word: i for i, word in enumerate(self.source_words)}
        self.target_ids = {word: i for i, word in enumerate(self.target_words)}
        self.config = EncoderDecoderConfig(
            source_vocab_size=len(self.source_words),
            target_vocab_size=len(self.target_words),
            n_layer=n_layer,
            n_head=4,
            d_model=d_model,
            dropout=dropout,
            pre_norm=True,
        )
        self.model = EncoderDecoder(self.config)

    def sources(self, texts: Sequence[str], language: str) -> Tensor:
        """Ids of English sentences behind the name of a language, padded with 0.

        Raises:
            ValueError: for a word that it does not know.
        """
        rows = [[f"<{language}>", *text.split()] for text in texts]
        unknown = sorted({word for row in rows for word in row if word not in self.source_ids})
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)}: not among the {len(self.source_words) - 3} words that it "
                "knows, translator.source_words"
            )
        return _table([[self.source_ids[word] for word in row] for row in rows])

    def targets(self, translations: Sequence[str]) -> tuple[Tensor, Tensor]:
        """What the decoder reads, `<start>` first, and the labels: `<stop>` last, -100 behind."""
        rows = [[self.target_ids[word] for word in text.split()] for text in translations]
        labels = _table([[*row, STOP] for row in rows])
        return _table([[START, *row] for row in rows]), labels.masked_fill(labels == 0, -100)

    @torch.no_grad()
    def translate(self, texts: Sequence[str], language: str, max_new_tokens: int = 40) -> list[str]:
        """The translations, tokens separated by spaces: greedy, all texts side by side."""
        source = self.sources(texts, language)
        source = source.to(self.model.source_embedding.weight.device)
        written = self.model.translate(source, START, STOP, max_new_tokens, source != 0)
        return [
            " ".join(self.target_words[i] for i in row if i != STOP) for row in written.tolist()
        ]


def load_translator() -> Translator:
    """The translator that comes with the package, in evaluation mode, on the CPU."""
    translator = Translator()
    load_checkpoint(WEIGHTS / "course-translator", translator)
    return translator.eval()


def _table(rows: Sequence[Sequence[int]]) -> Tensor:
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True)
