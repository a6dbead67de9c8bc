"""Chat with SmolLM2: turns and their marks, a memory that fits the window, and an assistant that
answers customers from a shop's policy, or hands over to a person.

The policy and the questions are in `llmcourse.shop`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from llmcourse.generation import generate
from llmcourse.retrieval import VectorIndex
from llmcourse.shop import POLICY
from llmcourse.shop import QUESTIONS as QUESTIONS
from llmcourse.tokenizers import BPETokenizer

DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
INSTRUCTION = "You answer questions in one short sentence."
HANDOVER = "I do not know that. I pass you on to a colleague, who will answer you today."
THRESHOLD = 0.32  # chosen on the dev part of the questions

EXAMPLES = (  # of another house, without numbers: small models copy those into their answers
    (
        "Books can be renewed at the desk or by phone. Films cannot be renewed.",
        "I have not finished my novel, can I keep it?",
        "Yes, you can renew it at the desk or by phone.",
    ),
    (
        "Dogs are welcome in the garden, but not in the reading room.",
        "Can I bring my poodle inside?",
        "No, dogs are welcome in the garden only.",
    ),
    (
        "If you lose your card, bring your passport to the desk. We print a new one at once.",
        "My card is gone!",
        "Please bring your passport to the desk, and we print a new one at once.",
    ),
)


def render(messages: Sequence[Mapping[str, str]], open_turn: bool = True) -> str:
    """The text that SmolLM2 reads: each message between its marks, and room for the next.

    Args:
        messages: each with a "role" (system, user or assistant) and its "content".  Without a
            system message the model's own template puts DEFAULT_SYSTEM first, and so does this.
        open_turn: end with the opening of the assistant's turn.
    """
    text = "".join(
        f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in _turns(messages)
    )
    return text + "<|im_start|>assistant\n" * open_turn


def encode_chat(
    tokenizer: BPETokenizer, messages: Sequence[Mapping[str, str]], open_turn: bool = True
) -> list[int]:
    """The ids of `render(messages, open_turn)`, in which only our own marks are marks.

    What a customer types is encoded as ordinary text, even where it looks like a mark, so that
    nobody can close their turn and speak as the system.
    """
    start, end = (tokenizer.special_tokens[mark] for mark in ("<|im_start|>", "<|im_end|>"))
    newline, ids = tokenizer.encode("\n"), []
    for role, content in _turns(messages):
        ids += [start, *tokenizer.encode(f"{role}\n{content}"), end, *newline]
    return ids + [start, *tokenizer.encode("assistant\n")] * open_turn


def _turns(messages: Sequence[Mapping[str, str]]) -> list[tuple[str, str]]:
    turns = [(message["role"], message["content"]) for message in messages]
    for role, _ in turns:
        if role not in ("system", "user", "assistant"):
            raise ValueError(f"the role is {role!r}: choose 'system', 'user' or 'assistant'")
    if not turns or turns[0][0] != "system":
        turns.insert(0, ("system", DEFAULT_SYSTEM))
    return turns


class Chat:
    """A conversation that remembers as many of its latest turns as fit.

        chat = Chat(tokenizer, "You are a pirate.")
        chat.say("Who are you?")
        chat.reply(model)

    Args:
        system: what the model reads before all turns; it is never dropped.
        budget: how many tokens the model may read, system message and marks included.
    """

    def __init__(self, tokenizer: BPETokenizer, system: str = DEFAULT_SYSTEM, budget: int = 1024):
        self.tokenizer, self.budget = tokenizer, budget
        self.messages = [{"role": "system", "content": system}]

    def say(self, text: str) -> None:
        """Add a turn of the user."""
        self.messages.append({"role": "user", "content": text})

    def window(self) -> list[dict[str, str]]:
        """The system message and the latest turns that fit, from a turn of the user on.

        Raises:
            ValueError: when not even the last turn of the user fits.
        """
        starts = [i for i, message in enumerate(self.messages) if message["role"] == "user"]
        for start in starts:
            kept = [self.messages[0], *self.messages[start:]]
            if (n := len(encode_chat(self.tokenizer, kept))) <= self.budget:
                return kept
        if not starts:
            return self.messages[:1]
        raise ValueError(
            f"the system message and the last turn have {n} tokens, but the budget is "
            f"{self.budget}: shorten one of them or raise the budget"
        )

    def reply(self, model: nn.Module, max_new_tokens: int = 60, **options) -> str:
        """Let the model answer, and remember the answer.

        Args:
            max_new_tokens: where the answer is cut, if its turn has not ended before.
            options: for `generate`; by default greedy.
        """
        ids = encode_chat(self.tokenizer, self.window())
        text = complete_turn(model, self.tokenizer, ids, max_new_tokens, **options)
        self.messages.append({"role": "assistant", "content": text})
        return text


def complete_turn(
    model: nn.Module, tokenizer: BPETokenizer, ids: Sequence[int], max_new_tokens: int, **options
) -> str:
    """What the model says until it ends its turn, or until `max_new_tokens`."""
    end = tokenizer.special_tokens["<|im_end|>"]
    options = {"temperature": 0.0, "stop_token": end} | options
    row = generate(model, torch.tensor([ids]), max_new_tokens, **options)[0, len(ids) :].tolist()
    return tokenizer.decode(row[: row.index(end)] if end in row else row).strip()


class Answer(NamedTuple):
    """What the customer reads, where it comes from, and how near the passage was (a cosine)."""

    text: str
    passage_id: str | None
    handed_over: bool
    score: float


class Assistant:
    """Answers a question from the passage of a policy that lies nearest, or hands over.

        smol = "smollm2-135m-instruct"
        model, tokenizer = from_pretrained(smol), pretrained_tokenizer(smol)
        Assistant(model, tokenizer, SentenceEncoder()).answer("Is shipping free?")

    Args:
        encoder: texts to vectors of length 1, (n, d_model).
        passages: id to text.
        threshold: below this cosine between question and passage a person takes over.
        instruction, examples: what the model reads first; an example is a passage, a question and
            the answer to it.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: BPETokenizer,
        encoder: Callable[[Sequence[str]], Tensor],
        passages: Mapping[str, str] = POLICY,
        threshold: float = THRESHOLD,
        instruction: str = INSTRUCTION,
        examples: Sequence[tuple[str, str, str]] = EXAMPLES,
        max_new_tokens: int = 40,
    ):
        self.model, self.tokenizer, self.encoder = model, tokenizer, encoder
        self.passages, self.threshold = dict(passages), threshold
        self.instruction, self.examples = instruction, tuple(examples)
        self.max_new_tokens = max_new_tokens
        self.index = VectorIndex(encoder(list(self.passages.values())))

    def find(self, question: str) -> tuple[str, float]:
        """The id of the passage nearest to the question, and their cosine."""
        scores, ids = self.index.search(self.encoder([question]), k=1)
        return list(self.passages)[int(ids)], float(scores)

    def prompt(self, question: str, passage: str) -> list[dict[str, str]]:
        """The messages that the model reads, given the question and the text of a passage."""
        messages = [{"role": "system", "content": self.instruction}]
        for its_passage, its_question, its_answer in self.examples:
            messages.append({"role": "user", "content": f"{its_passage}\n\n{its_question}"})
            messages.append({"role": "assistant", "content": its_answer})
        return [*messages, {"role": "user", "content": f"{passage}\n\n{question}"}]

    def answer(self, question: str) -> Answer:
        """An answer from the policy, or the handover to a person.

        Raises:
            ValueError: for an empty question.
        """
        if not question.strip():
            raise ValueError("question is empty: nobody has asked anything")
        passage_id, score = self.find(question)
        if score < self.threshold:
            return Answer(HANDOVER, None, True, score)
        ids = encode_chat(self.tokenizer, self.prompt(question, self.passages[passage_id]))
        text = complete_turn(self.model, self.tokenizer, ids, self.max_new_tokens)
        return Answer(text, passage_id, False, score)
