"""Checks of chapter 6: sinusoids, rotary positions in both layouts, ALiBi, and what they have in
common.
"""

import functools
import math

import torch

from llmcourse.exercises.comparing import as_array
from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def speed(pair: int, width: int) -> float:
    """Radians per position of the pair that counts from 0."""
    return 10000 ** (-2 * pair / width)


# ------------------------------------------------------------------ sinusoids


def codes_at(positions, d_model: int, speed=speed, pairs="interleaved") -> torch.Tensor:
    """Sinusoidal codes number by number, float64; `speed(pair, d_model)` may be a wrong one."""
    sines = [[math.sin(p * speed(i, d_model)) for i in range(d_model // 2)] for p in positions]
    cosines = [[math.cos(p * speed(i, d_model)) for i in range(d_model // 2)] for p in positions]
    parts = torch.tensor([sines, cosines], dtype=torch.float64).view(2, len(positions), -1)
    if pairs == "halves":
        return torch.cat([parts[0], parts[1]], dim=-1)
    if pairs == "swapped":
        parts = parts.flip(0)
    return parts.permute(1, 2, 0).reshape(len(positions), d_model)


def sinusoids_with(**wrong):
    return lambda n_positions, d_model: codes_at(range(n_positions), d_model, **wrong)


def sinusoids_by_dimension(step: float):
    """Each column j with the exponent `step * j / d_model`, though two columns make a pair."""

    def wrong(n_positions, d_model):
        table = torch.empty(n_positions, d_model, dtype=torch.float64)
        for position in range(n_positions):
            for j in range(d_model):
                angle = position / 10000 ** (step * j / d_model)
                table[position, j] = math.cos(angle) if j % 2 else math.sin(angle)
        return table

    return wrong


def position_in_the_exponent(n_positions, d_model):
    positions = torch.arange(n_positions).double()[:, None].expand(-1, d_model // 2)
    angles = positions / 10000 ** (2 * positions / d_model)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


def turned(x: torch.Tensor, angles: torch.Tensor, pairs: str) -> torch.Tensor:
    """Each pair of x as a complex number, turned by its angle, counterclockwise; float64."""
    if pairs == "interleaved":
        first, second = x.double()[..., ::2], x.double()[..., 1::2]
    else:
        first, second = x.double().chunk(2, dim=-1)
    z = torch.complex(first, second) * torch.polar(torch.ones_like(angles), angles)
    if pairs == "interleaved":
        return torch.view_as_real(z).flatten(-2)
    return torch.cat([z.real, z.imag], dim=-1)


def speeds(width: int) -> torch.Tensor:
    return torch.tensor([speed(i, width) for i in range(width // 2)], dtype=torch.float64)


# Sine first, cosine second: as a complex number a code runs clockwise, so forward is minus k.
def shifted_by_turning(encoding, k, pairs="interleaved", speeds=speeds):
    return turned(encoding, -k * speeds(encoding.shape[1]), pairs)


def shifted_with_new_sines(encoding, k):
    angles = k * speeds(encoding.shape[1])
    sines, cosines = encoding.double()[:, ::2], encoding.double()[:, 1::2]
    sines = sines * angles.cos() + cosines * angles.sin()
    cosines = cosines * angles.cos() - sines * angles.sin()
    return torch.stack([sines, cosines], dim=-1).flatten(1)


def shift_of(*positions: int, d: int, k: int, pointer: str, **more) -> Case:
    """The codes at these positions are given, those k later expected."""
    later = [position + k for position in positions]
    return Case((codes_at(positions, d).float(), k), pointer, codes_at(later, d).float(), **more)


# ------------------------------------------------------------------ rotary


def rotated(x, positions, pairs="half-split", speeds=speeds):
    angles = positions.double()[:, None] * speeds(x.shape[-1])
    return turned(x, angles.expand(*x.shape[:-1], -1), pairs)


def interleaved_to_halves(x):
    return torch.cat([x[..., ::2], x[..., 1::2]], dim=-1)


def halves_to_interleaved(x):
    return torch.stack(x.chunk(2, dim=-1), dim=-1).flatten(-2)


def rotated_by_position_in_memory(x, positions):
    return rotated(x, torch.arange(len(positions)))


def rotated_with_new_a(x, positions):
    angles = positions.double()[:, None] * speeds(x.shape[-1])
    a, b = x.double().chunk(2, dim=-1)
    a = a * angles.cos() - b * angles.sin()
    return torch.cat([a, a * angles.sin() + b * angles.cos()], dim=-1)


def rotated_without_minus(x, positions):
    cos, sin = (part(positions.double()[:, None] * speeds(x.shape[-1]))
                for part in (torch.cos, torch.sin))
    a, b = x.double().chunk(2, dim=-1)
    return torch.cat([a * cos + b * sin, a * sin + b * cos], dim=-1)


def speeds_with_i_over_width(width):
    return torch.tensor([10000 ** (-i / width) for i in range(width // 2)]).double()


def speeds_with_four_i(width):
    return torch.tensor([10000 ** (-4 * i / width) for i in range(width // 2)]).double()


def one_speed_for_all(width):
    return torch.ones(width // 2).double()


# ------------------------------------------------------------------ layouts


def order_of(n_head: int, head_dim: int) -> list[int]:
    """Where each row comes from: those of the first of each pair, then of the second, per head."""
    order = []
    for head in range(n_head):
        for part in (0, 1):
            order += [head * head_dim + 2 * i + part for i in range(head_dim // 2)]
    return order


def reordered(weight: torch.Tensor, n_head: int) -> torch.Tensor:
    return weight[order_of(n_head, len(weight) // n_head)]


def reordered_backwards(weight, n_head):
    order = torch.tensor(order_of(n_head, len(weight) // n_head))
    return weight[order.argsort()]


def seconds_first(weight, n_head):
    head_dim = len(weight) // n_head
    heads = weight.reshape(n_head, head_dim // 2, 2, -1).flip(2)
    return reordered(heads.reshape(weight.shape), n_head)


def rows(n: int, d_in: int = 1) -> torch.Tensor:
    """Row i is filled with i, so that one sees where it went."""
    return torch.arange(n).float()[:, None].expand(n, d_in).clone()


# ------------------------------------------------------------------ ALiBi


def alibi_by_rule(n_head, n_query, n_key, slope=None, penalty=None, first=None) -> torch.Tensor:
    slope = slope or (lambda head, n_head: 2 ** (-8 * head / n_head))
    penalty = penalty or (lambda query, key: -(query - key))
    first = n_key - n_query if first is None else first
    return torch.tensor(
        [[[slope(head, n_head) * penalty(i, j) if j <= i else 0.0
           for j in range(n_key)] for i in range(first, first + n_query)]
         for head in range(1, n_head + 1)]
    )  # fmt: skip


def without_later_keys(answer, n_head, n_query, n_key):
    """The answer's bias with 0 at keys later than the query, which nobody looks at."""
    got = answer(n_head, n_query, n_key)
    try:
        array = as_array(got)
    except Exception:  # a reader's own subclass, with methods that raise
        return got
    if array is None or array.shape != (n_head, n_query, n_key) or array.dtype.kind not in "if":
        return got
    seen = torch.ones(n_query, n_key, dtype=torch.bool).tril(n_key - n_query)
    return torch.where(seen, torch.from_numpy(array).double(), 0.0)


def plain_alibi(penalty):
    """The formula at all keys, with queries counted from 0; then later keys left out."""

    def bias(n_head, n_query, n_key):
        slopes = 2 ** (-8 * torch.arange(1, n_head + 1).double() / n_head)
        distance = torch.arange(n_query)[:, None] - torch.arange(n_key)
        return slopes[:, None, None] * penalty(distance)

    return lambda *sizes: without_later_keys(bias, *sizes)


queries_from_zero = [
    plain_alibi(penalty)
    for penalty in (lambda d: -d, lambda d: -d.abs(), lambda d: -d.clamp(min=0))
]


def alibi_with(**wrong):
    return lambda n_head, n_query, n_key: alibi_by_rule(n_head, n_query, n_key, **wrong)


# ------------------------------------------------------------------ the scores of 06.7

LAST_POSITION = 1000


def score(function):
    """A score of plain Python numbers, in double precision, whatever holds the vectors."""

    @functools.wraps(function)
    def checked(query, key, m, n):
        query, key = (
            [float(x) for x in (v.tolist() if hasattr(v, "tolist") else v)] for v in (query, key)
        )
        m, n = int(m), int(n)
        if len(query) != 8 or len(key) != 8:
            raise ValueError("query and key have 8 numbers each")
        if not (0 <= m <= LAST_POSITION and 0 <= n <= LAST_POSITION):
            raise ValueError(f"positions go from 0 to {LAST_POSITION}, and these are {m} and {n}")
        return float(function(query, key, m, n))

    del checked.__wrapped__
    return checked


def dot(query, key):
    return sum(q * k for q, k in zip(query, key))


def turn(vector, angle):
    """Half-split rotary: pair i turned by `angle` times its speed."""
    out = list(vector)
    for i in range(4):
        cos, sin = math.cos(angle * speed(i, 8)), math.sin(angle * speed(i, 8))
        a, b = vector[i], vector[i + 4]
        out[i], out[i + 4] = a * cos - b * sin, a * sin + b * cos
    return out


def plus_code(vector, position):
    code = codes_in_python(position)
    return [x + c for x, c in zip(vector, code)]


@functools.cache
def codes_in_python(position):
    return codes_at([position], 8)[0].tolist()


@functools.cache
def learned_vectors():
    return normal(LAST_POSITION + 1, 8, seed=8).tolist()


@score
def no_positions(query, key, m, n):
    return dot(query, key)


@score
def turned_both(query, key, m, n):
    return dot(turn(query, m), turn(key, n))


@score
def line_in_the_distance(query, key, m, n):
    return dot(query, key) - abs(m - n) / 16


@score
def wave_in_the_difference(query, key, m, n):
    return dot(query, key) + math.sin(0.3 * (m - n)) - ((m - n) % 7) / 7


@score
def clipped_difference(query, key, m, n):
    return query[0] * key[1] + max(-16, min(16, m - n)) * query[2] * key[3]


@score
def sinusoids_added(query, key, m, n):
    return dot(plus_code(query, m), plus_code(key, n))


@score
def learned_vectors_added(query, key, m, n):
    table = learned_vectors()
    return dot([q + p for q, p in zip(query, table[m])], [k + p for k, p in zip(key, table[n])])


@score
def wave_in_the_position_of_the_query(query, key, m, n):
    return dot(query, key) + math.cos(0.05 * m)


@score
def wave_in_the_position_of_the_key(query, key, m, n):
    return dot(query, key) + math.cos(0.05 * n)


@score
def query_turned_faster_than_key(query, key, m, n):
    return dot(turn(query, m), turn(key, 0.9 * n))


@score
def key_turned_the_other_way(query, key, m, n):
    return dot(turn(query, m), turn(key, -n))


@score
def even_and_odd_positions_differ(query, key, m, n):
    return dot(turn(query, m), turn(key, n)) + 0.5 * (m % 2)


@score
def the_same_again_every_25_positions(query, key, m, n):
    return dot(query, key) + math.sin(2 * math.pi * m / 25)


@score
def no_further_than_512(query, key, m, n):
    return dot(turn(query, min(m, 512)), turn(key, min(n, 512)))


@score
def no_nearer_than_200(query, key, m, n):
    return dot(turn(query, max(m, 200)), turn(key, max(n, 200)))


@score
def distance_relative_to_the_position(query, key, m, n):
    return dot(query, key) - 4 * abs(m - n) / (m + n + 1)


@score
def only_later_keys_tell(query, key, m, n):
    return dot(turn(query, m), turn(key, n)) + (math.cos(m) if n > m else 0)


@score
def only_earlier_keys_tell(query, key, m, n):
    return dot(turn(query, m), turn(key, n)) + (math.cos(m) if n < m else 0)


@score
def only_far_keys_tell(query, key, m, n):
    return dot(turn(query, m), turn(key, n)) + (math.cos(m) if abs(m - n) > 16 else 0)


@score
def nothing_to_tell_if_both_are_alike(query, key, m, n):
    return dot(query, key) + math.cos(m) * (query[2] * key[5] - query[5] * key[2])


@score
def only_the_last_feature_tells(query, key, m, n):
    return dot(turn(query, m), turn(key, n)) + math.cos(m) * query[7] * key[7]


@score
def a_faint_trace_of_the_position(query, key, m, n):
    return dot(query, key) + 0.02 * math.sin(m)


def distance_only_by_trying(score) -> bool:
    """For the mistakes below: 60 random vectors, positions and shifts."""
    draw = torch.Generator().manual_seed(1)
    for _ in range(60):
        query, key = torch.randn(2, 8, generator=draw).double()
        m, n, p = torch.randint(0, LAST_POSITION + 1, (3,), generator=draw).tolist()
        q = p + n - m
        if not 0 <= q <= LAST_POSITION:
            continue
        if abs(score(query, key, m, n) - score(query, key, p, q)) > 1e-6:
            return False
    return True


EXERCISES = (
    Exercise(
        id="06.1",
        title="A slow hand on paper",
        level="easy",
        minutes=5,
        hints=(
            "Number the pairs from 0. The first pair turns by 1 radian per position; the second is "
            "slower.",
            "Pair i turns by 1 / 10000^(2i / d_model) per position. A full turn is 2 pi.",
            "For the second pair the exponent is 2 * 1 / 4: what is 10000 to the power of that, "
            "and how many such steps make 6.283?",
        ),
        cases=(
            Case(expected=[0.01, 628.0], rtol=1e-3, pointer="two numbers, in this order: the angle "
                 "per position in radians, and how many positions make a full turn of 2 pi."),
        ),
        mistakes=(
            Mistake([1.0, 6.0], "taking the first pair. The second one is asked for: i = 1."),
            Mistake([1.0, 6.283], "taking the first pair. The second one is asked for: i = 1."),
            Mistake([0.0001, 62832.0], "taking 2 for i, or d_model / 2 for d_model: i numbers the "
                    "pairs 0, 1, and the exponent is 2i / d_model."),
            Mistake([0.1, 63.0], "using the exponent i / d_model. It is 2i / d_model."),
            Mistake([0.1, 62.83], "using the exponent i / d_model. It is 2i / d_model."),
            Mistake([0.001, 6283.0], "using the exponent 3 / 4, that of the dimension. Both "
                    "dimensions of a pair share one angle, with the exponent 2i / d_model."),
            Mistake([0.01, 100.0], "counting up to an angle of 1. A full turn is 2 pi."),
            Mistake([0.01, 314.0], "counting half a turn. A full turn is 2 pi."),
            Mistake([0.01, 36000.0], "mixing degrees with radians: a full turn is 2 pi."),
            Mistake([0.573, 628.0], "giving the angle in degrees. Radians are asked for."),
            Mistake([100.0, 628.0], "turning the fraction over: 100 is what one divides by."),
            Mistake([100.0, 0.06283], "turning the fraction over: 100 is what one divides by."),
            Mistake([628.0, 0.01], "swapping the two numbers: the angle comes first."),
        ),
    ),
    Exercise(
        id="06.2",
        title="Sinusoids",
        level="easy",
        minutes=12,
        call="sinusoids(n_positions, d_model)",
        hints=(
            "Columns come in pairs, a sine and a cosine of the same angle. How many different "
            "angles has a row?",
            "The angle of pair i at a position is position / 10000^(2i / d_model), with i from 0 "
            "to d_model / 2 - 1. An outer product gives all of them: (n_positions, d_model / 2).",
            "table[:, 0::2] = angles.sin(), table[:, 1::2] = angles.cos(), and angles = "
            "positions[:, None] / 10000 ** (torch.arange(0, d_model, 2) / ...). What do you divide "
            "by?",
        ),
        reference=lambda n_positions, d_model: codes_at(range(n_positions), d_model).float(),
        cases=(
            Case((1, 2), "positions count from 0, where the sine is 0 and the cosine 1; the sine "
                 "comes first.", torch.tensor([[0.0, 1.0]])),
            Case((2, 2), "the first pair turns by 1 radian per position, whatever d_model is.",
                 torch.tensor([[0.0, 1.0], [math.sin(1), math.cos(1)]]), atol=1e-5),
            Case((1, 4), "sines stand in even columns, cosines in odd ones: 0, 1, 0, 1 at position "
                 "0.", torch.tensor([[0.0, 1.0, 0.0, 1.0]])),
            Case((2, 4), "the second pair turns by 1 / 10000^(2/4) = 0.01 per position.",
                 torch.tensor([[0.0, 1.0, 0.0, 1.0],
                               [math.sin(1), math.cos(1), math.sin(0.01), math.cos(0.01)]]),
                 atol=1e-5),
            Case((3, 6), "pair i turns by 1 / 10000^(2i / d_model) per position: sine and cosine "
                 "of a pair have the same angle.", atol=1e-5),
            Case((8, 8), "rows are positions, columns features; both are 8 here, so a table lying "
                 "on its side raises nothing.", atol=1e-5),
            Case((50, 12), "each position is one step further, also far from 0.", atol=1e-4),
            Case((600, 4), "a slow pair comes round after 628 positions: nothing is cut off "
                 "before.", atol=1e-3),
            Case((20, 256), "128 pairs, the last one turning by 1 / 9306 per position.", atol=1e-4),
        ),
        mistakes=(
            Mistake(sinusoids_with(speed=lambda i, d: 10000 ** (-4 * i / d)), "doubling i: it "
                    "numbers the pairs, not the dimensions. With torch.arange(0, d_model, 2) the 2 "
                    "is in it already."),
            Mistake(sinusoids_by_dimension(2), "letting i number the dimensions. It numbers the "
                    "pairs: a sine and its cosine have the same angle."),
            Mistake(sinusoids_by_dimension(1), "giving the cosine an exponent of its own. It "
                    "shares the angle of its sine."),
            Mistake(sinusoids_with(pairs="halves"), "putting all sines first, then all "
                    "cosines. They take turns: sines in even columns, cosines in odd ones."),
            Mistake(sinusoids_with(pairs="swapped"), "putting the cosine before the sine."),
            Mistake(lambda n, d: codes_at(range(1, n + 1), d), "counting positions from 1. The "
                    "first one is 0."),
            Mistake(sinusoids_with(speed=lambda i, d: speed(i + 1, d)), "counting pairs from 1. "
                    "The first one is 0, and turns by 1 radian."),
            Mistake(position_in_the_exponent, "putting the position where i belongs, in the "
                    "exponent."),
            Mistake(sinusoids_with(speed=lambda i, d: 10000 ** (-i / d)), "using the exponent "
                    "i / d_model, where i numbers the pairs. It is 2i / d_model."),
            Mistake(sinusoids_with(speed=lambda i, d: 10000 ** (2 * i / d)), "multiplying by the "
                    "power of 10000. Divide by it."),
            Mistake(sinusoids_with(speed=lambda i, d: 1000 ** (-2 * i / d)), "using the base 1000. "
                    "It is 10000."),
            Mistake(sinusoids_with(speed=lambda i, d: 2 * math.pi * speed(i, d)), "putting in a "
                    "factor of 2 pi. The first pair turns by 1 radian per position."),
            Mistake(lambda n, d: codes_at(range(n), d).T, "laying the table on its side: a row is "
                    "a position."),
        ),
    ),
    Exercise(
        id="06.3",
        title="Shift by turning",
        level="medium",
        minutes=15,
        call="shifted(encoding, k)",
        hints=(
            "You need not know where a row stands. How far does each of its hands turn in k "
            "positions?",
            "With w the speed of a pair: sin(a + kw) = sin(a) cos(kw) + cos(a) sin(kw), and "
            "cos(a + kw) = cos(a) cos(kw) - sin(a) sin(kw). The codes hold sin(a) and cos(a).",
            "sine, cosine = encoding[:, 0::2], encoding[:, 1::2]; turn = k / 10000 ** (...); the "
            "new even columns are sine * turn.cos() + cosine * turn.sin(). What are the new odd "
            "ones, and which column of the old ones must still be there to compute them?",
        ),
        cases=(
            shift_of(1, d=2, k=1, pointer="one pair at position 1, (sin 1, cos 1), one step on: "
                     "(sin 2, cos 2). Mind the signs.", atol=1e-4),
            shift_of(3, d=2, k=0, pointer="a shift by 0 changes nothing.", atol=1e-4),
            shift_of(2, d=2, k=-1, pointer="a negative k goes back: the same formula with a "
                     "negative angle.", atol=1e-4),
            shift_of(7, d=4, k=3, pointer="each pair turns by an angle of its own, "
                     "k / 10000^(2i / d_model); pairs are columns 0 and 1, 2 and 3.", atol=1e-4),
            shift_of(5, 0, 17, d=4, k=4, pointer="the rows stand at any positions, in any order: "
                     "each is turned by itself, no row takes the place of another.", atol=1e-4),
            shift_of(11, 3, 3, 40, d=8, k=-6, pointer="each pair turns by an angle of its own, "
                     "whatever the position, also back beyond 0. Four rows and four pairs: an "
                     "angle goes with a pair.", atol=1e-4),
            shift_of(2, 30, 9, d=64, k=100, pointer="32 pairs, shifted far.", atol=1e-3),
            shift_of(*range(20), d=10, k=25, pointer="twenty rows that follow each other, shifted "
                     "by more than there are.", atol=1e-4),
        ),
        mistakes=(
            Mistake(lambda x, k: shifted_by_turning(x, -k), "turning the other way: these are the "
                    "codes k positions earlier. Sine comes first, so it is sine * cos + cosine * "
                    "sin."),
            Mistake(lambda x, k: shifted_by_turning(x, k, speeds=one_speed_for_all), "turning all "
                    "pairs by the same angle. Each has its own speed, 1 / 10000^(2i / d_model)."),
            Mistake(lambda x, k: shifted_by_turning(x, k, pairs="halves"), "pairing column i with "
                    "i + d_model / 2. Here sines and cosines take turns: columns 0 and 1 are a "
                    "pair."),
            Mistake(shifted_with_new_sines, "computing the new cosines from the new sines. They "
                    "need the old ones: keep those until both are done."),
            Mistake(lambda x, k: x.roll(-k, 0), "rolling the rows. What falls out at one end does "
                    "not belong at the other."),
            Mistake(lambda x, k: x.roll(k, 0), "rolling the rows. What falls out at one end does "
                    "not belong at the other."),
            Mistake(lambda x, k: codes_at(range(k, k + len(x)), x.shape[1]), "taking the rows for "
                    "positions 0, 1, 2, ... Nobody says where they stand."),
            Mistake(lambda x, k: x + codes_at([k], x.shape[1]), "adding the code of k. Angles add "
                    "up, their sines do not."),
            Mistake(lambda x, k: shifted_by_turning(x, k, speeds=speeds_with_four_i), "doubling i: "
                    "it numbers the pairs, not the dimensions."),
            Mistake(lambda x, k: shifted_by_turning(x, k, speeds=speeds_with_i_over_width), "using "
                    "the exponent i / d_model, where i numbers the pairs. It is 2i / d_model."),
        ),
    ),
    Exercise(
        id="06.4",
        title="Rotary at given positions",
        level="medium",
        minutes=15,
        call="rotate(x, positions)",
        hints=(
            "First the angles: one for each position and each pair. What shape do they have, and "
            "to which axes of x does it belong?",
            "Pair i, features i and i + head_dim / 2, turns by positions / 10000^(2i / head_dim). "
            "The new pair is (a cos - b sin, a sin + b cos).",
            "a, b = x.chunk(2, dim=-1); angles = positions[:, None] / 10000 ** (torch.arange(0, "
            "head_dim, 2) / head_dim); then torch.cat((a * angles.cos() - b * angles.sin(), ...), "
            "dim=-1). What stands for the dots?",
        ),
        reference=lambda x, positions: rotated(x, positions).float(),
        cases=(
            Case((torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([1])), "one pair, one radian: "
                 "(1, 0) becomes (cos 1, sin 1). Mind the direction.",
                 torch.tensor([[[[math.cos(1), math.sin(1)]]]]), atol=1e-5),
            Case((torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([1])), "(0, 1) becomes "
                 "(-sin 1, cos 1): a turn keeps the length, so one of the four terms has a minus.",
                 torch.tensor([[[[-math.sin(1), math.cos(1)]]]]), atol=1e-5),
            Case((torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([0])), "at position 0 nothing "
                 "turns.", torch.tensor([[[[1.0, 2.0]]]])),
            Case((torch.tensor([[[[1.0, 0.0, 0.0, 0.0]]]]), torch.tensor([1])), "half-split: "
                 "feature 0 pairs with feature 2, not with 1, and stays in its place.",
                 torch.tensor([[[[math.cos(1), 0.0, math.sin(1), 0.0]]]]), atol=1e-5),
            Case((torch.tensor([[[[0.0, 1.0, 0.0, 0.0]]]]), torch.tensor([10])), "the second pair, "
                 "features 1 and 3 of 4, turns by 1 / 10000^(2/4) = 0.01 per position.",
                 torch.tensor([[[[0.0, math.cos(0.1), 0.0, math.sin(0.1)]]]]), atol=1e-5),
            Case((normal(1, 1, 3, 4), torch.tensor([0, 1, 2])), "each token by its own position.",
                 atol=1e-4),
            Case((normal(1, 1, 3, 4), torch.tensor([7, 2, 40])), "positions are given: they need "
                 "not start at 0, nor be in order.", atol=1e-4),
            Case((normal(1, 1, 1, 4), torch.tensor([25])), "one token, far in the text, as when a "
                 "text is written token by token.", atol=1e-4),
            Case((normal(2, 3, 4, 8), torch.tensor([3, 4, 5, 6])), "positions belong to the third "
                 "axis of x: every text and every head turns alike.", atol=1e-4),
            Case((normal(4, 4, 4, 8), torch.tensor([3, 0, 9, 5])), "batch, heads, time and pairs "
                 "are all 4 here, so an angle on the wrong axis raises nothing.", atol=1e-4),
            Case((normal(2, 2, 5, 64), torch.tensor([0, 10, 20, 50, 100])), "32 pairs, from fast "
                 "to slow.", atol=1e-3),
            Case((normal(1, 2, 3, 8), torch.tensor([4000, 12, -3])), "any whole number is a "
                 "position, however large, and below 0 too.", atol=1e-2),
        ),
        mistakes=(
            Mistake(rotated_by_position_in_memory, "counting tokens from 0, and never looking at "
                    "`positions`."),
            Mistake(lambda x, p: rotated(x, p, "interleaved"), "using the interleaved layout, "
                    "features 2i and 2i + 1. Here feature i pairs with i + head_dim / 2."),
            Mistake(lambda x, p: rotated(interleaved_to_halves(x), p), "cutting the pairs "
                    "interleaved, and joining them in halves. Cut as you join: in halves."),
            Mistake(lambda x, p: halves_to_interleaved(rotated(x, p)), "cutting the pairs in "
                    "halves, and joining them interleaved. Join as you cut: in halves."),
            Mistake(lambda x, p: rotated(x, -p), "turning the other way: the minus stands before "
                    "the wrong sine."),
            Mistake(rotated_with_new_a, "computing the second of a pair from the new first. It "
                    "needs the old one: keep it until both are done."),
            Mistake(rotated_without_minus, "leaving out the minus: that is no turn."),
            Mistake(lambda x, p: rotated(x, p, speeds=speeds_with_i_over_width), "using the "
                    "exponent i / head_dim, where i numbers the pairs. It is 2i / head_dim."),
            Mistake(lambda x, p: rotated(x, p, speeds=speeds_with_four_i), "doubling i: it numbers "
                    "the pairs. With torch.arange(0, head_dim, 2) the 2 is in it already."),
            Mistake(lambda x, p: rotated(x, p, speeds=one_speed_for_all), "turning all pairs by "
                    "the same angle."),
            Mistake(lambda x, p: x + codes_at(p.tolist(), x.shape[-1]), "adding sinusoids. Rotary "
                    "positions turn; they add nothing."),
        ),
    ),
    Exercise(
        id="06.5",
        title="From one layout to the other",
        level="hard",
        minutes=20,
        call="to_half_split(weight, n_head)",
        hints=(
            "A row of the weight makes one feature. Which two features of a head turn together in "
            "the one layout, and which in the other?",
            "In each head, pair i is rows 2i and 2i + 1. Half-split looks for it in rows i and "
            "i + head_dim / 2: first all even rows of the head, then all odd ones.",
            "weight.view(n_head, head_dim // 2, 2, d_in) has the pairs on an axis of their own. "
            "Which two axes change places before the reshape?",
        ),
        reference=reordered,
        cases=(
            Case((rows(2), 1), "a single pair is where both layouts want it: nothing moves.",
                 torch.tensor([[0.0], [1.0]])),
            Case((rows(4), 1), "pairs (0, 1) and (2, 3): half-split wants the first of each pair "
                 "in front, 0 and 2, then 1 and 3.", torch.tensor([[0.0], [2.0], [1.0], [3.0]])),
            Case((rows(6), 1), "even rows in front, in order, then the odd ones: 0 2 4 1 3 5. The "
                 "inverse is 0 3 1 4 2 5, and with 4 rows both are the same.",
                 torch.tensor([[0.0], [2.0], [4.0], [1.0], [3.0], [5.0]])),
            Case((rows(4), 2), "two heads of one pair each: nothing moves. Rows never leave their "
                 "head.", torch.tensor([[0.0], [1.0], [2.0], [3.0]])),
            Case((rows(12), 2), "each head by itself: rows 0 to 5, then rows 6 to 11."),
            Case((normal(8, 3), 2), "a row moves as a whole."),
            Case((normal(12, 12), 2), "as many columns as rows, so a wrong axis raises nothing: "
                 "rows are features of the query, and columns stay."),
            Case((normal(64, 20), 4), "four heads of 8 pairs."),
            Case((normal(48, 48), 3), "three heads of 8 pairs."),
        ),
        mistakes=(
            Mistake(lambda w, n: reordered(w, 1), "going over all rows at once. Each head has "
                    "pairs of its own: rows never leave their head."),
            Mistake(reordered_backwards, "using the inverse order, from half-split to "
                    "interleaved."),
            Mistake(lambda w, n: reordered_backwards(w, 1), "using the inverse order, and going "
                    "over all rows at once."),
            Mistake(lambda w, n: reordered(w.T, n).T, "reordering the columns. The features of the "
                    "query are the rows."),
            Mistake(lambda w, n: w, "leaving everything where it was."),
            Mistake(seconds_first, "putting the second of each pair in front: then every pair "
                    "turns the other way."),
        ),
    ),
    Exercise(
        id="06.6",
        title="ALiBi",
        level="medium",
        minutes=12,
        call="alibi(n_head, n_query, n_key)",
        hints=(
            "Two things multiply: a slope for each head, and a distance for each query and key. "
            "Which axes have they?",
            "Query i stands at position i + n_key - n_query, key j at position j. Heads count "
            "from 1 in the exponent -8 h / n_head.",
            "slopes = 2.0 ** (-8 * torch.arange(..., ...) / n_head), and -slopes[:, None, None] * "
            "(query[:, None] - key). From which number to which do the heads count, and where "
            "does `query` begin?",
        ),
        reference=alibi_by_rule,
        use=without_later_keys,
        cases=(
            Case((1, 1, 1), "a token is at distance 0 from itself: no penalty.",
                 torch.tensor([[[0.0]]])),
            Case((1, 3, 3), "one head has the slope 2^-8 = 1/256. A penalty is negative, and "
                 "grows with the distance.", torch.tensor(
                     [[[0, 0, 0], [-1, 0, 0], [-2, -1, 0]]]) / 256),
            Case((2, 2, 2), "two heads: slopes 2^-4 and 2^-8, in this order.", torch.tensor(
                [[[0, 0], [-1 / 16, 0]], [[0, 0], [-1 / 256, 0]]])),
            Case((8, 3, 3), "eight heads: slopes 1/2, 1/4, ..., 1/256."),
            Case((1, 1, 4), "the only query is the last of four positions: distances 3, 2, 1, 0.",
                 torch.tensor([[[-3, -2, -1, 0]]]) / 256),
            Case((4, 2, 5), "query i stands at position i + n_key - n_query."),
            Case((16, 4, 4), "sixteen heads: the first slope is the root of 1/2, the last 1/256."),
            Case((4, 4, 4), "all sizes are 4 here, so a slope on the wrong axis raises nothing: "
                 "(n_head, n_query, n_key)."),
            Case((8, 30, 70), "-slope * distance, at any distance."),
        ),
        mistakes=(
            Mistake(alibi_with(penalty=lambda i, j: i - j), "leaving out the minus. What is far "
                    "gets less attention."),
            Mistake(alibi_with(slope=lambda h, n: 2 ** (-8 * (h - 1) / n)), "counting heads from "
                    "0: the first slope would be 1."),
            *(Mistake(wrong, "counting the queries from position 0. They are the last n_query of "
                      "n_key.") for wrong in queries_from_zero),
            Mistake(alibi_with(slope=lambda h, n: 2 ** (-8 * (n + 1 - h) / n)), "giving the slopes "
                    "in the wrong order. The first head is the most short-sighted."),
            Mistake(alibi_with(slope=lambda h, n: 2 ** -h), "using the slopes 1/2, 1/4, ... for "
                    "any number of heads. That is right for eight."),
            Mistake(alibi_with(slope=lambda h, n: 2 ** (8 * h / n)), "leaving out the minus in "
                    "the exponent: slopes are below 1."),
            Mistake(alibi_with(slope=lambda h, n: 2 ** -8), "using the same slope for all heads."),
            Mistake(alibi_with(slope=lambda h, n: -8 * h / n), "taking the exponent for the slope: "
                    "it is 2 to this power."),
            Mistake(alibi_with(penalty=lambda i, j: -math.sqrt(i - j)), "taking the root of the "
                    "distance. It counts as it is."),
            Mistake(alibi_with(penalty=lambda i, j: -((i - j) ** 2)), "taking the square of the "
                    "distance. It counts as it is."),
            Mistake(alibi_with(penalty=lambda i, j: j), "taking slope * position of the key. After "
                    "the softmax that comes to the same; asked is -slope * distance."),
            Mistake(alibi_with(penalty=lambda i, j: -(i - j) - 1), "counting a distance of 1 from "
                    "a token to itself. It is 0."),
        ),
    ),
    Exercise(
        id="06.7",
        title="Only the distance",
        level="hard",
        minutes=20,
        call="depends_on_distance_only(score)",
        hints=(
            "If only m - n counts, you can move both by the same number of places and nothing "
            "happens.",
            "Draw random vectors, random positions m and n, and a random shift that keeps both "
            "between 0 and 1000; compare the two scores, with a tolerance for rounding; do this "
            "many times. One difference is enough for a no.",
            "m, n = torch.randint(0, 1001, (2,)).tolist(); the shift may be anything from "
            "-min(m, n) up to ... What stands for the dots, and what is returned after the loop?",
        ),
        cases=(
            Case((no_positions,), "a score without positions is the same everywhere, so it depends "
                 "on nothing but m - n.", True),
            Case((wave_in_the_position_of_the_query,), "move both positions by the same number of "
                 "places: this score follows m. Can your function return False?", False),
            Case((wave_in_the_position_of_the_key,), "move both positions by the same number of "
                 "places: this score follows n.", False),
            Case((line_in_the_distance,), "ALiBi: the penalty follows the distance.", True),
            Case((wave_in_the_difference,), "m - n has a sign: a score may tell 3 before from 3 "
                 "behind. Compare pairs with the same m - n, not the same |m - n|.", True),
            Case((clipped_difference,), "beyond 16 all distances are alike here, and m - n still "
                 "says everything. (Do you take query for key somewhere?)", True),
            Case((turned_both,), "rotary: what is left differs in its last digits, so compare with "
                 "a tolerance, not with ==.", True),
            Case((sinusoids_added,), "query and key meet the code of the other's position: with "
                 "vectors of zeros that cannot be seen. Use random ones.", False),
            Case((learned_vectors_added,), "learned vectors know nothing of distances.", False),
            Case((query_turned_faster_than_key,), "query and key turn at different speeds. "
                 "(Vectors with many zeros may hide that.)", False),
            Case((key_turned_the_other_way,), "the key turns the other way, so m + n counts.",
                 False),
            Case((distance_relative_to_the_position,), "at distance 0 this score is innocent: try "
                 "pairs with m and n apart.", False, repeat=3),
            Case((only_later_keys_tell,), "this score is innocent as long as the key is not later "
                 "than the query: try m below n as well.", False, repeat=3),
            Case((only_earlier_keys_tell,), "this score is innocent as long as the key is not "
                 "earlier than the query: try m above n as well.", False, repeat=3),
            Case((only_far_keys_tell,), "up to 16 places apart all is well: try pairs that are "
                 "far apart too.", False, repeat=3),
            Case((even_and_odd_positions_differ,), "a shift by an even number of places shows "
                 "nothing here: try odd ones.", False, repeat=3),
            Case((the_same_again_every_25_positions,), "a shift by 25 places, or by 100, shows "
                 "nothing here: try many shifts.", False, repeat=3),
            Case((no_further_than_512,), "up to position 512 all is well: look further, up to "
                 "1000.", False, repeat=3),
            Case((no_nearer_than_200,), "from position 200 on all is well: look at the first ones "
                 "too.", False, repeat=3),
            Case((nothing_to_tell_if_both_are_alike,), "with the same vector for query and key, "
                 "this score is innocent: draw two.", False, repeat=3),
            Case((only_the_last_feature_tells,), "only one of the eight features gives the "
                 "position away: use vectors without zeros.", False, repeat=3),
            Case((a_faint_trace_of_the_position,), "a small difference is one all the same: the "
                 "tolerance is for rounding only.", False),
        ),
        mistakes=(
            Mistake(lambda score: True, "answering True whatever the score. Are both positions "
                    "moved, and the two scores compared?"),
            Mistake(lambda score: False, "answering False whatever the score. Move m and n by the "
                    "same number of places, and keep the two vectors."),
            Mistake(lambda score: not distance_only_by_trying(score), "turning the answer round."),
        ),
    ),
)
