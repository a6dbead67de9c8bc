"""What SmolLM2 says in chapter 17, to llmcourse/writing_runs.json: five minutes of one core.

    python benchmarks/chapter_17.py              # or only some of it:  … news stories

The chapter reads this file, runs some of its rows again, and compares.
"""

import json
import re
import sys
import time
from pathlib import Path

import torch

from llmcourse import seed_everything, writing
from llmcourse.assistant import Assistant, Chat, complete_turn, encode_chat
from llmcourse.first_stories import FIRST_STORIES
from llmcourse.generation import generate, left_pad
from llmcourse.pretrained import from_pretrained, pretrained_tokenizer
from llmcourse.retrieval import SentenceEncoder
from llmcourse.shop import POLICY, QUESTIONS

SMOL = "smollm2-135m-instruct"
OUT = Path(__file__).parents[1] / "llmcourse" / "writing_runs.json"
ONE_WORD = "Answer in one word."
DO_NOT_KNOW = "If you do not know the answer, or the thing does not exist, say: I do not know."

# Of the answers to the test questions, those that we have read and found right, with nothing false
# in them.  Where another machine gives another text, it counts as wrong until it has been read.
READ_AND_RIGHT = {
    "Yes, I can deliver to Dublin, and it costs 15 euros.",
    "Yes, it is possible to pay a bill and pay later.",
    "You can pay by card, by bank transfer, or by invoice within 14 days.",
    "The warranty is 2 years for electrical goods and 6 years for furniture.",
    "The gift card that you received is valid for 3 years and can be used in multiple purchases. It"
    " cannot be exchanged for cash.",
}

torch.set_num_threads(1)
model, tokenizer = from_pretrained(SMOL), pretrained_tokenizer(SMOL)
START, END = (tokenizer.special_tokens[t] for t in ("<|endoftext|>", "<|im_end|>"))


def turn(role, content):
    return {"role": role, "content": content}


def chats(all_messages, n, **options):
    """The replies to several conversations, greedy unless `options` say otherwise."""
    prompts, mask = left_pad([encode_chat(tokenizer, m) for m in all_messages], END)
    options = {"temperature": 0.0} | options
    rows = generate(model, prompts, n, mask=mask, stop_token=END, **options)
    rows = rows[:, prompts.shape[1] :].tolist()
    return [tokenizer.decode(r[: r.index(END)] if END in r else r).strip() for r in rows]


@torch.no_grad()
def log_p(before, after):
    """The log-probability of the ids `after`, in nats."""
    ids = torch.tensor([before + after])
    logits = model(ids, n_logits=len(after) + 1).logits[0, :-1]
    return logits.log_softmax(-1).gather(1, ids[0, -len(after) :, None]).sum().item()


def assistant():
    helper = Assistant(model, tokenizer, SentenceEncoder())
    rows = {}
    for part, questions in QUESTIONS.items():
        rows[part] = []
        for question in questions:
            found, score = helper.find(question.text)
            ids = encode_chat(tokenizer, helper.prompt(question.text, POLICY[found]))
            text = complete_turn(model, tokenizer, ids, helper.max_new_tokens)
            bare = [turn("system", helper.instruction), turn("user", question.text)]
            ids = encode_chat(tokenizer, bare)
            without = complete_turn(model, tokenizer, ids, helper.max_new_tokens)
            row = {"found": found, "score": round(score, 4), "text": text, "without": without}
            if part == "test":
                row["read"] = found == question.passage and text in READ_AND_RIGHT
            rows[part].append(row)
    return rows


def replies():
    def row(message):
        before = [START, *tokenizer.encode(f"A: {message.text}\nB:")]
        return [round(log_p(before, tokenizer.encode(f" {r}\n")), 3) for r in writing.REPLIES]

    return {part: [row(m) for m in messages] for part, messages in writing.MESSAGES.items()}


def stories():
    """For each story, per turn, the log-probabilities of both endings; and of the endings alone."""

    def row(text, endings):
        before = [START, *tokenizer.encode(text)]
        return [round(log_p(before, tokenizer.encode(f" {e}")), 3) for e in endings]

    return [
        {
            "told": [row(f"{s.text} {t}", s.endings) for t in s.turns],
            "alone": row("", s.endings),
        }
        for s in writing.STORIES
    ]


def first_stories():
    """For each story of the first set the log-probabilities of both endings, and of them alone."""

    def row(text, endings):
        before = [START, *tokenizer.encode(text)]
        return [round(log_p(before, tokenizer.encode(f" {e}")), 3) for e in endings]

    return [
        {"told": row(s.text, (s.ending, s.wrong)), "alone": row("", (s.ending, s.wrong))}
        for s in FIRST_STORIES
    ]


def memory():
    """Whether the name comes out on top, after some small talk; with four memories."""
    first = [tokenizer.encode(f" {name}")[0] for name in writing.NAMES]
    assert len(set(first)) == len(first)

    @torch.no_grad()
    def guess(messages):
        ids = encode_chat(tokenizer, messages) + tokenizer.encode("Your name is")
        return int(model(torch.tensor([ids]), n_logits=1).logits[0, -1, first].argmax())

    rows = {"all": [], "window": [], "note": [], "near": []}
    for kind in rows:
        for n_turns in (0, 2, 4, 6, 8):
            right = []
            for i, name in enumerate(writing.NAMES):
                note = f"The name of the user is {name}."
                system = note if kind == "note" else "You are helpful."
                chat = Chat(tokenizer, system, budget=1024 if kind == "all" else 120)
                chat.say(f"Hello! My name is {name}.")
                chat.messages.append(turn("assistant", "Nice to meet you."))
                for question, answer in writing.SMALL_TALK[:n_turns]:
                    chat.messages += [turn("user", question), turn("assistant", answer)]
                chat.say("What is my name?")
                sent = chat.window()
                if kind == "near":
                    sent.insert(-1, turn("system", note))
                right.append(int(guess(sent) == i))
            rows[kind].append({"turns": n_turns, "right": right})
    return rows


def obedience():
    questions = [question for question, _ in writing.KNOWN]
    shown = [turn("user", "What is the capital of Poland?"), turn("assistant", "Warsaw.")]
    ways = {
        "not asked": [[turn("user", q)] for q in questions],
        "system message": [[turn("system", ONE_WORD), turn("user", q)] for q in questions],
        "user's turn": [[turn("user", f"{q} {ONE_WORD}")] for q in questions],
        "one example": [[turn("system", ONE_WORD), *shown, turn("user", q)] for q in questions],
    }
    return {way: chats(conversations, 24) for way, conversations in ways.items()}


def invented():
    def ask(questions, *system):
        return chats(
            [[*(turn("system", s) for s in system), turn("user", q)] for q in questions], 24
        )

    known = [question for question, _ in writing.KNOWN]
    return {
        "known": ask(known),
        "known, warned": ask(known, DO_NOT_KNOW),
        "invented": ask(writing.INVENTED),
        "invented, warned": ask(writing.INVENTED, DO_NOT_KNOW),
    }


def news():
    asked = [
        [turn("user", f"Write a short news report, in three sentences, from these notes: {n.text}")]
        for n in writing.NEWS
    ]
    drawn = torch.Generator().manual_seed(17)
    options = {"temperature": 0.8, "top_p": 0.9, "generator": drawn}
    return {"greedy": chats(asked, 80), "drawn": [chats(asked, 80, **options) for _ in range(4)]}


def fiction():
    prompts = [[START, *tokenizer.encode(f"{s.text} {s.turns[0]}")] for s in writing.STORIES[:12]]
    tokens, mask = left_pad(prompts, END)
    ways = {"greedy": {"temperature": 0.0}, "drawn": {"temperature": 0.8, "top_p": 0.9}}
    result = {}
    for way, options in ways.items():
        options["generator"] = torch.Generator().manual_seed(17)
        rows = generate(model, tokens, 80, mask=mask, **options)[:, tokens.shape[1] :].tolist()
        rows = [r[: r.index(END)] if END in r else r for r in rows]
        result[way] = [tokenizer.decode(r) for r in rows]
    return result


if __name__ == "__main__":
    seed_everything(0)
    parts = (
        *(news, fiction, assistant, stories, first_stories),
        *(replies, memory, obedience, invented),
    )
    wanted = sys.argv[1:] or [part.__name__ for part in parts]
    runs = json.loads(OUT.read_text(encoding="utf-8")) if sys.argv[1:] else {}
    runs |= {
        "made by": "python benchmarks/chapter_17.py",
        "versions": {"torch": torch.__version__},
        "seed": 17,
    }
    for make in (part for part in parts if part.__name__ in wanted):
        start = time.process_time()
        runs[make.__name__] = make()
        print(f"{make.__name__}: {time.process_time() - start:.0f} s", flush=True)
        text = json.dumps(runs, indent=1, ensure_ascii=False)
        text = re.sub(r"\[\s+([^][{}\"]*?)\s+\]", lambda m: f"[{' '.join(m[1].split())}]", text)
        OUT.write_text(text + "\n", encoding="utf-8")
