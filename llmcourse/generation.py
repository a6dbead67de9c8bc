"""From probabilities to text: greedy, sampling, beam search and speculative decoding.

A model here is a `GPT`, or anything that is called and makes caches as it does.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def filter_logits(logits: Tensor, top_k: int | None = None, top_p: float | None = None) -> Tensor:
    """Set to -inf all but the likeliest tokens.

    With both, `top_p` is taken of what `top_k` leaves.

    Source: Fan et al., "Hierarchical Neural Story Generation", 2018, section 5.4, for `top_k`;
    Holtzman et al., "The Curious Case of Neural Text Degeneration", 2019, section 3.1, for `top_p`.

    Args:
        logits: (..., vocab_size)
        top_k: how many tokens stay; those as likely as the last of them stay too.
        top_p: the fewest tokens stay that together have at least this probability, above 0 to 1.

    Raises:
        ValueError: for a `top_k` below 1 or a `top_p` outside (0, 1].
    """
    _check_sampling(1.0, top_k, top_p)
    if top_k is not None:
        last = logits.topk(min(top_k, logits.shape[-1])).values[..., -1:]
        logits = logits.masked_fill(logits < last, -torch.inf)
    if top_p is not None and top_p < 1:
        ordered, order = logits.sort(dim=-1, descending=True)
        probabilities = ordered.softmax(-1, dtype=torch.float32)
        likelier = probabilities.cumsum(-1) - probabilities  # all before this one, together
        remove = torch.empty_like(order, dtype=torch.bool).scatter_(-1, order, likelier >= top_p)
        logits = logits.masked_fill(remove, -torch.inf)
    return logits


def sample_next(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw the next token of each sequence.

    Args:
        logits: (..., vocab_size)
        temperature: divides the logits: below 1 the likely tokens become likelier; 0 always takes
            the likeliest (greedy).
        top_k, top_p: see `filter_logits`; applied after the temperature.
        generator: on any device, fastest on that of the logits; by default PyTorch's own.

    Returns:
        Ids, of shape (...).

    Raises:
        ValueError: for a negative temperature, a `top_k` below 1 or a `top_p` outside (0, 1].
        FloatingPointError: on a CPU, for logits that are nan or infinite.
    """
    _check_sampling(temperature, top_k, top_p)
    # Only on a CPU, for on a GPU each token would have to wait for the answer.
    if logits.device.type == "cpu" and not logits.amax(-1).isfinite().all():
        raise FloatingPointError(
            "the logits of a row are nan, or hold no largest finite one, so that no token can be "
            "drawn: look for weights that are not finite, or compute in float32 or bfloat16"
        )
    if temperature == 0:
        return logits.argmax(-1)
    return _draw(_probabilities(logits, temperature, top_k, top_p), generator)


@torch.no_grad()
def generate(
    model: nn.Module,
    prompt: Tensor,
    max_new_tokens: int,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    num_return_sequences: int = 1,
    stop_token: int | None = None,
    generator: torch.Generator | None = None,
    use_cache: bool = True,
    mask: Tensor | None = None,
    repetition_penalty: float = 1.0,
) -> Tensor:
    """Continue each prompt, token by token.

    A single prompt on a CPU goes sooner after `model.for_decoding()`, or `quantize_int8(model)`.

    Args:
        prompt: ids, (batch, time).
        max_new_tokens: how many to add at most.
        temperature, top_k, top_p, generator: see `sample_next`.
        num_return_sequences: continuations of each prompt.
        stop_token: a sequence ends with it; what follows is filled with it, and when all sequences
            have ended nothing more is computed.
        use_cache: whether to keep keys and values of earlier tokens instead of computing them again
            for every new one: the same tokens, sooner.
        mask: for prompts of unequal length, as `left_pad` makes it, (batch, time).
        repetition_penalty: above 1, tokens that already occurred become less likely: their logit
            is divided by it where positive (Keskar et al., "CTRL", 2019, section 4.1) and, as the
            transformers library has it, multiplied by it where negative.

    Returns:
        Prompts and continuations, (batch * num_return_sequences, time + new), those of one prompt
        one below the other.

    Raises:
        ValueError: for an empty prompt, an id outside the vocabulary, more tokens than the model's
            context_length, and for options out of range.
    """
    prompt, mask = _check_prompt(model, prompt, max_new_tokens, stop_token, mask)
    _check_sampling(temperature, top_k, top_p)
    if num_return_sequences < 1 or repetition_penalty <= 0:
        raise ValueError(
            f"num_return_sequences is {num_return_sequences} and repetition_penalty is "
            f"{repetition_penalty}: choose 1 or more, and a number above 0"
        )
    prompt = prompt.repeat_interleave(num_return_sequences, dim=0)
    batch, time = prompt.shape
    tokens = torch.cat((prompt, prompt.new_zeros(batch, max_new_tokens)), dim=1)
    if mask is not None:
        mask = mask.repeat_interleave(num_return_sequences, dim=0)
        mask = F.pad(mask, (0, max_new_tokens), value=True)
    seen = None if repetition_penalty == 1 else _occurring(prompt, mask, model.config.vocab_size)
    ended = torch.zeros(batch, dtype=torch.bool, device=prompt.device)

    with evaluating(model), torch.inference_mode():
        cache = model.new_cache(batch, time + max_new_tokens) if use_cache else None
        for end in range(time, time + max_new_tokens):
            start = cache[0].length if use_cache else 0
            known = None if mask is None else mask[:, :end]
            logits = model(tokens[:, start:end], cache=cache, mask=known, n_logits=1).logits[:, -1]
            if seen is not None:
                strength = torch.where(logits > 0, 1 / repetition_penalty, repetition_penalty)
                logits = torch.where(seen, logits * strength, logits)
            new = sample_next(logits, temperature, top_k, top_p, generator)
            if stop_token is not None:
                new = new.masked_fill(ended, stop_token)
                ended = new == stop_token
            tokens[:, end] = new
            if seen is not None:
                seen.scatter_(1, new[:, None], True)
            if stop_token is not None and ended.all():  # the one place that waits for a GPU
                return tokens[:, : end + 1]
    return tokens


def left_pad(prompts: Sequence[Sequence[int]], pad_token: int = 0) -> tuple[Tensor, Tensor]:
    """Prompts of unequal length as one batch, padded on the left: all go on at the right end.

    Returns:
        `tokens` (batch, longest), and the `mask` for `generate`, True for real tokens.

    Raises:
        ValueError: when there are no prompts, or one is empty.
    """
    lengths = [len(prompt) for prompt in prompts]
    if not lengths or min(lengths) == 0:
        raise ValueError(
            f"prompts have lengths {lengths}: give one prompt or more, each of at least one token"
        )
    longest = max(lengths)
    rows = [torch.as_tensor(prompt, dtype=torch.int64) for prompt in prompts]
    tokens = [F.pad(row, (longest - len(row), 0), value=pad_token) for row in rows]
    masks = [F.pad(torch.ones_like(row, dtype=bool), (longest - len(row), 0)) for row in rows]
    return torch.stack(tokens), torch.stack(masks)


@torch.no_grad()
def beam_search(
    model: nn.Module,
    prompt: Tensor,
    max_new_tokens: int,
    n_beam: int,
    stop_token: int | None = None,
    length_penalty: float = 0.0,
    use_cache: bool = True,
) -> tuple[Tensor, Tensor]:
    """Look for the likeliest continuation, keeping the `n_beam` best beginnings at each step.

    Source: Freitag and Al-Onaizan, "Beam Search Strategies for Neural Machine Translation", 2017,
    section 3; Wu et al., "Google's Neural Machine Translation System", 2016, section 7, for why
    length matters.

    Args:
        prompt: ids, (1, time).
        stop_token: see `generate`; a text that has ended keeps its place among the best.
        length_penalty: texts are ranked at the end by their log-probability divided by
            `new_tokens ** length_penalty`; 0 prefers short texts, 1 takes the mean per token.

    Returns:
        Prompt and continuations, (n_beam, time + new), the best first, and their scores (n_beam,),
        natural logarithms; fewer rows when there are not so many texts.

    Raises:
        ValueError: as `generate`, and for a batch of prompts or an `n_beam` below 1.
    """
    tokens, _ = _check_prompt(model, prompt, max_new_tokens, stop_token)
    if len(tokens) != 1 or n_beam < 1:
        raise ValueError(
            f"prompt has {len(tokens)} rows and n_beam is {n_beam}: beam search continues one "
            "prompt, shape (1, time), and keeps 1 or more beams"
        )
    time, device = tokens.shape[1], tokens.device
    scores, lengths = torch.zeros(1, device=device), torch.zeros(1, device=device)
    ended = torch.zeros(1, dtype=torch.bool, device=device)

    with evaluating(model), torch.inference_mode():
        cache = model.new_cache(1, time + max_new_tokens) if use_cache else None
        for _ in range(max_new_tokens):
            start = cache[0].length if use_cache else 0
            logits = model(tokens[:, start:], cache=cache, n_logits=1).logits[:, -1]
            log_probabilities = logits.float().log_softmax(-1)
            if stop_token is not None:  # after the end only the stop token follows, at no cost
                log_probabilities[ended] = -torch.inf
                log_probabilities[ended, stop_token] = 0.0
            candidates = (scores[:, None] + log_probabilities).flatten()
            scores, best = candidates.topk(min(n_beam, len(candidates)))
            rows, new = best // logits.shape[-1], best % logits.shape[-1]
            tokens = torch.cat((tokens[rows], new[:, None]), dim=1)
            lengths = lengths[rows] + ~ended[rows]
            ended = ended[rows]
            if stop_token is not None:
                ended |= new == stop_token
                if ended.all():
                    break
            for layer_cache in cache or ():
                layer_cache.select(rows)
    scores = scores / lengths.clamp(min=1) ** length_penalty
    scores, order = scores.sort(descending=True)
    possible = scores > -torch.inf
    return tokens[order][possible], scores[possible]


@torch.no_grad()
def speculative_generate(
    model: nn.Module,
    draft: nn.Module,
    prompt: Tensor,
    max_new_tokens: int,
    n_draft: int = 4,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop_token: int | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """What `generate(model, …)` draws, from the same distribution, with fewer calls of `model`.

    A small model guesses the next `n_draft` tokens, and the large one judges them all in one call.
    A guess that the draft gave probability q and the model p is kept with probability
    `min(1, p / q)`; the first that is not is replaced by a draw from `max(0, p - q)`, and when all
    are kept the model adds one of its own.

    Source: Leviathan et al., "Fast Inference from Transformers via Speculative Decoding", 2023,
    algorithm 1.

    Args:
        draft: a faster model with the same vocabulary.
        prompt: ids, (1, time).
        n_draft: guesses per call of `model`.
        temperature, top_k, top_p, stop_token, generator: see `generate`; for both models.

    Returns:
        Prompt and continuation, (1, time + new).

    Raises:
        ValueError: as `generate`, and for a batch of prompts, an `n_draft` below 1, or models that
            differ in their vocabulary.
    """
    _check_sampling(temperature, top_k, top_p)
    for each in (model, draft):
        tokens, _ = _check_prompt(each, prompt, max_new_tokens, stop_token)
    vocab_sizes = model.config.vocab_size, draft.config.vocab_size
    if vocab_sizes[0] != vocab_sizes[1]:
        raise ValueError(
            f"the model has a vocab_size of {vocab_sizes[0]} and the draft of {vocab_sizes[1]}: "
            "choose a draft with the same tokenizer"
        )
    if len(tokens) != 1 or n_draft < 1:
        raise ValueError(
            f"prompt has {len(tokens)} rows and n_draft is {n_draft}: one prompt is continued, "
            "shape (1, time), with 1 or more guesses at a time"
        )
    end, options = tokens.shape[1] + max_new_tokens, (temperature, top_k, top_p)

    with evaluating(model, draft):
        caches = model.new_cache(1, end), draft.new_cache(1, end)
        while (known := tokens.shape[1]) < end:
            n_guess = min(n_draft, end - known - 1)  # the model itself adds the last one
            guessed, q = tokens, []
            for _ in range(n_guess):
                fresh = guessed[:, caches[1][0].length :]
                logits = draft(fresh, cache=caches[1], n_logits=1).logits[0]
                q.append(_probabilities(logits, *options))
                guessed = torch.cat((guessed, _draw(q[-1], generator)[None]), dim=1)
            fresh = guessed[:, caches[0][0].length :]
            logits = model(fresh, cache=caches[0], n_logits=n_guess + 1).logits[0]
            p = _probabilities(logits, *options)  # (n_guess + 1, vocab_size)
            q = torch.cat((*q, torch.zeros_like(p[:1])))  # the last is nobody's guess

            guesses = guessed[0, known:, None]
            chances = 1 - _random((n_guess, 1), p.device, generator)  # above 0, up to 1
            kept = chances * q[:-1].gather(1, guesses) <= p[:-1].gather(1, guesses)
            n_kept = int(kept.cumprod(0).sum())
            rest = (p[n_kept] - q[n_kept]).clamp(min=0)
            new = _draw(rest if rest.any() else p[n_kept], generator)
            tokens = torch.cat((guessed[:, : known + n_kept], new.view(1, 1)), dim=1)

            stops = (tokens[0, known:] == stop_token).nonzero() if stop_token is not None else ()
            if len(stops):
                return tokens[:, : known + int(stops[0]) + 1]
            for layer_cache in (*caches[0], *caches[1]):  # forget the guesses that were wrong
                layer_cache.length = min(layer_cache.length, tokens.shape[1] - 1)
    return tokens


# ------------------------------------------------------------------------------ drawing


def _probabilities(
    logits: Tensor, temperature: float, top_k: int | None, top_p: float | None
) -> Tensor:
    """The distribution that the next token is drawn from, float32, (..., vocab_size)."""
    if temperature == 0:
        return F.one_hot(logits.argmax(-1), logits.shape[-1]).float()
    logits = logits.float()
    logits = (logits - logits.amax(-1, keepdim=True)) / temperature  # no overflow, however cold
    return filter_logits(logits, top_k, top_p).softmax(-1)


def _draw(weights: Tensor, generator: torch.Generator | None) -> Tensor:
    """Indices into the last axis, drawn in proportion to weights that need not sum to 1.

    Among clocks that ring at rates p, the first to ring is i with probability p_i.  Unlike
    `torch.multinomial` this never waits for a GPU, and the generator may be on another device.
    """
    clocks = -_random(weights.shape, weights.device, generator).log()
    return (weights / clocks.clamp(max=20)).argmax(-1)  # the logarithm of a random 0 is infinite


def _random(shape: Sequence[int], device: torch.device, generator: torch.Generator | None):
    where = device if generator is None else generator.device
    # Only CUDA waits by itself for a copy that is under way.
    drawn = torch.rand(shape, device=where, generator=generator)
    return drawn.to(device, non_blocking=device.type == "cuda")


def _occurring(prompt: Tensor, mask: Tensor | None, vocab_size: int) -> Tensor:
    """Which tokens occur in each prompt, padding not counted: boolean, (batch, vocab_size)."""
    real = torch.ones_like(prompt) if mask is None else mask[:, : prompt.shape[1]].long()
    return prompt.new_zeros(len(prompt), vocab_size).scatter_add_(1, prompt, real) > 0


@contextmanager
def evaluating(*models: nn.Module) -> Iterator[None]:
    """Without dropout for a while; afterwards every module is as it was."""
    training = [module for model in models for module in model.modules() if module.training]
    for model in models:
        model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


# ------------------------------------------------------------------------------ bad input


def _check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    if not temperature >= 0:
        raise ValueError(
            f"temperature is {temperature}: choose 0 for the likeliest token, 1 for the model's "
            "own distribution, or any number above 0"
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k is {top_k}: keep 1 token or more, or None to keep all")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(
            f"top_p is {top_p}: it is a probability above 0, at most 1; None keeps all"
        )


def _check_prompt(
    model: nn.Module,
    prompt: Tensor,
    max_new_tokens: int,
    stop_token: int | None,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Prompt and mask on the model's device, if they are such that it can continue them."""
    if prompt.dim() != 2 or prompt.is_floating_point() or prompt.dtype == torch.bool:
        raise ValueError(
            f"prompt has shape {tuple(prompt.shape)} and dtype {prompt.dtype}, but it holds ids, "
            "shape (batch, time): a single one is prompt[None]"
        )
    batch, time = prompt.shape
    if prompt.numel() == 0:
        raise ValueError(
            f"prompt is empty, shape {(batch, time)}: give at least one token, such as the one "
            "that stands between documents"
        )
    context_length, vocab_size = model.config.context_length, model.config.vocab_size
    if max_new_tokens < 0 or time + max_new_tokens > context_length:
        raise ValueError(
            f"prompt has {time} tokens and max_new_tokens is {max_new_tokens}, but the model's "
            f"context_length is {context_length}: shorten the prompt or ask for 0 to "
            f"{max(0, context_length - time)} new tokens"
        )
    low, high = prompt.aminmax()
    if low < 0 or high >= vocab_size:
        raise ValueError(
            f"prompt contains the id {int(low if low < 0 else high)}, but the model's vocab_size "
            f"is {vocab_size}: use the tokenizer that it was trained with"
        )
    if stop_token is not None and not 0 <= stop_token < vocab_size:
        raise ValueError(
            f"stop_token is {stop_token}, but the model's vocab_size is {vocab_size}: no text "
            "would ever end with it"
        )
    device = next(model.parameters()).device
    if mask is None:
        return prompt.to(device, torch.int64), None
    if mask.shape != prompt.shape or mask.dtype != torch.bool:
        raise ValueError(
            f"mask has shape {tuple(mask.shape)} and dtype {mask.dtype}: it is boolean, True = a "
            f"real token, with the shape of the prompt, {(batch, time)}"
        )
    if not mask[:, -1].all() or (mask[:, :-1] & ~mask[:, 1:]).any():
        raise ValueError(
            "mask has padding after a real token, but all prompts go on at the right end: pad them "
            "on the left, with left_pad"
        )
    return prompt.to(device, torch.int64), None if mask.all() else mask.to(device)
