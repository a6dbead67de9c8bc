"""Mails to a shop, made from our own templates, with the answer that a clerk would file.

Which team a mail goes to takes reading; its order number only has to be found.  The templates and
words of the held-out part occur in no mail of the training part.  Text and templates: CC0.
"""

import json
import random
from typing import NamedTuple

TEAMS = ("billing", "delivery", "returns", "account")


class Mail(NamedTuple):
    """What a customer wrote, the team that has to answer, and the number of the order."""

    text: str
    team: str
    order: int

    @property
    def answer(self) -> str:
        """Team and order as JSON."""
        return json.dumps({"team": self.team, "order": self.order})


def mails(n: int, part: str = "train", seed: int = 0) -> list[Mail]:
    """`n` mails, drawn at random; the same for the same seed.

    Args:
        part: "train" or "held out".

    Raises:
        ValueError: for another part, or fewer than one mail.
    """
    if part not in _TEXTS:
        raise ValueError(f"part is {part!r}: choose 'train' or 'held out'")
    if n < 1:
        raise ValueError(f"n is {n}: ask for at least one mail")
    draw, result = random.Random(seed), []
    for _ in range(n):
        team, order = draw.choice(TEAMS), draw.randrange(1000, 10000)
        text = draw.choice(_TEXTS[part][team]).format(
            n=order, item=draw.choice(_ITEMS[part]), day=draw.choice(_DAYS[part])
        )
        result.append(Mail(f"{text} {draw.choice(_CLOSINGS[part])}".strip(), team, order))
    return result


_ITEMS = {
    "train": [
        "kettle", "lamp", "desk chair", "rug", "bookshelf", "toaster", "mirror", "garden hose"
    ],
    "held out": ["vacuum cleaner", "blanket", "coffee grinder", "bicycle pump"],
}  # fmt: skip
_DAYS = {
    "train": ["Monday", "Tuesday", "Friday", "last week"],
    "held out": ["Wednesday", "Saturday", "the 3rd"],
}
_CLOSINGS = {
    "train": ["", "Thank you.", "No hurry.", "I need an answer today.", "Please hurry."],
    "held out": ["", "Take your time.", "I need this solved right now."],
}
_TEXTS = {
    "train": {
        "billing": [
            "I was charged twice for order {n}.",
            "The invoice for order {n} shows the wrong amount.",
            "Why was my card debited again for order {n}, the {item}?",
            "You billed me for a {item} that I paid on {day}, order {n}.",
            "Order {n}: the discount is missing from my bill.",
            "I need a receipt for order {n}, please.",
        ],
        "delivery": [
            "Order {n} has still not arrived.",
            "The courier left my {item} at the wrong house, order {n}.",
            "Where is my {item}? The number is {n}.",
            "Tracking for order {n} has not moved since {day}.",
            "The parcel {n} was due on {day} and nobody came.",
            "When will the {item} from order {n} get here?",
        ],
        "returns": [
            "The {item} from order {n} came broken, I want to send it back.",
            "Order {n}: this {item} does not fit, can I exchange it?",
            "I would like to return order {n}.",
            "My {item} stopped working on {day}, order {n}, I want my money back.",
            "How do I send back the {item} of order {n}?",
            "Please swap the {item} in order {n} for a smaller one.",
        ],
        "account": [
            "I cannot log in to see order {n}.",
            "Please change the e-mail address on order {n}.",
            "My password does not work, I wanted to look at order {n}.",
            "Delete my account after order {n}, please.",
            "My name is spelt wrongly in the profile, see order {n}.",
            "The site locked me out on {day} while I looked up order {n}.",
        ],
    },
    "held out": {
        "billing": [
            "My statement lists order {n} two times.",
            "You took too much money for the {item}, order {n}.",
            "The price on the bill of order {n} is not what I agreed to on {day}.",
        ],
        "delivery": [
            "I have been waiting for order {n} since {day}.",
            "The driver never rang, and my {item} is gone, order {n}.",
            "Has order {n} been shipped yet?",
        ],
        "returns": [
            "The {item} in order {n} is the wrong colour, I do not want it.",
            "Order {n} arrived with a crack in the {item}, please replace it.",
            "I changed my mind about the {item}, order {n}, and will post it back.",
        ],
        "account": [
            "I forgot my login and cannot open order {n}.",
            "How can I update my phone number? I am the buyer of order {n}.",
            "Since {day} the app signs me out when I tap on order {n}.",
        ],
    },
}
