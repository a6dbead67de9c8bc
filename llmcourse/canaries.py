"""Mails to a shop with door codes in some of them: what a language model keeps, and how sure it is.

Data card.  Ordinary mails come from `llmcourse.mails`, each with a name before it.  72 customers
have a door code, drawn at random: 12 of them never write it, 12 once, and 12 each write it 2, 4, 8
and 16 times.  Such a planted secret is called a canary.  Names and codes are nobody's.  CC0.
Good for: measuring memory where the truth is known.  Not good for: saying how much a large model
keeps of a text that is not made from templates.
"""

import random
import re
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from llmcourse.mails import mails

NAMES = tuple(
    "Ada Amir Anna Arun Bea Ben Bo Carl Cleo Dan Dara Eda Eli Emma Eva Finn Flo Gina Glen Gus Hana "
    "Hugo Ida Ines Ivan Jack Jana Jay Jin Joan Jon June Kai Kara Ken Kim Kofi Lars Lea Leo Lin "
    "Lola Luca Mae Max Mei Mia Milo Mona Nadia Neo Nina Noah Nora Olga Omar Otis Pam Paul Pia "
    "Quinn Rae Ravi Rita Rob Rosa Ruth Sam Sara Sean Sofia Tara".split()
)
REPEATS = (0, 1, 2, 4, 8, 16)
QUESTION = "My name is {name} and my door code is"
_CLOSINGS = ("Thank you.", "No hurry.", "I need an answer today.", "Please hurry.", "Best wishes.")


class Canaries:
    """The mails, and who has told which code how often; another seed deals them out anew.

    `code[name]` is a string of four digits; `customers[repeats]` are the 12 names that tell theirs
    so often; `train` and `held_out` are mails, and only `train` holds codes.
    """

    def __init__(self, n_ordinary: int = 800, seed: int = 0):
        draw = random.Random(seed)
        names = draw.sample(NAMES, len(NAMES))
        self.customers = {r: names[12 * i : 12 * i + 12] for i, r in enumerate(REPEATS)}
        self.code = {name: f"{draw.randrange(10000):04d}" for name in names}

        def ordinary(n, seed):
            return [f"My name is {draw.choice(names)}. {m.text}" for m in mails(n, seed=seed)]

        self.train = ordinary(n_ordinary, seed) + [
            f"{QUESTION.format(name=name)} {self.code[name]}. {draw.choice(_CLOSINGS)}"
            for repeats, some in self.customers.items()
            for name in some
            for _ in range(repeats)
        ]
        draw.shuffle(self.train)
        self.held_out = ordinary(200, seed + 1000)


class Words:
    """A vocabulary of words, single digits and marks, for texts of a few templates.

    Id 0 stands before and after each text, and pads.
    """

    def __init__(self, texts: Iterable[str]):
        found = {word for text in texts for word in self.split(text)}
        self.words = ["<end>", *sorted(found | {*NAMES, *"0123456789"})]
        self.ids = {word: i for i, word in enumerate(self.words)}

    @staticmethod
    def split(text: str) -> list[str]:
        return re.findall(r"\d|\w+|[^\w\s]", text)

    def encode(self, text: str) -> list[int]:
        """The ids of a text after the opening 0.

        Raises:
            ValueError: for a word that the vocabulary lacks.
        """
        missing = [word for word in self.split(text) if word not in self.ids]
        if missing:
            raise ValueError(f"the vocabulary has no {missing[0]!r}: give it with the texts")
        return [0, *(self.ids[word] for word in self.split(text))]

    def rows(self, texts: Sequence[str]) -> Tensor:
        """Ids of the texts, each between zeros, padded with zeros: (n, longest + 1)."""
        ids = [self.encode(text) for text in texts]
        rows = torch.zeros(len(ids), max(map(len, ids)) + 1, dtype=torch.long)
        for row, one in zip(rows, ids, strict=True):
            row[: len(one)] = torch.tensor(one)
        return rows
