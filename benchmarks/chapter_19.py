"""Let SmolLM2 summarise the test articles of chapter 19, and see whether it still writes the same.

    python benchmarks/chapter_19.py            # compares with llmcourse/summaries.json
    python benchmarks/chapter_19.py --write    # writes a new one, to be marked by hand

Half a minute on one core.  Greedy: no seed is needed.  Another machine adds floats in another
order, which may turn a close choice of a word.
"""

import argparse
import json
from pathlib import Path

import torch

import llmcourse
from llmcourse.articles import ASK, articles, first_sentence
from llmcourse.generation import generate, left_pad
from llmcourse.pretrained import from_pretrained, pretrained_tokenizer

FILE = Path(llmcourse.__file__).with_name("summaries.json")


def written() -> list[str]:
    """The first sentence that SmolLM2 writes of each test article."""
    torch.set_num_threads(1)
    model = from_pretrained("smollm2-135m-instruct")
    tokenizer = pretrained_tokenizer("smollm2-135m-instruct")
    texts = [tokenizer.encode(ASK.format(article.text), "all") for article in articles("test")]
    prompt, mask = left_pad(texts)
    tokens = generate(model, prompt, 36, temperature=0, mask=mask, stop_token=2)
    rows = tokens[:, prompt.shape[1] :].tolist()
    return [first_sentence(tokenizer.decode([i for i in row if i != 2])) for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="replace summaries.json, unmarked")
    new = written()
    if parser.parse_args().write:
        rows = [{"summary": text, "faithful": None} for text in new]
        FILE.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    else:
        old = [row["summary"] for row in json.loads(FILE.read_text(encoding="utf-8"))]
        print(sum(a == b for a, b in zip(new, old)), "of", len(old), "are the same")


if __name__ == "__main__":
    main()
