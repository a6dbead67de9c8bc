"""Languages made by us, whose entropy is known exactly: the floor under every model's loss."""

import functools
import itertools
import math
import random
import re

import numpy
import torch


class MarkovLanguage:
    """A language in which the next symbol depends on the last `order` symbols and nothing else.

    Args:
        transition: probabilities of the next symbol, shape (vocab_size,) * order + (vocab_size,):
            `transition[a, b, c]` is P(c | a then b).  Each row over the last axis sums to 1.

    Raises:
        ValueError: when the axes differ in size, or a row is no probability distribution.

    Source: Shannon, "A Mathematical Theory of Communication", 1948, sections 2 to 7.
    """

    def __init__(self, transition: torch.Tensor):
        transition = torch.as_tensor(transition, dtype=torch.float64).cpu()
        if transition.dim() < 2 or len(set(transition.shape)) != 1:
            raise ValueError(
                f"transition has shape {tuple(transition.shape)}, but needs one axis of the size "
                "of the vocabulary for each symbol of the context, and one for the next symbol"
            )
        sums = transition.sum(-1)
        if (transition < 0).any() or not torch.allclose(sums, torch.ones_like(sums)):
            raise ValueError("transition holds negative numbers or rows that do not sum to 1")
        self.transition = transition
        self.vocab_size = transition.shape[-1]
        self.order = transition.dim() - 1

    @classmethod
    def random(
        cls, vocab_size: int, order: int, generator: torch.Generator, sharpness: float = 2.0
    ):
        """A language drawn at random; the larger `sharpness`, the more predictable it is."""
        scores = torch.randn((vocab_size,) * (order + 1), generator=generator, dtype=torch.float64)
        return cls(torch.softmax(sharpness * scores, dim=-1))

    def stationary(self) -> torch.Tensor:
        """How often each context occurs in a long text, shape (vocab_size,) * order, sum 1.

        It is the left eigenvector for eigenvalue 1 of the chain over contexts, found as the
        least-squares solution of `pi @ chain = pi` with `sum(pi) = 1`: that also holds for a chain
        that is periodic, where repeated multiplication never settles.
        """
        n, rows = self.vocab_size, self.transition.reshape(-1, self.vocab_size)
        states = torch.arange(len(rows))
        chain = torch.zeros(len(rows), len(rows), dtype=torch.float64)
        following = (states[:, None] * n + torch.arange(n)) % len(rows)  # drop the oldest symbol
        chain.scatter_add_(1, following, rows)
        equations = torch.cat([chain.T - torch.eye(len(rows)), torch.ones(1, len(rows))])
        right = torch.zeros(len(rows) + 1, 1, dtype=torch.float64)
        right[-1] = 1
        pi = torch.linalg.lstsq(equations, right, driver="gelsd").solution.squeeze(1).clamp(min=0)
        return (pi / pi.sum()).reshape(self.transition.shape[:-1])

    def entropy_rate(self) -> float:
        """Bits of surprise per symbol that no model can go below: sum of pi(context) * H(context).

        `H(context)` is the entropy of the next symbol after that context.
        """
        entropies = -(torch.special.xlogy(self.transition, self.transition)).sum(-1) / numpy.log(2)
        return float((self.stationary() * entropies).sum())

    def bits(self, text: torch.Tensor) -> torch.Tensor:
        """What each symbol costs the language itself, which knows its own table.

        Args:
            text: integers, shape (length,).

        Returns:
            `-log2 P(symbol | context)` for each symbol with a full context: (length - order,).
            Their mean is the entropy rate, up to the luck of a finite text.

        Raises:
            ValueError: when the text is not longer than the context, or a symbol is outside the
                vocabulary.
        """
        text = torch.as_tensor(text)
        if len(text) <= self.order:
            raise ValueError(
                f"text has {len(text)} symbols, but a context alone has {self.order}: "
                "no symbol is left to measure"
            )
        if text.min() < 0 or text.max() >= self.vocab_size:
            raise ValueError(
                f"text has symbols from {text.min()} to {text.max()}, but the language has those "
                f"from 0 to {self.vocab_size - 1}"
            )
        windows = text.unfold(0, self.order + 1, 1)
        return -self.transition[tuple(windows.T)].log2()

    def sample(self, length: int, generator: torch.Generator) -> torch.Tensor:
        """A text of `length` symbols, shape (length,), integers from 0 to vocab_size - 1.

        It starts in a context drawn from the stationary distribution, so every part of the text has
        the same statistics.

        Raises:
            ValueError: for a negative length.
        """
        if length < 0:
            raise ValueError(f"length is {length}: a text has 0 symbols or more")
        n, contexts = self.vocab_size, self.vocab_size**self.order
        cumulative = self.transition.reshape(contexts, n).cumsum(-1).numpy()
        uniform = torch.rand(length, generator=generator, dtype=torch.float64).numpy()
        pi = self.stationary().reshape(-1).float()
        context = int(torch.multinomial(pi, 1, generator=generator))
        text = numpy.empty(length, dtype=numpy.int64)
        for i, u in enumerate(uniform):
            row = cumulative[context]
            text[i] = symbol = min(row.searchsorted(u * row[-1], side="right"), n - 1)
            context = (context * n + symbol) % contexts
        return torch.from_numpy(text)


class StoryGrammar:
    """A probabilistic context-free grammar: rules that replace a name by text, each with its odds.

    Args:
        rules: `rules[name]` maps each text that `name` may become to a weight; `<other>` in a text
            stands for another rule.  Weights of one name are scaled to sum to 1.  No name may lead
            back to itself, so every story ends.
            By default, a grammar of tiny stories about six children: hero, friend and thing are
            chosen first, and every later sentence agrees with them.

    Raises:
        ValueError: for a name without a rule, a weight that is not positive, a name that leads back
            to itself, or no rule called "story".

    Source: Booth and Thompson, "Applying Probability Measures to Abstract Languages", 1973.

    >>> StoryGrammar({"story": {"A <animal>.": 1}, "animal": {"cat": 3, "dog": 1}}).bits("A dog.")
    tensor([2.], dtype=torch.float64)
    """

    def __init__(self, rules: dict[str, dict[str, float]] | None = None):
        rules = _tiny_stories() if rules is None else rules
        if "story" not in rules:
            raise ValueError('there is no rule "story": every text starts from it')
        # {name: [(probability, pieces)]}: pieces at even places are text, at odd places names.
        self.rules: dict[str, list[tuple[float, list[str]]]] = {}
        for name, texts in rules.items():
            if not texts or min(texts.values()) <= 0:
                raise ValueError(f"rule {name!r} needs at least one text, each of positive weight")
            total = sum(texts.values())
            self.rules[name] = [
                (weight / total, re.split("<(.*?)>", text)) for text, weight in texts.items()
            ]
        self._check("story", ())

    def _check(self, name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"rule {name!r} leads back to itself: a story could go on for ever")
        if name not in self.rules:
            raise ValueError(f"rule {above[-1]!r} uses <{name}>, which has no rule")
        for other in {piece for _, pieces in self.rules[name] for piece in pieces[1::2]}:
            self._check(other, (*above, name))

    def sample(self, n: int, generator: torch.Generator) -> str:
        """`n` stories drawn independently, one on each line.

        Raises:
            ValueError: for a negative number of stories.
        """
        if n < 0:
            raise ValueError(f"n is {n}: ask for 0 stories or more")
        seed = int(torch.randint(2**62, (), generator=generator))
        choose = random.Random(seed).choices
        odds = {name: [p for p, _ in texts] for name, texts in self.rules.items()}

        def expand(name: str) -> str:
            _, pieces = choose(self.rules[name], odds[name])[0]
            return "".join(expand(p) if i % 2 else p for i, p in enumerate(pieces))

        return "".join(expand("story") + "\n" for _ in range(n))

    def entropy(self) -> float:
        """Bits of surprise per story that no model can go below, in closed form.

        A name is worth the surprise of choosing its text, and of the names in that text:
        `H(name) = sum of p * (-log2 p + H of each name in the text)`.  This counts choices; it is
        the entropy of the stories as long as none can be told by two different choices, as in the
        default grammar.

        Source: Grenander, "Syntax-Controlled Probabilities", 1967.
        """
        return self._expectation(lambda p, pieces: -math.log2(p))

    def entropy_rate(self) -> float:
        """Bits per character of a long text of stories: entropy over the mean length of a line."""
        length = self._expectation(lambda p, pieces: sum(map(len, pieces[::2])))
        return self.entropy() / (length + 1)

    def _expectation(self, worth) -> float:
        """The mean over stories of the summed worth of all rules applied."""

        @functools.cache
        def mean(name: str) -> float:
            return sum(
                p * (worth(p, pieces) + sum(mean(other) for other in pieces[1::2]))
                for p, pieces in self.rules[name]
            )

        return mean("story")

    def bits(self, text: str) -> torch.Tensor:
        """What each story costs the grammar itself, summed over all ways to tell it.

        Args:
            text: stories, one on each line.

        Returns:
            `-log2 P(story)` for each, shape (n,); infinite for what the grammar never says.
            The mean over samples is the entropy, up to luck.
        """
        return torch.tensor([self._bits(line) for line in text.splitlines()], dtype=torch.float64)

    def _bits(self, story: str) -> float:
        @functools.cache
        def ends(name: str, start: int) -> dict[int, float]:
            """Where the text of `name` may end if it starts here, and how probable that is."""
            found = {}
            for p, pieces in self.rules[name]:
                reached = {start: p}
                for i, piece in enumerate(pieces):
                    before, reached = reached, {}
                    for place, q in before.items():
                        if i % 2:
                            for end, r in ends(piece, place).items():
                                reached[end] = reached.get(end, 0.0) + q * r
                        elif story.startswith(piece, place):
                            reached[place + len(piece)] = q
                for end, q in reached.items():
                    found[end] = found.get(end, 0.0) + q
            return found

        probability = ends("story", 0).get(len(story), 0.0)
        return -math.log2(probability) if probability else math.inf


_CHILDREN = {"Ada": "she", "Ben": "he", "Mia": "she", "Noa": "she", "Sam": "he", "Tom": "he"}
_THINGS = ("ball", "boat", "doll", "drum", "hat", "kite")
_SENTENCES = {
    "story": {"<opening> <plan> <trouble> <sorrow> <search> <ending>": 1},
    "opening": {
        "One <weather> <daytime> {hero} went <way> with {his} {thing}.": 4,
        "{hero} had a <look> {thing} and took it everywhere.": 3,
        "{hero} got a <look> {thing} from <relative>.": 2,
        "There was once a child called {hero} who loved a <look> {thing}.": 1,
    },
    "plan": {
        "{He} wanted to show it to {friend}.": 3,
        "{friend} came to play.": 3,
        "{He} called {friend}, and they ran <way> together.": 2,
        '"Look at my {thing}!" {he} said to {friend}.': 2,
    },
    "trouble": {
        "But the wind blew the {thing} away.": 3,
        "But a <animal> took the {thing} and ran off.": 3,
        "But soon {he} could not find the {thing}.": 2,
        "But the {thing} fell and was gone.": 1,
    },
    "sorrow": {
        "{hero} was very <sad>.": 3,
        "{hero} sat down and cried.": 2,
        '"Where is my {thing}?" asked {hero}.': 3,
    },
    "search": {
        "{friend} looked <place>, and there it was.": 3,
        "They looked and looked. Then {friend} found it <place>.": 4,
        '"I will help you," said {friend}, and soon they saw it <place>.': 2,
        "A <animal> had seen it <place>.": 1,
    },
    "ending": {
        '"Thank you, {friend}," said {hero}.': 3,
        "{hero} gave {friend} <food>, and they were <glad>.": 2,
        "The two friends were <glad>.": 2,
        "From that day on {hero} let {friend} play with the {thing} too.": 2,
        "{hero} held the {thing} tight all the way home.": 1,
    },
    "weather": {"sunny": 4, "cold": 2, "windy": 2, "rainy": 1},
    "daytime": {"morning": 3, "day": 3, "evening": 1},
    "look": {"red": 3, "blue": 3, "small": 2, "shiny": 2, "funny": 1},
    "way": {"to the river": 3, "to the garden": 2, "up the hill": 1},
    "place": {
        "in the garden": 3,
        "behind the house": 3,
        "under the bridge": 2,
        "by the river": 2,
        "on the hill": 1,
        "in a big tree": 1,
    },
    "relative": {"grandma": 3, "grandpa": 2, "a kind aunt": 1},
    "animal": {"dog": 4, "bird": 3, "goat": 2, "fox": 1},
    "sad": {"sad": 3, "angry": 1, "quiet": 1},
    "glad": {"happy": 4, "glad": 2, "proud": 1},
    "food": {"a cake": 2, "a pear": 1, "some bread": 1},
}


def _tiny_stories() -> dict[str, dict[str, float]]:
    """The sentences above, written out for each cast: 6 heroes, 5 other friends, 6 things."""
    of_cast = {"story"} | {name for name, texts in _SENTENCES.items() if "{" in str([*texts])}
    rules = {name: texts for name, texts in _SENTENCES.items() if name not in of_cast}
    rules["story"] = {}
    for hero, friend in itertools.permutations(_CHILDREN, 2):
        he = _CHILDREN[hero]
        his = {"she": "her", "he": "his"}[he]
        for thing in _THINGS:
            cast = f"{hero} {friend} {thing}"
            words = dict(hero=hero, friend=friend, thing=thing, he=he, He=he.title(), his=his)
            words |= {
                name: f"<{name} {cast}>" if name in of_cast else f"<{name}>" for name in _SENTENCES
            }
            rules["story"][f"<story {cast}>"] = 1
            for name in of_cast:
                rules[f"{name} {cast}"] = {
                    re.sub("<(.*?)>", r"{\1}", text).format(**words): weight
                    for text, weight in _SENTENCES[name].items()
                }
    return rules
