import itertools
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    RepetitionPenaltyLogitsProcessor,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from llmcourse.generation import (
    beam_search,
    filter_logits,
    generate,
    left_pad,
    sample_next,
    speculative_generate,
)
from llmcourse.gpt import GPT, GPTConfig

SHAPES = {
    "gpt2": {},
    "llama": dict(norm="rms", position="rope", activation="swiglu", bias=False, n_kv_head=2),
    "alibi": dict(position="alibi", tie_embeddings=False),
}


def tiny(shape="gpt2", vocab_size=23, seed=0, **changes):
    """A GPT with large random weights, so that what comes next depends on all that came before."""
    torch.manual_seed(seed)
    sizes = dict(vocab_size=vocab_size, context_length=40, n_layer=2, n_head=4, d_model=32)
    model = GPT(GPTConfig(**{**sizes, **SHAPES[shape], **changes}))
    for weight in model.parameters():
        if weight.dim() > 1:
            nn.init.normal_(weight, std=0.3)
    return model


class Table(nn.Module):
    """Next-token probabilities by the two tokens before, behind the interface of a GPT."""

    def __init__(self, vocab_size=4, seed=0, sharpness=1.5):
        super().__init__()
        shape = (vocab_size + 1, vocab_size, vocab_size)
        table = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * sharpness
        self.table = nn.Parameter(table)
        self.config = SimpleNamespace(vocab_size=vocab_size, context_length=100)
        self.calls = 0

    def new_cache(self, batch, max_length=None):
        return [SimpleNamespace(length=0, tokens=torch.zeros(batch, max_length, dtype=torch.long))]

    def forward(self, tokens, cache=None, mask=None, n_logits=None):
        self.calls += 1
        text, start = tokens, 0
        if cache:
            start, cache[0].length = cache[0].length, cache[0].length + tokens.shape[1]
            cache[0].tokens[:, start : cache[0].length] = tokens
            text = cache[0].tokens[:, : cache[0].length]
        before = nn.functional.pad(text, (1, 0), value=self.config.vocab_size)[:, :-1]
        return SimpleNamespace(logits=self.table[before, text][:, start:][:, -n_logits:])

    def continuations(self, prompt, length, **options):
        """Every continuation of a prompt and its probability, token by token with sample_next's
        distribution."""
        found = {}
        for new in itertools.product(range(self.config.vocab_size), repeat=length):
            text, probability = [self.config.vocab_size, *prompt], 1.0
            for token in new:
                logits = filter_logits(self.table[text[-2], text[-1]].detach(), **options)
                probability *= logits.softmax(-1)[token].item()
                text.append(token)
            found[new] = probability
        return found


class Library(nn.Module):
    """A model of the transformers library behind the interface of ours, without its cache."""

    def __init__(self, model):
        super().__init__()
        self.model = model.eval()
        self.config = SimpleNamespace(vocab_size=model.config.vocab_size, context_length=40)

    def forward(self, tokens, cache=None, mask=None, n_logits=None):
        positions = None if mask is None else (mask.long().cumsum(-1) - 1).clamp(min=0)
        mask = None if mask is None else mask.long()
        logits = self.model(tokens, attention_mask=mask, position_ids=positions).logits
        return SimpleNamespace(logits=logits[:, -n_logits:])


@pytest.fixture(scope="module")
def library():
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=23, n_positions=40, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3,
        bos_token_id=None, eos_token_id=None, pad_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval()


def ids(*shape, seed=1, vocab_size=23):
    return torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(seed))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def chi_square(observed, expected):
    """Pearson's statistic and its degrees of freedom; nothing impossible may have happened."""
    assert (observed[expected == 0] == 0).all()
    possible = expected > 0
    observed, expected = observed[possible], expected[possible]
    return ((observed - expected) ** 2 / expected).sum().item(), len(expected) - 1


def assert_drawn_from(observed, expected):
    statistic, freedom = chi_square(observed, expected)
    # The 99.9% quantile by Wilson and Hilferty, 1931: within 2% from 3 degrees of freedom on.
    assert statistic < freedom * (1 - 2 / (9 * freedom) + 3.09 * (2 / (9 * freedom)) ** 0.5) ** 3


# ------------------------------------------------------------------------- filtering


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("top_k", [1, 2, 7, 50, 80])
def test_top_k_equals_transformers(seed, top_k):
    logits = torch.randn(3, 50, generator=seeded(seed)) * 3
    theirs = TopKLogitsWarper(top_k)(None, logits)
    assert torch.equal(filter_logits(logits, top_k=top_k), theirs)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("top_p", [0.001, 0.1, 0.5, 0.9, 0.999, 1.0])
def test_top_p_equals_transformers(seed, top_p):
    logits = torch.randn(3, 50, generator=seeded(seed)) * 3
    theirs = TopPLogitsWarper(top_p)(None, logits)
    assert torch.equal(filter_logits(logits, top_p=top_p), theirs)


def test_both_filters_equal_transformers_one_after_the_other():
    logits = torch.randn(20, 50, generator=seeded()) * 3
    theirs = TopPLogitsWarper(0.8)(None, TopKLogitsWarper(9)(None, logits))
    assert torch.equal(filter_logits(logits, 9, 0.8), theirs)


def test_top_p_keeps_the_fewest_tokens_that_reach_it():
    logits = torch.tensor([0.15, 0.5, 0.05, 0.3]).log()
    for top_p, kept in [(0.4, [1]), (0.6, [1, 3]), (0.79, [1, 3]), (0.9, [0, 1, 3])]:
        assert filter_logits(logits, top_p=top_p).isfinite().nonzero().flatten().tolist() == kept


def test_without_options_nothing_is_filtered():
    logits = torch.randn(2, 3, 9, generator=seeded())
    assert torch.equal(filter_logits(logits), logits)
    assert filter_logits(logits.bfloat16(), 3, 0.5).dtype == torch.bfloat16


# ------------------------------------------------------------------------- sampling


@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 0.5}, {"temperature": 3.0}, {"top_k": 4}, {"top_p": 0.7},
     {"temperature": 1.7, "top_k": 6, "top_p": 0.8}],
    ids=str,
)  # fmt: skip
def test_tokens_come_as_often_as_the_filtered_distribution_says(options):
    logits = torch.randn(12, generator=seeded(3)) * 2
    drawn = sample_next(logits.expand(30_000, -1), **options, generator=seeded())
    filtered = logits / options.get("temperature", 1.0)
    filtered = filter_logits(filtered, options.get("top_k"), options.get("top_p"))
    assert_drawn_from(torch.bincount(drawn, minlength=12), 30_000 * filtered.softmax(-1))


def test_a_large_vocabulary_of_unlikely_tokens_stays_unlikely():
    logits = torch.full((50_000,), -25.0)  # together 7e-7
    logits[7] = 0.0
    drawn = sample_next(logits.expand(400, -1), generator=seeded())
    assert (drawn == 7).all()


def test_temperature_zero_is_greedy_and_a_small_one_comes_close():
    logits = torch.randn(100, 9, generator=seeded())
    assert torch.equal(sample_next(logits, temperature=0), logits.argmax(-1))
    for temperature in (1e-5, 1e-38):
        assert torch.equal(sample_next(logits, temperature=temperature), logits.argmax(-1))
    assert torch.equal(sample_next(logits, top_k=1), logits.argmax(-1))
    assert sample_next(logits.view(4, 25, 9)).shape == (4, 25)


def test_one_seed_gives_one_text():
    model, prompt = tiny(), ids(2, 5)
    one, two = (generate(model, prompt, 12, generator=seeded(4)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, generate(model, prompt, 12, generator=seeded(5)))


def test_without_a_generator_pytorchs_own_is_used():
    model, prompt = tiny(), ids(1, 5)
    torch.manual_seed(3)
    one = generate(model, prompt, 12)
    torch.manual_seed(3)
    assert torch.equal(one, generate(model, prompt, 12))


# ------------------------------------------------------------------------- generate

OPTIONS = [
    {"temperature": 0},
    {},
    {"temperature": 0.7, "top_k": 5},
    {"top_p": 0.6},
    {"top_k": 9, "top_p": 0.9, "num_return_sequences": 3},
    {"temperature": 0, "repetition_penalty": 1.5},
    {"repetition_penalty": 1.5},
    {"temperature": 0.8, "top_k": 9, "repetition_penalty": 1.3, "num_return_sequences": 2},
    {"stop_token": 4, "num_return_sequences": 4},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_cached_generation_equals_uncached(shape, options):
    model, (prompt, mask) = tiny(shape), left_pad([ids(7), ids(3), ids(1)])
    for extra in ({}, {"mask": mask}):
        cached, uncached = (
            generate(model, prompt, 20, **options, **extra, generator=seeded(), use_cache=use)
            for use in (True, False)
        )
        assert torch.equal(cached, uncached)


@pytest.mark.parametrize("options", [{}, {"repetition_penalty": 1.3}, {"stop_token": 4}], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_prompts_of_unequal_length_give_what_one_at_a_time_gives(shape, options):
    model, prompts = tiny(shape), [ids(n, seed=n) for n in (9, 1, 4, 6)]
    tokens, mask = left_pad(prompts, pad_token=4)  # a pad token that the prompts use, too
    together = generate(
        model, tokens, 15, temperature=0, mask=mask, num_return_sequences=2, **options
    )
    for row, prompt in zip(together, [p for p in prompts for _ in range(2)], strict=True):
        alone = generate(model, prompt[None], 15, temperature=0, **options)[0]
        assert torch.equal(row[9 - len(prompt) :][: len(alone)], alone)


def test_a_padded_prompt_is_sampled_as_it_would_be_alone_by_the_same_random_numbers():
    # Row i of a batch draws the i-th number of each step: so does row i of i + 1 copies.
    prompts, n = [ids(k, seed=k) for k in (9, 1, 4)], 3
    for shape in SHAPES:
        model, (tokens, mask) = tiny(shape), left_pad(prompts)
        options = dict(temperature=0.8, top_k=9, top_p=0.95, num_return_sequences=n)
        together = generate(model, tokens, 15, mask=mask, generator=seeded(), **options)
        for i, prompt in enumerate(prompts):
            copies = prompt.expand(len(prompts), -1)
            alone = generate(model, copies, 15, generator=seeded(), **options)
            rows = slice(i * n, i * n + n)
            assert torch.equal(together[rows, 9 - len(prompt) :], alone[rows])


@pytest.mark.parametrize("penalty", [1.0, 1.4])
def test_greedy_text_equals_transformers(library, penalty):
    prompt = ids(3, 6)
    theirs = library.generate(
        prompt, max_new_tokens=20, do_sample=False, repetition_penalty=penalty
    )
    ours = generate(
        Library(library), prompt, 20, temperature=0, repetition_penalty=penalty, use_cache=False
    )
    assert torch.equal(ours, theirs)


def test_greedy_text_of_a_left_padded_batch_equals_transformers(library):
    tokens, mask = left_pad([ids(8), ids(2), ids(5)])
    theirs = library.generate(
        tokens, attention_mask=mask.long(), max_new_tokens=20, do_sample=False
    )
    ours = generate(Library(library), tokens, 20, temperature=0, mask=mask, use_cache=False)
    assert torch.equal(ours, theirs)


def test_the_repetition_penalty_equals_transformers():
    model, prompt = Table(vocab_size=6), torch.tensor([[1, 5, 5, 2]])
    logits = model.table[5, 2].detach()[None]
    weaker = RepetitionPenaltyLogitsProcessor(1.7)(prompt, logits)
    drawn = generate(
        model, prompt, 1, repetition_penalty=1.7, num_return_sequences=20_000, generator=seeded()
    )
    observed = torch.bincount(drawn[:, -1], minlength=6)
    assert_drawn_from(observed, 20_000 * weaker[0].softmax(-1))


def test_texts_come_as_often_as_the_chain_rule_says():
    model = Table()
    options = {"top_k": 3, "top_p": 0.95}
    drawn = generate(
        model, torch.tensor([[2, 1]]), 3, **options, num_return_sequences=20_000, generator=seeded()
    )
    assert_drawn_from(counted(drawn[:, 2:]), chances(model, [2, 1], 3, 20_000, **options))


def counted(new, vocab_size=4):
    digits = vocab_size ** torch.arange(new.shape[1]).flip(0)
    return torch.bincount((new * digits).sum(1), minlength=vocab_size ** new.shape[1])


def chances(model, prompt, length, n, **options):
    return n * torch.tensor(list(model.continuations(prompt, length, **options).values()))


def test_several_sequences_stand_below_each_other_and_differ():
    prompt = ids(2, 5)
    tokens = generate(tiny(), prompt, 10, num_return_sequences=3, generator=seeded())
    assert tokens.shape == (6, 15)
    assert torch.equal(tokens[:, :5], prompt.repeat_interleave(3, dim=0))
    assert len({tuple(row) for row in tokens.tolist()}) == 6


def test_a_sequence_ends_with_its_stop_token_and_the_rest_is_filled():
    model, prompt = tiny(), ids(6, 4)
    free = generate(model, prompt, 20, temperature=0)
    stopped = generate(model, prompt, 20, temperature=0, stop_token=4)
    ends = []
    for row, reference in zip(stopped, free, strict=True):
        new = reference[4:].tolist()
        ends.append(new.index(4) + 1 if 4 in new else 20)
        assert row[4 : 4 + ends[-1]].tolist() == new[: ends[-1]]
        assert (row[4 + ends[-1] :] == 4).all()
    assert stopped.shape[1] == 4 + max(ends) and min(ends) < 20


def test_nothing_is_computed_after_all_sequences_have_ended():
    model = Table()
    with torch.no_grad():
        model.table[:, :, 3] = 99.0
    tokens = generate(model, torch.tensor([[0], [1]]), 50, stop_token=3)
    assert tokens.tolist() == [[0, 3], [1, 3]] and model.calls == 1


def test_a_stop_token_in_the_prompt_does_not_stop():
    tokens = generate(tiny(), torch.tensor([[4, 4]]), 5, temperature=0, stop_token=4)
    assert tokens.shape[1] > 2


def test_the_whole_context_can_be_filled_and_no_new_token_asked_for():
    model, prompt = tiny(), ids(1, 5)
    assert generate(model, prompt, 35).shape == (1, 40)
    assert torch.equal(generate(model, prompt, 0), prompt)


def test_dropout_is_off_while_generating_and_back_on_afterwards():
    model = tiny(dropout=0.5).train()
    one, two = (generate(model, ids(1, 5), 15, temperature=0) for _ in range(2))
    assert torch.equal(one, two) and all(module.training for module in model.modules())
    with pytest.raises(RuntimeError, match="interrupted"):
        model.blocks[0].register_forward_hook(lambda *_: exec('raise RuntimeError("interrupted")'))
        generate(model, ids(1, 5), 3)
    assert model.training
    model.blocks[1].eval()
    generate(model, ids(1, 5), 0)
    assert model.blocks[0].training and not model.blocks[1].training


def test_generated_tokens_can_be_trained_on():
    model = tiny()
    tokens = generate(model, ids(2, 5), 10, generator=seeded())
    assert not tokens.requires_grad
    model(tokens[:, :-1], tokens[:, 1:]).loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())

    stopped = generate(model, tokens[:1, :5], 10, stop_token=int(tokens[0, 5]), generator=seeded())
    beams, scores = beam_search(model, tokens[:1, :5], 4, n_beam=2)
    spoken = speculative_generate(model, model, tokens[:1, :5], 4, generator=seeded())
    for text in (stopped, beams, spoken):
        model(text[:, :-1], text[:, 1:]).loss.backward()
    assert not any(t.is_inference() for t in (tokens, stopped, beams, scores, spoken))


def test_bfloat16_models_generate():
    model = tiny().bfloat16()
    tokens = generate(model, ids(2, 5), 10, top_k=5, top_p=0.9, generator=seeded())
    assert tokens.shape == (2, 15) and tokens.max() < 23


on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@on_a_gpu
@pytest.mark.parametrize("shape", SHAPES)
def test_a_gpu_gives_the_text_of_the_cpu_from_a_generator_on_the_cpu(shape):
    model, prompt = tiny(shape), ids(3, 5)
    for options in ({"temperature": 0}, {"top_k": 5, "top_p": 0.9}):
        here = generate(model.cpu(), prompt, 20, **options, generator=seeded())
        there = generate(model.cuda(), prompt, 20, **options, generator=seeded())
        assert there.is_cuda and torch.equal(here, there.cpu())


@on_a_gpu
def test_the_loop_does_not_wait_for_the_gpu():
    model, prompt = tiny().cuda(), ids(3, 5).cuda()
    options = dict(top_k=5, top_p=0.9, repetition_penalty=1.2)
    generate(model, prompt, 10, **options)
    hook = model.register_forward_hook(lambda *_: torch.cuda.set_sync_debug_mode("error"))
    try:
        generate(model, prompt, 10, **options)
    finally:
        torch.cuda.set_sync_debug_mode("default")
        hook.remove()


# ------------------------------------------------------------------------- beam search


def all_texts(model, prompt, length, stop_token=None):
    """Every continuation of so many tokens, or up to a stop token, and its log-probability."""
    vocab_size = model.config.vocab_size
    new = torch.tensor(list(itertools.product(range(vocab_size), repeat=length)))
    tokens = torch.cat((prompt.expand(len(new), -1), new), dim=1)
    with torch.no_grad():
        log_p = model(tokens[:, :-1]).logits[:, -length:].log_softmax(-1)
    chosen = log_p.gather(-1, new[..., None])[..., 0]
    found = {}
    for row, values in zip(new.tolist(), chosen.tolist(), strict=True):
        n = row.index(stop_token) + 1 if stop_token in row else length
        found[tuple(row[:n])] = sum(values[:n])
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("stop_token", [None, 2])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_wide_beam_search_equals_exhaustive_search(seed, stop_token, length_penalty):
    model = tiny(vocab_size=4, seed=seed)
    prompt = ids(1, 3, vocab_size=4)
    expected = all_texts(model, prompt, 4, stop_token)
    ranked = sorted(((v / len(k) ** length_penalty, k) for k, v in expected.items()), reverse=True)
    for use_cache in (True, False):
        tokens, scores = beam_search(model, prompt, 4, 300, stop_token, length_penalty, use_cache)
        assert len(tokens) == len(scores) == len(ranked)
        torch.testing.assert_close(scores, torch.tensor([v for v, _ in ranked]))
        for row, (_, text) in zip(tokens[:, 3:].tolist(), ranked, strict=True):
            assert tuple(row[: len(text)]) == text
            assert all(token == stop_token for token in row[len(text) :])


def test_one_beam_is_greedy():
    model, prompt = tiny(), ids(1, 5)
    tokens, _ = beam_search(model, prompt, 20, n_beam=1)
    assert torch.equal(tokens, generate(model, prompt, 20, temperature=0))


@pytest.mark.parametrize("n_beam", [2, 5])
def test_beams_equal_transformers(library, n_beam):
    prompt = ids(1, 6)
    theirs = library.generate(
        prompt, max_new_tokens=12, do_sample=False, num_beams=n_beam, num_return_sequences=n_beam,
        length_penalty=0.0, output_scores=True, return_dict_in_generate=True,
    )  # fmt: skip
    tokens, scores = beam_search(Library(library), prompt, 12, n_beam, use_cache=False)
    assert torch.equal(tokens, theirs.sequences)
    torch.testing.assert_close(scores, theirs.sequences_scores)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("stop_token", [None, 4])
def test_cached_beams_equal_uncached(shape, stop_token):
    model, prompt = tiny(shape), ids(1, 5)
    cached, uncached = (
        beam_search(model, prompt, 15, 6, stop_token, use_cache=use) for use in (True, False)
    )
    assert torch.equal(cached[0], uncached[0])
    torch.testing.assert_close(cached[1], uncached[1])


# ------------------------------------------------------------------------- speculation


@pytest.mark.parametrize("n_draft", [1, 2, 5])
@pytest.mark.parametrize("options", [{}, {"temperature": 0.6, "top_k": 3, "top_p": 0.9}], ids=str)
def test_speculation_keeps_the_distribution_of_the_model(n_draft, options):
    model, draft = Table(seed=0), Table(seed=1)
    prompt, generator = torch.tensor([[2, 1]]), seeded()
    drawn = torch.cat(
        [
            speculative_generate(model, draft, prompt, 3, n_draft, **options, generator=generator)
            for _ in range(3000)
        ]
    )
    table = Table(seed=0)
    with torch.no_grad():
        table.table /= options.get("temperature", 1.0)
    filters = {k: v for k, v in options.items() if k != "temperature"}
    expected = chances(table, [2, 1], 3, 3000, **filters)
    observed = counted(drawn[:, 2:])
    rare = expected < 5  # Pearson's statistic wants cells that are not nearly empty
    assert (observed[expected == 0] == 0).all()
    observed = torch.cat((observed[~rare], observed[rare].sum()[None]))
    assert_drawn_from(observed, torch.cat((expected[~rare], expected[rare].sum()[None])))


@pytest.mark.parametrize("shape", SHAPES)
def test_greedy_speculation_equals_greedy_generation(shape):
    model, prompt = tiny(shape), ids(1, 5)
    expected = generate(model, prompt, 30, temperature=0)
    near = tiny(shape)
    with torch.no_grad():
        for weight in near.parameters():
            weight += 0.02 * torch.randn_like(weight)
    for draft in (model, near, tiny(shape, seed=5)):
        for n_draft in (1, 3, 8):
            tokens = speculative_generate(model, draft, prompt, 30, n_draft, temperature=0)
            assert torch.equal(tokens, expected)


def test_a_perfect_draft_is_always_believed_and_saves_calls():
    model, draft = Table(), Table()
    speculative_generate(model, draft, torch.tensor([[0]]), 40, n_draft=4, generator=seeded())
    assert model.calls == 8 and draft.calls == 32  # each call of the model yields 5 tokens


def test_speculation_ends_with_the_stop_token():
    model, prompt = tiny(), ids(1, 4)
    expected = generate(model, prompt, 30, temperature=0)[0, 4:].tolist()
    stop = expected[10]
    n = expected.index(stop) + 1
    for draft in (model, tiny(seed=5)):
        for n_draft in (1, 4, 20):
            tokens = speculative_generate(
                model, draft, prompt, 30, n_draft, temperature=0, stop_token=stop
            )
            assert tokens[0, 4:].tolist() == expected[:n]


@pytest.mark.parametrize("n_draft", [1, 4])
def test_speculation_that_samples_ends_with_the_stop_token_as_often_as_it_should(n_draft):
    model, draft, stop, n = Table(seed=0), Table(seed=1), 2, 3000
    generator, prompt = seeded(), torch.tensor([[2, 1]])  # the prompt's own does not count
    expected = {}
    for text, chance in model.continuations([2, 1], 3).items():
        text = text[: text.index(stop) + 1] if stop in text else text
        expected[text] = expected.get(text, 0) + n * chance
    observed = dict.fromkeys(expected, 0)
    for _ in range(n):
        text = speculative_generate(
            model, draft, prompt, 3, n_draft, stop_token=stop, generator=generator
        )
        observed[tuple(text[0, 2:].tolist())] += 1  # a KeyError for a text that goes on behind it
    rare = [text for text, count in expected.items() if count < 5]
    for counts in (expected, observed):
        counts["rare"] = sum(counts.pop(text) for text in rare)
    assert_drawn_from(torch.tensor(list(observed.values())), torch.tensor(list(expected.values())))


# ------------------------------------------------------------------------- padding, bad input


def test_left_padding_puts_all_ends_at_the_right():
    tokens, mask = left_pad([[1, 2, 3], torch.tensor([4])], pad_token=9)
    assert tokens.tolist() == [[1, 2, 3], [9, 9, 4]]
    assert mask.tolist() == [[True, True, True], [False, False, True]]


CALLS = {
    "generate": lambda prompt, new, **options: generate(tiny(), prompt, new, **options),
    "beam_search": lambda prompt, new: beam_search(tiny(), prompt, new, 2),
    "speculative": lambda prompt, new: speculative_generate(tiny(), tiny(), prompt, new),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("prompt", "new", "message"),
    [
        (torch.zeros(1, 0, dtype=torch.long), 5, "prompt is empty.*at least one token"),
        (ids(1, 45), 5, "45 tokens .* context_length is 40: shorten the prompt .* 0 to 0 new"),
        (ids(1, 30), 11, "30 tokens and max_new_tokens is 11.* ask for 0 to 10 new tokens"),
        (ids(1, 3), -1, "max_new_tokens is -1"),
        (torch.tensor([[1, 23]]), 5, "contains the id 23, but the model's vocab_size is 23"),
        (torch.tensor([[-1, 2]]), 5, "contains the id -1"),
        (torch.tensor([1, 2]), 5, r"shape \(2,\).*a single one is prompt\[None\]"),
        (torch.tensor([[1.0]]), 5, "dtype torch.float32, but it holds ids"),
        (torch.tensor([[True, False]]), 5, "dtype torch.bool, but it holds ids"),
    ],
)
def test_a_prompt_that_cannot_be_continued_says_why(call, prompt, new, message):
    with pytest.raises(ValueError, match=message):
        CALLS[call](prompt, new)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": -0.1}, "temperature is -0.1: choose 0 for the likeliest token"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"top_k": 0}, "top_k is 0: keep 1 token or more"),
        ({"top_p": 0.0}, "top_p is 0.0: .* above 0, at most 1"),
        ({"top_p": 1.1}, "top_p is 1.1"),
        ({"temperature": 0, "top_k": -2}, "top_k is -2"),
        ({"num_return_sequences": 0}, "num_return_sequences is 0"),
        ({"repetition_penalty": 0.0}, "repetition_penalty is 0.0"),
        ({"mask": torch.tensor([[True, True, False]])}, "padding after a real token.*left_pad"),
        ({"mask": torch.tensor([[True, False, True]])}, "padding after a real token.*left_pad"),
        ({"mask": torch.ones(1, 3)}, "mask has .*float32: it is boolean"),
        ({"mask": torch.ones(1, 2, dtype=torch.bool)}, r"shape of the prompt, \(1, 3\)"),
    ],
)
def test_options_out_of_range_say_what_to_choose(options, message):
    with pytest.raises(ValueError, match=message):
        generate(tiny(), ids(1, 3), 4, **options)


@pytest.mark.parametrize("stop_token", [23, -1])
def test_a_stop_token_that_the_model_cannot_write_is_refused(stop_token):
    model, prompt = tiny(), ids(1, 3)
    message = f"stop_token is {stop_token}, .*vocab_size is 23"
    with pytest.raises(ValueError, match=message):
        generate(model, prompt, 4, stop_token=stop_token)
    with pytest.raises(ValueError, match=message):
        beam_search(model, prompt, 4, 2, stop_token)
    with pytest.raises(ValueError, match=message):
        speculative_generate(model, model, prompt, 4, stop_token=stop_token)


@pytest.mark.parametrize("prompts", [[], [[1], []]])
def test_an_empty_prompt_cannot_be_padded(prompts):
    with pytest.raises(ValueError, match="each of at least one token"):
        left_pad(prompts)


def test_search_and_speculation_say_what_they_cannot_do():
    with pytest.raises(ValueError, match="prompt has 2 rows.*one prompt"):
        beam_search(tiny(), ids(2, 3), 4, 2)
    with pytest.raises(ValueError, match="n_beam is 0"):
        beam_search(tiny(), ids(1, 3), 4, 0)
    with pytest.raises(ValueError, match="n_draft is 0"):
        speculative_generate(tiny(), tiny(), ids(1, 3), 4, n_draft=0)
    with pytest.raises(ValueError, match="vocab_size of 23 and the draft of 9: .*same tokenizer"):
        speculative_generate(tiny(), tiny(vocab_size=9), ids(1, 3, vocab_size=9), 4)


@pytest.mark.parametrize("temperature", [0, 1.0])
@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
def test_logits_from_which_nothing_can_be_drawn_are_an_error_not_token_0(temperature, broken):
    logits = torch.stack([torch.zeros(5), torch.full((5,), broken)])
    with pytest.raises(FloatingPointError, match="weights that are not finite"):
        sample_next(logits, temperature)
    assert sample_next(torch.tensor([-torch.inf, 1.0, -torch.inf]), temperature) == 1
