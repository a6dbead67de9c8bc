"""Time of greedy decoding, one sequence: ours and transformers with a cache, a plain GPT without.

    python benchmarks/decoding.py
    python benchmarks/decoding.py --size small --new 64 --repeats 3

Speed is relative to transformers.  The limit is memory: every new token reads all weights and all
keys and values so far, so the share of the limit is those bytes over the time, over the bandwidth
at which 256 MiB are summed in the same repeats.  (A small model's int8 weights stay in the cache of
the processor, which is faster.)
"""

import argparse

import numpy
import torch
from peers import huggingface as huggingface_gpt
from peers import interleaved, ours, plain_gpt, spread

from llmcourse.device import device
from llmcourse.generation import generate
from llmcourse.gpt import GPT, PRESETS, GPTConfig
from llmcourse.quantization import quantize_int8
from llmcourse.scaling import count_parameters, kv_cache_bytes, matmul_parameters

SIZES = {
    "small": GPTConfig(vocab_size=4096, context_length=256, n_layer=6, n_head=6, d_model=384),
    "gpt2": PRESETS["gpt2"],
}


def plain(config: GPTConfig, prompt, new: int):
    model = plain_gpt(config)[0].to(device()).eval()

    @torch.no_grad()
    def write():
        tokens = prompt
        for _ in range(new):
            tokens = torch.cat((tokens, model(tokens).argmax(-1)), dim=1)
        return tokens

    return write


def llmcourse(config: GPTConfig, prompt, new: int, prepare=GPT.for_decoding, use_cache=True):
    model = prepare(ours(config)[0].to(device()).eval())
    return lambda: generate(model, prompt, new, temperature=0, use_cache=use_cache)


def huggingface(config: GPTConfig, prompt, new: int):
    model = huggingface_gpt(config)[0].to(device()).eval()
    mask = torch.ones_like(prompt)
    options = dict(max_new_tokens=new, min_new_tokens=new, do_sample=False, pad_token_id=0)
    return lambda: model.generate(prompt, attention_mask=mask, **options)


PEERS = {
    "transformers": huggingface,
    "llmcourse": llmcourse,
    "llmcourse, int8": lambda *given: llmcourse(*given, prepare=quantize_int8),
    "llmcourse, as trained": lambda *given: llmcourse(*given, prepare=lambda model: model),
    "llmcourse, no cache": lambda *given: llmcourse(*given, use_cache=False),
    "plain GPT, no cache": plain,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=list(PEERS))
    for name, default in dict(repeats=9, prompt=16, new=128).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--cpu-seconds", action="store_true", help="see peers.interleaved")
    given = parser.parse_args()

    matrix = torch.randn(2**13, 2**13, device=device())
    print(f"batch 1, prompt of {given.prompt}, {given.new} new tokens, float32, on {device()}")
    for size in given.size:
        config = SIZES[size]
        torch.manual_seed(0)
        prompt = torch.randint(config.vocab_size, (1, given.prompt), device=device())
        contestants = {name: PEERS[name](config, prompt, given.new) for name in given.peers}
        for name, write in contestants.items():
            length = write().shape[1]
            if length != given.prompt + given.new:
                raise RuntimeError(f"{name} wrote {length - given.prompt} tokens, not {given.new}")
        contestants["limit"] = lambda: matrix.sum()
        seconds = interleaved(contestants, given.repeats, device(), given.cpu_seconds)

        cache = kv_cache_bytes(config, time=given.prompt + given.new // 2)  # on average
        weights = matmul_parameters(config)
        bandwidth = matrix.nbytes / seconds["limit"]
        print(f"\n{size}: {count_parameters(config) / 1e6:.1f}M parameters; medians of ", end="")
        print(f"{given.repeats} (quartiles); memory {numpy.median(bandwidth) / 1e9:.0f} GB/s")
        print(f"{'':20} {'tokens/s':>9} {'speed':>18} {'of limit':>9}")
        for name in given.peers:
            times = seconds[name]
            traffic = given.new * (weights * (1 if "int8" in name else 4) + cache)
            share = numpy.median(traffic / times / bandwidth)
            share = "" if "no cache" in name else f"{share:.0%}"  # they read far more than that
            ratio = spread(seconds[given.peers[0]] / times)
            print(f"{name:20} {given.new / numpy.median(times):9.1f} {ratio:>18} {share:>9}")


if __name__ == "__main__":
    main()
