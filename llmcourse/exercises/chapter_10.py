"""Checks of chapter 10: temperature, nucleus, greedy, beam search, and accept or redraw."""

import functools
import math

import torch

from llmcourse.exercises.comparing import as_array, difference
from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def distribution(n: int, seed: int) -> torch.Tensor:
    return (2 * normal(n, seed=seed)).softmax(0)


def heated_by_powers(logits, temperature):
    """Powers of the odds against the likeliest, in double precision; for 0, the limit."""
    logits = logits.double()
    if temperature == 0:
        place = logits.argmax(-1, keepdim=True)
        return torch.zeros_like(logits).scatter(-1, place, 1.0)
    odds = (logits - logits.amax(-1, keepdim=True)).exp() ** (1 / temperature)
    return odds / odds.sum(-1, keepdim=True)


def nucleus_by_loop(probabilities, p, keep_crossing=True, renormalise=True, in_order=False):
    """The nucleus, collected token by token.  The flags make known mistakes."""
    numbers = probabilities.tolist()
    order = sorted(range(len(numbers)), key=lambda i: 0 if in_order else -numbers[i])
    kept, total = [0.0] * len(numbers), 0.0
    for i in order:
        if total >= p or (not keep_crossing and total + numbers[i] > p):
            break
        kept[i] = numbers[i]
        total += numbers[i]
    return [number / total if renormalise else number for number in kept]


def threshold(probabilities, p):
    kept = torch.where(probabilities >= p, probabilities, 0.0)
    return kept / kept.sum()


# The models of 10.4: list of ids -> logits over seven tokens, largest at the token that is next.
def peak_at(token: int) -> torch.Tensor:
    return -(torch.arange(7) - token % 7).float().abs() - 1


def one_more_than_the_last(ids):
    return peak_at(int(ids[-1]) + 1)


def one_less_than_the_last(ids):
    return peak_at(int(ids[-1]) - 1)


def sum_of_all_so_far(ids):
    return peak_at(sum(int(i) for i in ids))


def how_many_so_far(ids):
    return peak_at(len(ids))


def greedy_with(
    next_logits, prompt, max_new_tokens, stop, *, pick=torch.argmax, sees=list, stops=None
):
    """Greedy decoding; the options make known mistakes."""
    ids = list(prompt)
    for _ in range(max_new_tokens):
        if stops == "anywhere" and stop in ids:
            break
        new = int(pick(next_logits(sees(ids))))
        if stops == "dropped" and new == stop:
            break
        ids.append(new)
        if new == stop and stops != "never":
            break
    return ids


def distinct_by_unique(sequences, n):
    rows = [torch.tensor(s).unfold(0, n, 1) for s in sequences if len(s) >= n]
    rows = torch.cat(rows) if rows else torch.zeros(0, n)
    return len(rows.unique(dim=0)) / len(rows) if len(rows) else 0.0


def ngrams(sequence, n):
    return list(zip(*(sequence[i:] for i in range(n))))


def distinct_of(grams, among=None):
    among = grams if among is None else among
    return len(set(grams)) / len(among) if among else 0.0


def all_ngrams(sequences, n):
    return [gram for sequence in sequences for gram in ngrams(sequence, n)]


# The models of 10.6: ids -> log-probabilities of the next token.
def tempting_first_step(ids):
    """Token 0 is likelier at first (0.6), but what follows token 1 is nearly certain (0.9)."""
    if len(ids) == 1:
        return torch.tensor([0.6, 0.4]).double().log()
    return torch.tensor([0.9, 0.1] if ids[1] == 1 else [0.45, 0.55]).double().log()


def tempting_sums(ids):
    """0.61 and 0.34 have the larger sum, 0.38 and 0.56 the larger product."""
    if len(ids) == 1:
        return torch.tensor([0.61, 0.38, 0.01]).double().log()
    after = [0.24, 0.56, 0.2] if ids[1] == 1 else [0.34, 0.335, 0.325]
    return torch.tensor(after).double().log()


def random_language(name: str, vocab_size: int, seed: int):
    """A model whose log-probabilities are random, but always the same after the same ids."""

    @functools.cache
    def after(ids):
        code = functools.reduce(lambda code, i: code * 11 + i + 1, ids, seed)
        return (0.7 * normal(vocab_size, seed=code)).double().log_softmax(0)

    def model(ids):
        return after(tuple(int(i) for i in ids)).clone()

    model.__name__ = name
    return model


two_tokens = random_language("a_model_of_two_tokens", 2, 1)
three_tokens = random_language("a_model_of_three_tokens", 3, 2)
five_tokens = random_language("a_model_of_five_tokens", 5, 3)
nine_tokens = random_language("a_model_of_nine_tokens", 9, 4)


def best(beams, width):
    return sorted(beams, reverse=True)[:width]


def beam_with(
    log_probabilities, start, width, length, *,
    add=lambda score, new: score + new,
    select=lambda by_parent, width: best(sum(by_parent, []), width),
):  # fmt: skip
    """Beam search over lists of (score, ids); the options make known mistakes."""
    beams = [(0.0, tuple(start))]
    for _ in range(length):
        by_parent = [
            [(add(score, new), (*ids, i)) for i, new in enumerate(log_probabilities(ids).tolist())]
            for score, ids in beams
        ]
        beams = select(by_parent, width)
    return max(beams)[1]


def likeliest(log_probabilities, start, width, length):
    """The likeliest of all sequences, by trying them all."""
    return beam_with(log_probabilities, start, math.inf, length, select=lambda b, _: sum(b, []))


def exact_rule(p, q):
    """(accept, rest), where only one pair is right; the mistakes are compared there."""
    if (p * q == 0).any() or torch.equal(p, q):
        raise ValueError("more than one rule is right")
    return (p / q).clamp(max=1), (p - q).clamp(min=0) / (p - q).clamp(min=0).sum()


def not_speculative(got, p, q) -> str | None:
    """What is wrong with (accept, rest), for a target p and a draft q."""
    if not hasattr(got, "__len__") or len(got) != 2:
        raise TypeError("two tensors are wanted: accept, rest")
    p, q, accept, rest = (as_array(part) for part in (p, q, *got))
    for name, part in (("accept", accept), ("rest", rest)):
        if part is None or part.shape != p.shape:
            return f"{name} must hold one number per token: shape {p.shape}"
        if not (abs(part) < math.inf).all():
            return f"{name} has nan or inf in it"
    if accept.min() < -1e-6 or accept.max() > 1 + 1e-6:
        return "accept holds chances, which lie between 0 and 1"
    if rest.min() < -1e-6 or abs(rest.sum() - 1) > 1e-4:
        return f"rest is no distribution: smallest {rest.min():.4g}, sum {rest.sum():.4g}"
    kept = q * accept
    if complaint := difference(p, kept + (1 - kept.sum()) * rest, 1e-4, 1e-5):
        return f"the tokens that come out are not distributed as p: {complaint}"
    if kept.sum() < p.clip(max=q).sum() - 1e-5:
        return f"it keeps {kept.sum():.4g} of the draws, and could keep more"
    return None


def chances(*numbers: float) -> torch.Tensor:
    return torch.tensor(numbers)


ROOT = math.sqrt(2)
# As rounding may leave them: in single precision these sum to 0.99999994.
SHORT_OF_ONE = chances(0.25, 0.5, 0.125 - 2**-24, 0.125)
HALVES = chances(0.125, 0.5, 0.0625, 0.25, 0.0625)

EXERCISES = (
    Exercise(
        id="10.1",
        title="Three tokens, by hand",
        level="easy",
        minutes=6,
        hints=(
            "Take the exponentials of the three logits first. They are whole numbers.",
            "The exponentials are 1, 2 and 4. At temperature 1/2 the logits are doubled, so the "
            "exponentials are squared. A nucleus and a top-k set the others to 0, and what stays "
            "is divided by its new sum.",
            "At T = 1 the probabilities are 1/7, 2/7, 4/7. The largest is below 0.8, the two "
            "largest are above it. By what do you divide 4/7, then, and by what 2/7 for top-k?",
        ),
        cases=(
            Case(expected=[4 / 7, 16 / 21, 2 / 3, 1 / 3], rtol=2e-3, pointer="the answer has four "
                 "numbers: P(c) at T = 1, P(c) at T = 1/2, P(c) with the nucleus, P(b) with "
                 "top-k."),
        ),
        mistakes=(
            Mistake([4 / 7, 2 / (3 + ROOT), 2 / 3, 1 / 3], "multiplying by the temperature. The "
                    "logits are divided by it, so that a small one makes them differ more."),
            Mistake([4 / 7, 16 / 21, 4 / 7, 2 / 7], "not dividing by the new sum after tokens "
                    "have been struck out."),
            Mistake([4 / 7, 16 / 21, 4 / 7, 1 / 3], "not dividing by the new sum after the "
                    "nucleus; with top-k you do."),
            Mistake([4 / 7, 16 / 21, 2 / 3, 2 / 7], "not dividing by the new sum after top-k; "
                    "with the nucleus you do."),
            Mistake([4 / 7, 16 / 21, 1, 1 / 3], "leaving out the token that crosses p. c alone "
                    "has 0.571 and does not reach 0.8, so b belongs to the nucleus."),
            Mistake([4 / 7, 16 / 21, 4 / 5, 1 / 3], "keeping a with c. The second likeliest "
                    "token is b."),
            Mistake([4 / 7, 16 / 21, 2 / 3, 2 / 3], "giving P(c) as the fourth number: asked is "
                    "P(b)."),
            Mistake([2 / 3, 2 / 3, 2 / 3, 1 / 3], "taking the logits themselves as shares. The "
                    "softmax takes their exponentials first."),
            Mistake([4, 16, 4, 2], "leaving out the divisions."),
        ),
    ),
    Exercise(
        id="10.2",
        title="Temperature",
        level="easy",
        minutes=8,
        call="heated(logits, temperature)",
        hints=(
            "There are two cases: a temperature above 0, and 0. Only one of them can be divided "
            "by.",
            "Above 0 it is a softmax of the logits divided by the temperature, over the last axis. "
            "At 0 make a tensor of zeros and put a 1 where the argmax of each row points.",
            "torch.zeros_like(logits).scatter(-1, logits.argmax(-1, keepdim=True), 1.0) is the "
            "row for 0. Above 0: torch.softmax(..., dim=-1). Of what, and do you need to subtract "
            "the maximum yourself?",
        ),
        reference=heated_by_powers,
        cases=(
            Case((torch.tensor([0.0, math.log(3)]), 1.0), "temperature 1 is the softmax.",
                 torch.tensor([0.25, 0.75])),
            Case((torch.tensor([0.0, math.log(3)]), 0.5), "at temperature 1/2 the logits are "
                 "doubled, and the exponentials 1 and 3 squared.", torch.tensor([0.1, 0.9])),
            Case((torch.tensor([0.0, math.log(9)]), 2.0), "at temperature 2 the logits are "
                 "halved.", torch.tensor([0.25, 0.75])),
            Case((torch.tensor([1.0, 3.0, 2.0]), 0), "temperature 0: everything on the likeliest, "
                 "and nothing is divided by 0.", torch.tensor([0.0, 1.0, 0.0])),
            Case((torch.tensor([2.0, 5.0, 5.0, 5.0]), 0.0), "several are the likeliest: the first "
                 "of them gets everything.", torch.tensor([0.0, 1.0, 0.0, 0.0])),
            Case((torch.tensor([-3.0, -1.0, -2.0]), 0.0), "temperature 0, with negative logits.",
                 torch.tensor([0.0, 1.0, 0.0])),
            Case((normal(3, 3), 0.7), "one row per sequence: the softmax runs over the last axis, "
                 "even where the other is as long."),
            Case((normal(4, 6), 0.0), "one row per sequence: each has a likeliest token of its "
                 "own."),
            Case((normal(2, 3, 5), 1.3), "(..., vocab): any number of axes in front."),
            Case((normal(2, 2, 2, 2), 0.0), "(..., vocab): any number of axes in front, at "
                 "temperature 0 too."),
            Case((torch.tensor([100.0, 99.999, -100.0]), 1e-3), "exp(100,000) is inf, and a "
                 "power of a small probability is 0: subtract the largest logit first, as "
                 "torch.softmax does.", torch.tensor([1 / (1 + math.exp(-1)),
                                                      1 / (1 + math.exp(1)), 0.0]), atol=2e-3),
            Case((torch.tensor([[-100.0, -200.0], [1.0, 100.0]]), 1e-3), "logits of -100 at a "
                 "tiny temperature: 0 / 0 is nan. Subtract the largest of each row first.",
                 torch.tensor([[1.0, 0.0], [0.0, 1.0]])),
        ),
        mistakes=(
            Mistake(lambda x, t: (x * t).softmax(-1), "multiplying by the temperature. Divide: a "
                    "small temperature makes the logits differ more."),
            Mistake(lambda x, t: x.softmax(-1) if t == 0 else (x / t).softmax(-1), "taking "
                    "temperature 0 for 1. At 0 the likeliest token gets everything."),
            Mistake(lambda x, t: x.softmax(-1), "leaving out the temperature."),
            Mistake(lambda x, t: heated_by_powers(x, t) if t == 0 else x.softmax(-1) / t,
                    "dividing the probabilities. Divide the logits, then take the softmax."),
            Mistake(lambda x, t: (x == x.amax(-1, keepdim=True)).double().softmax(-1) if t == 0
                    else (x / t).softmax(-1), "taking a softmax of the 0s and 1s at temperature "
                    "0: the 1 is already the probability."),
            Mistake(lambda x, t: (x / max(t, 1e-6)).softmax(-1), "putting a tiny number in "
                    "place of 0. Equal logits then share, and the first should get everything."),
            Mistake(lambda x, t: heated_by_powers(x.movedim(0, -1), t).movedim(-1, 0), "running "
                    "the softmax over the first axis. The vocabulary is the last."),
        ),
    ),
    Exercise(
        id="10.3",
        title="Nucleus",
        level="medium",
        minutes=15,
        call="nucleus(probabilities, p)",
        hints=(
            "Sort, and add up from the likeliest on. When do you stop, and does the token that "
            "makes you stop stay or go?",
            "A token stays if the sum of all *likelier* ones is still below p. Then the first "
            "always stays, and so does the one that crosses p.",
            "ordered, order = probabilities.sort(descending=True); before = ordered.cumsum(0) - "
            "ordered; set ordered to 0 where ..., divide by the sum, and put the numbers back "
            "with torch.zeros_like(...).scatter(0, order, ordered). What is the condition?",
        ),
        reference=nucleus_by_loop,
        cases=(
            Case((chances(0.75, 0.25), 0.5), "the likeliest alone has 0.75, which is enough: it "
                 "gets everything.", chances(1.0, 0.0)),
            Case((chances(0.5, 0.375, 0.125), 0.75), "0.5 is below 0.75, and 0.5 + 0.375 is above. "
                 "The token that crosses p stays, and what is left is divided by its sum.",
                 chances(4 / 7, 3 / 7, 0.0)),
            Case((chances(0.5, 0.25, 0.25 - 1 / 64, 1 / 64), 0.75), "the first two reach 0.75 "
                 "exactly: at least p is enough, no third is needed.",
                 chances(2 / 3, 1 / 3, 0.0, 0.0)),
            Case((chances(0.125, 0.375, 0.5), 0.75), "the likeliest need not come first, and each "
                 "number goes back to the place of its token.", chances(0.0, 3 / 7, 4 / 7)),
            Case((HALVES, 0.8), "0.5 + 0.25 is below 0.8, so 0.125 is in too.",
                 chances(1 / 7, 4 / 7, 0.0, 2 / 7, 0.0)),
            Case((chances(0.2, 0.3, 0.1, 0.4), 0.01), "p is smaller than every probability: the "
                 "likeliest token still stays.", chances(0.0, 0.0, 0.0, 1.0)),
            Case((HALVES, 1.0), "p = 1 keeps every token, with its probability.", HALVES),
            Case((SHORT_OF_ONE, 1.0), "p = 1 keeps every token, even where the sum is 0.9999999 "
                 "by rounding, as here, and never reaches 1.", SHORT_OF_ONE),
            Case((chances(1.0), 0.9), "a vocabulary of one token.", chances(1.0)),
            Case((chances(0.0, 1.0, 0.0), 0.9), "tokens of probability 0 stay at 0.",
                 chances(0.0, 1.0, 0.0)),
            *(Case((distribution(12, seed), p), "the fewest of the likeliest tokens that reach p, "
                   "divided by their sum, each at its place.") for seed, p in
              ((1, 0.5), (2, 0.9), (3, 0.97), (4, 0.3))),
        ),
        mistakes=(
            Mistake(lambda x, p: nucleus_by_loop(x, p, renormalise=False), "not dividing by the "
                    "sum of what is kept."),
            Mistake(lambda x, p: nucleus_by_loop(x, p, keep_crossing=False), "dropping the token "
                    "that crosses p. The nucleus must reach p, and it may be more."),
            Mistake(lambda x, p: nucleus_by_loop(x, p, in_order=True), "going through the tokens "
                    "as they stand. Begin with the likeliest."),
            Mistake(lambda x, p: sorted(nucleus_by_loop(x, p), reverse=True), "leaving the "
                    "numbers sorted. Each goes back to the place of its token."),
            Mistake(threshold, "keeping the tokens whose own probability is at least p. What must "
                    "reach p is the sum."),
            Mistake(lambda x, p: torch.tensor(nucleus_by_loop(x, p, renormalise=False)).softmax(0),
                    "using a softmax to make the sum 1. Divide by the sum: these are "
                    "probabilities already."),
        ),
    ),
    Exercise(
        id="10.4",
        title="Greedy, with a stop",
        level="medium",
        minutes=12,
        call="greedy(next_logits, prompt, max_new_tokens, stop)",
        hints=(
            "Work on a copy of the prompt. How often may you ask the model at most?",
            "Each round: ask for the logits after all ids so far, append the argmax, and leave the "
            "loop if what you have just appended is the stop.",
            "ids = list(prompt); for _ in range(max_new_tokens): new = int(next_logits(...)"
            ".argmax()); ids.append(new). What do you compare with stop, and before or after the "
            "append?",
        ),
        reference=greedy_with,
        cases=(
            Case((one_more_than_the_last, [2], 1, 6), "one new token, put after the prompt.",
                 [2, 3]),
            Case((one_more_than_the_last, [0], 3, 6), "three new tokens, each the likeliest after "
                 "all before it; and the prompt is left as it was.", [0, 1, 2, 3]),
            Case((one_more_than_the_last, [3], 9, 5), "the stop is met: it is the last token that "
                 "is returned, and nothing follows.", [3, 4, 5]),
            Case((one_more_than_the_last, [4, 1], 0, 5), "max_new_tokens is 0: the prompt alone.",
                 [4, 1]),
            Case((one_more_than_the_last, [4], 5, 5), "the first new token is the stop.", [4, 5]),
            Case((one_more_than_the_last, [5, 1], 3, 5), "the stop stands in the prompt: only a "
                 "new one ends the text.", [5, 1, 2, 3, 4]),
            Case((one_more_than_the_last, [1, 5], 3, 5), "the prompt ends with the stop: only a "
                 "new one ends the text.", [1, 5, 6, 0, 1]),
            Case((one_less_than_the_last, [3], 9, 0), "the stop has the id 0, which Python counts "
                 "as False: write `new == stop`.", [3, 2, 1, 0]),
            Case((sum_of_all_so_far, [1, 2], 5, 6), "the model looks at all ids, not at the last "
                 "one only."),
            Case((how_many_so_far, [6, 0, 2], 8, 5), "the model looks at the whole text, prompt "
                 "and new tokens.", [6, 0, 2, 3, 4, 5]),
            Case((sum_of_all_so_far, [3, 3, 4], 12, 0), "twelve new tokens at most."),
        ),
        mistakes=(
            Mistake(lambda f, p, n, s: greedy_with(f, p, n, s, stops="never"), "running on after "
                    "the stop."),
            Mistake(lambda f, p, n, s: greedy_with(f, p, n, s, stops="dropped"), "leaving out "
                    "the stop. It is the last token of the text."),
            Mistake(lambda f, p, n, s: greedy_with(f, p, n, s, stops="anywhere"), "ending as soon "
                    "as the stop stands anywhere in the text. Look at the new token only."),
            Mistake(lambda f, p, n, s: greedy_with(f, p, n, s or None), "writing `if stop and "
                    "...`: the id 0 is a stop like any other, but Python counts it as False."),
            Mistake(lambda f, p, n, s: greedy_with(f, p, n, s)[len(p):], "returning the new "
                    "tokens only. The text begins with the prompt."),
            Mistake(lambda f, p, n, s: greedy_with(f, p, n + 1, s), "making one token too many."),
            Mistake(lambda f, p, n, s: greedy_with(f, p, n - 1, s), "making one token too few."),
            Mistake(lambda f, p, n, s: greedy_with(f, p, n - len(p), s), "counting the prompt. "
                    "max_new_tokens counts new tokens only."),
            Mistake(lambda f, p, n, s: greedy_with(f, p, n, s, sees=lambda ids: ids[-1:]),
                    "showing the model the last token only."),
            Mistake(lambda f, p, n, s: greedy_with(f, p, n, s, sees=lambda ids: list(p)),
                    "showing the model the prompt each time, without the new tokens."),
            Mistake(lambda f, p, n, s: greedy_with(f, p, n, s, pick=torch.argmin), "taking the "
                    "least likely token."),
        ),
    ),
    Exercise(
        id="10.5",
        title="Distinct n-grams",
        level="easy",
        minutes=8,
        call="distinct(sequences, n)",
        hints=(
            "How many n-grams does a sequence of five tokens have, for n = 2? And one of one "
            "token?",
            "Collect the n-grams of all sequences in one list, as tuples. Its length is the "
            "bottom of the fraction, the size of its set the top.",
            "grams += [tuple(s[i : i + n]) for i in range(...)]: how far does i run, and what do "
            "you return if the list stays empty?",
        ),
        reference=distinct_by_unique,
        cases=(
            Case(([[1, 2, 3]], 1), "three tokens, all different.", 1.0),
            Case(([[1, 1, 1, 2]], 1), "four tokens, of which two are different: 2 / 4.", 0.5),
            Case(([[1, 2, 1, 2]], 2), "the 2-grams are 1 2, 2 1, 1 2: the last one counts too. "
                 "2 / 3.", 2 / 3),
            Case(([[1, 2], [3, 1], [2, 3]], 2), "an n-gram does not reach from one sequence into "
                 "the next: there are three here.", 1.0),
            Case(([[1, 2, 3], [1, 2, 3]], 2), "the second sequence repeats the first: 2 different "
                 "ones of 4.", 0.5),
            Case(([[1, 1, 1, 1, 1], [2, 3]], 1), "one fraction over all sequences, not the mean "
                 "of theirs: 3 / 7.", 3 / 7),
            Case(([[1, 2], [3], []], 3), "no sequence is long enough: 0.0, not a division by 0.",
                 0.0),
            Case(([], 1), "no sequences at all: 0.0.", 0.0),
            Case(([[4, 4, 4, 4], [4], []], 2), "a sequence shorter than n has no n-grams, and "
                 "takes none away: 1 / 3.", 1 / 3),
            Case(([[1, 23, 12, 3]], 2), "1 23 and 12 3 are different, though their digits "
                 "are the same: use tuples, not joined strings.", 1.0),
            Case(([[1, 2, 1]], 2), "1 2 and 2 1 are different: the order counts.", 1.0),
            Case(([normal(40, seed=i).mul(3).int().tolist() for i in range(3)], 3), "all distinct "
                 "n-grams, divided by all n-grams."),
            Case(([normal(40, seed=i).int().tolist() for i in range(5)], 2), "all distinct "
                 "n-grams, divided by all n-grams."),
        ),
        mistakes=(
            Mistake(lambda s, n: distinct_of(ngrams(sum(s, []), n)), "joining the sequences: an "
                    "n-gram does not reach from one into the next."),
            Mistake(lambda s, n: sum(distinct_of(ngrams(one, n)) for one in s) / max(len(s), 1),
                    "taking the mean of each sequence's own share. Count over all, then divide."),
            Mistake(lambda s, n: distinct_of(all_ngrams(s, n), sum(s, [])), "dividing by the "
                    "number of tokens. A sequence of 5 tokens has four 2-grams."),
            Mistake(lambda s, n: sum(len(set(ngrams(one, n))) for one in s) / len(all_ngrams(s, n)),
                    "counting an n-gram once for each sequence that has it. One set for all."),
            Mistake(lambda s, n: distinct_of(all_ngrams([one[:-1] for one in s], n)), "missing "
                    "the last n-gram: there are len(s) - n + 1."),
            Mistake(lambda s, n: distinct_of([tuple(sorted(g)) for g in all_ngrams(s, n)]),
                    "ignoring the order within an n-gram."),
            Mistake(lambda s, n: 1 - distinct_of(all_ngrams(s, n)) if all_ngrams(s, n) else 0.0,
                    "giving the share of repetitions, which is 1 less what is asked."),
            Mistake(lambda s, n: len(set(all_ngrams(s, n))), "leaving out the division."),
        ),
    ),
    Exercise(
        id="10.6",
        title="Beam search",
        level="hard",
        minutes=30,
        call="beam(log_probabilities, start, width, length)",
        hints=(
            "A beam is a beginning and its score. What is the score of a text, if each token has "
            "a log-probability given those before it?",
            "Start with [(0.0, start)]. In each round make *every* continuation of *every* beam, "
            "put all of them in one list, and keep the `width` with the highest scores.",
            "candidates = [(score + float(new), (*ids, i)) for score, ids in beams for i, new in "
            "enumerate(log_probabilities(ids))]; beams = sorted(candidates, ...)[:width]. Which "
            "end of the order do you keep, and what do you return after `length` rounds?",
        ),
        reference=beam_with,
        cases=(
            Case((tempting_first_step, (0,), 1, 1), "one step, one beam: the likelier token, "
                 "put after the start.", (0, 0)),
            Case((tempting_first_step, (0,), 1, 2), "a beam of width 1 is greedy: 0 (0.6), then "
                 "1 (0.55).", (0, 0, 1)),
            Case((tempting_first_step, (0,), 2, 2), "with two beams both first steps stay: 0.4 "
                 "times 0.9 is more than 0.6 times 0.55.", (0, 1, 0)),
            Case((three_tokens, (2, 0), 10, 1), "a width larger than the number of candidates: "
                 "keep them all. The start may have several ids."),
            Case((three_tokens, (1,), 9, 3), "width 9 keeps all beginnings of two tokens, so it "
                 "finds the likeliest of all 27 texts."),
            Case((two_tokens, (0, 1, 1), 2, 7), "the model looks at all ids, the start too; "
                 "exactly 7 new ones."),
            Case((tempting_sums, (2,), 3, 2), "probabilities are multiplied, so that their "
                 "logarithms are added: 0.38 times 0.56 is more than 0.61 times 0.34.", (2, 1, 1)),
            *(Case((model, start, width, length), "keep the `width` best of the continuations of "
                   "all beams together, by the sum of their log-probabilities.")
              for model, start, width, length in (
                  (three_tokens, (0,), 2, 5), (five_tokens, (2,), 2, 4), (five_tokens, (0,), 3, 4),
                  (five_tokens, (3,), 2, 4), (nine_tokens, (6,), 3, 3), (nine_tokens, (8,), 2, 3),
                  (five_tokens, (1,), 1, 4), (nine_tokens, (0, 0), 4, 3))),
        ),
        mistakes=(
            Mistake(lambda f, s, w, n: beam_with(f, s, 1, n), "following the best beam only: that "
                    "is greedy decoding. Continue every beam, then choose."),
            Mistake(lambda f, s, w, n: beam_with(f, s, w, n, select=lambda parents, w:
                    best(parents[0], w) if len(parents) == 1 else [max(c) for c in parents]),
                    "keeping the best continuation of each beam. Put the continuations of all "
                    "beams in one list, and choose there."),
            Mistake(lambda f, s, w, n: beam_with(f, s, w, n, select=lambda parents, w:
                    [one for c in parents for one in best(c, w)]), "keeping `width` continuations "
                    "of each beam, so that there are more and more. Keep `width` overall."),
            Mistake(likeliest, "keeping everything: that is an exhaustive search."),
            Mistake(lambda f, s, w, n: beam_with(f, s, w, n, add=lambda a, b: a + math.exp(b)),
                    "adding up probabilities. They are multiplied, so their logarithms are added."),
            Mistake(lambda f, s, w, n: beam_with(f, s, w, n, add=lambda a, b: b), "ranking by the "
                    "last step alone. The score of a text is the sum over its tokens."),
            Mistake(lambda f, s, w, n: beam_with(lambda ids: -f(ids), s, w, n), "keeping the least "
                    "likely. Log-probabilities are negative: the best is nearest to 0."),
            Mistake(lambda f, s, w, n: beam_with(f, s, w, n)[len(s):], "leaving out the start."),
            Mistake(lambda f, s, w, n: beam_with(f, s, w, n - 1), "making one token too few."),
            Mistake(lambda f, s, w, n: beam_with(f, s, w, n + 1), "making one token too many."),
            Mistake(lambda f, s, w, n: beam_with(lambda ids: f(ids[-1:]), s, w, n), "showing the "
                    "model the last token only."),
            Mistake(lambda f, s, w, n: (*s, *beam_with(lambda ids: f(ids[len(s):]), s, w, n)
                    [len(s):]), "showing the model the new tokens without the start."),
        ),
    ),
    Exercise(
        id="10.7",
        title="Accept or redraw",
        level="hard",
        minutes=25,
        call="speculative(p, q)",
        hints=(
            "Look at one token. The draft proposes it with q. If that is too often, how often do "
            "you have to refuse it? If it is too seldom, can you ever afford to?",
            "After the first draw each token has come out q * accept of the time, which can be at "
            "most min(p, q). What is still missing of p is max(p - q, 0): that, made to sum to 1, "
            "is the second distribution.",
            "accept = (p / q).clamp(max=1) where q > 0; missing = (p - q).clamp(min=0). Divide it "
            "by its sum. And what can you return in its place if that sum is 0?",
        ),
        accept=not_speculative,
        cases=(
            Case((chances(0.5, 0.5), chances(0.75, 0.25)), "the draft proposes the first token "
                 "too often: keep 2/3 of those. The second comes too seldom: keep all, and give "
                 "it what was refused."),
            Case((chances(0.25, 0.75), chances(0.75, 0.25)), "accept is min(1, p / q), rest is "
                 "max(p - q, 0) divided by its sum."),
            Case((chances(0.5, 0.3, 0.2), chances(0.2, 0.3, 0.5)), "accept is min(1, p / q), rest "
                 "is max(p - q, 0) divided by its sum."),
            Case((chances(0.2, 0.5, 0.3), chances(0.6, 0.3, 0.1)), "two tokens are missing: they "
                 "share the rest in the proportion of p - q."),
            Case((chances(0.5, 0.25, 0.25), chances(0.5, 0.5, 0.0)), "the draft never proposes "
                 "the third token. Its accept plays no part, but may not be nan or inf."),
            Case((chances(0.5, 0.5, 0.0), chances(0.25, 0.75, 0.0)), "both are 0 at the third "
                 "token, and 0 / 0 is nan."),
            Case((chances(0.0, 1.0), chances(1.0, 0.0)), "the two have nothing in common: all is "
                 "refused, and the rest is p."),
            Case((chances(0.25, 0.75), chances(0.25, 0.75)), "p and q are the same: nothing is "
                 "ever refused, so any distribution will do as rest, but not 0 / 0."),
            *(Case((distribution(n, seed), distribution(n, seed + 50)), "accept is min(1, p / q), "
                   "rest is max(p - q, 0) divided by its sum.")
              for n, seed in ((4, 1), (8, 2), (30, 3))),
        ),
        mistakes=(
            Mistake(lambda p, q: (p, exact_rule(p, q)[1]), "keeping a token with its probability "
                    "p. It has been drawn from q already: divide by that."),
            Mistake(lambda p, q: (exact_rule(p, q)[0], p), "drawing from p again after a refusal. "
                    "The tokens that were kept make up a part of p already; draw what is missing."),
            Mistake(lambda p, q: (exact_rule(p, q)[0], (p - q).clamp(min=0)), "not dividing the "
                    "rest by its sum."),
            Mistake(lambda p, q: (exact_rule(p, q)[0], (p - q).abs() / (p - q).abs().sum()),
                    "taking the absolute value of p - q. Where q is larger nothing is missing: 0."),
            Mistake(lambda p, q: (exact_rule(p, q)[0], exact_rule(q, p)[1]), "taking q - p for "
                    "the rest. What is missing is p - q, where that is positive."),
            Mistake(lambda p, q: (exact_rule(q, p)[0], exact_rule(p, q)[1]), "turning the "
                    "fraction round: keep p / q, at most 1."),
            Mistake(lambda p, q: (torch.zeros_like(p), p), "refusing everything. That is exact, "
                    "and the draft was for nothing: keep as much as you can."),
            Mistake(lambda p, q: (exact_rule(p, q)[0], (p - q).softmax(0)), "using a softmax to "
                    "make the sum of the rest 1. Divide by the sum."),
        ),
    ),
)
