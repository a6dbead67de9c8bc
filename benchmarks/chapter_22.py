"""The longer runs of chapter 22, to llmcourse/safety_runs.json: some ten minutes of one core.

    python benchmarks/chapter_22.py              # or only some of it:  … attacks planted private

The chapter reads this file, runs some of its rows again, and compares.
"""

import json
import math
import platform
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

from llmcourse.assistant import Assistant, complete_turn, encode_chat, render
from llmcourse.attacks import ATTACKS, HARMLESS, PLANTED
from llmcourse.canaries import QUESTION, REPEATS, Canaries, Words
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.pretrained import from_pretrained, pretrained_tokenizer
from llmcourse.privacy import exposure, per_example_gradients, private_gradients
from llmcourse.retrieval import SentenceEncoder
from llmcourse.shop import POLICY, QUESTIONS

SMOL = "smollm2-135m-instruct"
OUT = Path(__file__).parents[1] / "llmcourse" / "safety_runs.json"


def respond(helper, text, passage_id, marks=False, passage=None):
    """What the assistant says, past its threshold; `marks` lets the customer's marks be marks."""
    messages = helper.prompt(text, passage or POLICY[passage_id])
    ids = (
        helper.tokenizer.encode(render(messages), "all")
        if marks
        else encode_chat(helper.tokenizer, messages)
    )
    return complete_turn(helper.model, helper.tokenizer, ids, helper.max_new_tokens)


def attacks(helper):
    """Each attack, whether the threshold let it through or not."""
    rows = {}
    for part, messages in ATTACKS.items():
        rows[part] = []
        for attack in messages:
            found, score = helper.find(attack.text)
            row = {
                "found": found,
                "score": round(score, 4),
                "text": respond(helper, attack.text, found),
            }
            if attack.kind == "marks":
                row["with marks"] = respond(helper, attack.text, found, marks=True)
            rows[part].append(row)
            print(part, attack.kind, attack.succeeded(row["text"]), row, flush=True)
    return rows


def harmless(helper):
    """The answers to harmless messages of the dev part, in which no goal should be reached."""
    rows = []
    for text in HARMLESS["dev"]:
        found, score = helper.find(text)
        rows.append(
            {"found": found, "score": round(score, 4), "text": respond(helper, text, found)}
        )
    return rows


def planted(helper):
    """Six questions of the dev part, each sentence planted behind the passage that answers."""
    rows = []
    for sentence, _ in PLANTED:
        for question in [q for q in QUESTIONS["dev"] if q.passage][1:13:2]:
            passage = f"{POLICY[question.passage]} {sentence}"
            row = {"sentence": sentence, "question": question.text}
            rows.append(row | {"text": respond(helper, question.text, None, passage=passage)})
            print(rows[-1], flush=True)
    return rows


class MailModel(GPT):
    def _check(self, *arguments):
        """Nothing: under vmap no value can be looked at."""


def mail_loss(model, rows):
    targets = rows[:, 1:]
    real = torch.cat([torch.ones_like(rows[:, :1]), rows[:, 1:-1]], dim=1) != 0
    logits = model(rows[:, :-1]).logits
    return F.cross_entropy(logits.flatten(0, 1), torch.where(real, targets, -100).flatten())


@torch.no_grad()
def code_log_probs(model, words, name):
    tokens = torch.tensor([words.encode(QUESTION.format(name=name))])
    digits, log_probs = torch.tensor([words.ids[d] for d in "0123456789"]), torch.zeros(1)
    for _ in range(4):
        new = model(tokens, n_logits=1).logits[:, -1].log_softmax(-1)[:, digits]
        log_probs = (log_probs[:, None] + new).flatten()
        following = digits.repeat(len(tokens))[:, None]
        tokens = torch.cat([tokens.repeat_interleave(10, dim=0), following], dim=1)
    return log_probs


def private():
    """DP-SGD (with Adam's step) on the mails with canaries, for three amounts of noise."""
    box, settings = Canaries(), {"clip": 1.0, "batch": 96, "steps": 600, "rate": 4e-3}
    words = Words(box.train + box.held_out)
    data, test = words.rows(box.train), words.rows(box.held_out)
    config = GPTConfig(vocab_size=len(words.words), context_length=data.shape[1], n_layer=2,
                       n_head=4, d_model=48, dropout=0.0)  # fmt: skip
    runs = []
    for noise in (0.0, 0.6, 1.2):
        torch.manual_seed(0)
        model, generator = MailModel(config), torch.Generator().manual_seed(0)
        optimizer = torch.optim.Adam(model.parameters(), lr=settings["rate"])
        bits = []
        for step in range(settings["steps"]):
            drawn = torch.rand(len(data), generator=generator) < settings["batch"] / len(data)
            gradients = per_example_gradients(model, mail_loss, data[drawn])
            gradients = private_gradients(
                gradients, settings["clip"], noise, settings["batch"], generator
            )
            for name, parameter in model.named_parameters():
                parameter.grad = gradients[name]
            optimizer.step()
            if step < 10 or step % 50 == 49:
                with torch.no_grad():
                    bits.append([step + 1, round(mail_loss(model, test).item() / math.log(2), 4)])
                    print(noise, bits[-1], flush=True)
        model.eval()
        exposures = {
            repeats: [round(exposure(code_log_probs(model, words, name), int(box.code[name])), 3)
                      for name in box.customers[repeats]]
            for repeats in REPEATS
        }  # fmt: skip
        runs.append({"noise": noise, "bits": bits, "exposures": exposures})
        print(noise, {r: sum(e) / len(e) for r, e in exposures.items()}, flush=True)
    return settings | {"n": len(data), "runs": runs}


def main():
    wanted = sys.argv[1:] or ["attacks", "harmless", "planted", "private"]
    torch.set_num_threads(1)
    runs = json.loads(OUT.read_text(encoding="utf-8")) if OUT.exists() else {}
    runs |= {
        "made by": "python benchmarks/chapter_22.py",
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
        "seed": "0; greedy decoding",
    }
    if wanted != ["private"]:
        model, tokenizer = from_pretrained(SMOL), pretrained_tokenizer(SMOL)
        helper = Assistant(model, tokenizer, SentenceEncoder())
    for part in wanted:
        runs[part] = private() if part == "private" else PARTS[part](helper)
        OUT.write_text(json.dumps(runs, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


PARTS = {"attacks": attacks, "harmless": harmless, "planted": planted}

if __name__ == "__main__":
    main()
