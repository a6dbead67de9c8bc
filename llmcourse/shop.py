"""A shop's policy in twelve passages, and questions of its customers, a third without an answer.

Data card.  The shop does not exist.  Its policy and all questions were written by hand for this
book, in English, by one author who knew how the assistant would work: CC0.  No question stands in
both parts; both ask about the same passages.  Some of those without an answer lie near a passage
(a shop to visit, for the passage on opening hours), others far from all.  Thresholds and prompts
are chosen on the dev part only.  Good for: seeing what an assistant gets wrong.  Not good for:
saying how one would do in a real shop, where customers write at length, in anger, with mistakes,
and in other languages.
"""

import re
from typing import NamedTuple

POLICY = {
    "returns": "You may send anything back within 30 days of delivery, unused and in its box. Start"
    " the return on the page My Orders and print the label.",
    "postage": "Return postage costs 4 euros, which we take off the refund. It is free when we have"
    " sent you the wrong thing.",
    "refunds": "We pay the money back within 5 working days after your parcel has reached our"
    " warehouse, in the way in which you paid.",
    "damage": "If something arrives broken, write to us within 3 days and attach a photo. We send a"
    " new one at once, and you may throw the broken one away.",
    "delivery": "Parcels leave on the next working day and take 2 to 4 days. Furniture comes by"
    " lorry within 2 weeks; the driver phones you the day before.",
    "cost": "Delivery costs 5 euros. It is free for orders above 50 euros.",
    "abroad": "We also deliver to France, Belgium and Ireland. This takes 8 days and costs 15"
    " euros.",
    "payment": "You can pay by card, by bank transfer or by invoice. An invoice must be paid within"
    " 14 days.",
    "cancelling": "An order can be cancelled free of charge until it leaves the warehouse, on the"
    " page My Orders. After that, please send it back as a return.",
    "warranty": "The warranty is 2 years for electrical goods and 6 years for furniture. Please"
    " keep the receipt.",
    "vouchers": "A gift voucher is valid for 3 years and can be used in several purchases. It"
    " cannot be exchanged for cash.",
    "hours": "We answer the phone from Monday to Friday, from 9 in the morning until 5 in the"
    " afternoon. Mails are answered within one working day.",
}


class Question(NamedTuple):
    """What a customer asks, the passage of the policy that answers it, and how to know an answer.

    `passage` is None for a question that the policy does not answer.  A right answer contains one
    of `facts`, as words of their own, letters small or large.  That is a rough measure: "No, not
    within 30 days" contains "30 days".
    """

    text: str
    passage: str | None = None
    facts: tuple[str, ...] = ()

    def answered_by(self, text: str) -> bool:
        """Does the text contain the fact that was asked for?"""
        return any(re.search(rf"\b{re.escape(fact)}\b", text, re.IGNORECASE) for fact in self.facts)


QUESTIONS = {
    "dev": (
        Question("How many days do I have to return a lamp?", "returns", ("30",)),
        Question("Where do I get a label for sending my rug back?", "returns", ("my orders",)),
        Question("Do I have to pay for posting a return?", "postage", ("4 euros",)),
        Question("How soon will my money be back?", "refunds", ("5 working days", "5 days")),
        Question("My vase came in pieces!", "damage", ("a photo", "a new one", "within 3 days")),
        Question("How long does a parcel take?", "delivery", ("2 to 4 days",)),
        Question("When will my sofa get here?", "delivery", ("2 weeks",)),
        Question("Is shipping free?",
                 "cost", ("above 50 euros", "over 50 euros", "costs 5 euros")),
        Question("Could you send a chair to Paris?",
                 "abroad", ("yes", "8 days", "15 euros", "we also deliver")),
        Question("Do you take Visa?", "payment", ("yes", "can pay by card")),
        Question("I ordered by mistake, how do I undo it?", "cancelling", ("my orders",)),
        Question("How long is a toaster guaranteed?", "warranty", ("2 years",)),
        Question("Can I turn a voucher into cash?", "vouchers", ("no", "cannot", "can't", "not")),
        Question("May I ring you on a Saturday?", "hours", ("no", "monday to friday")),
        Question("Does the rug come in green?"),
        Question("How heavy is the oak desk?"),
        Question("Are you looking for staff?"),
        Question("Can I change the password of my account?"),
        Question("Which kettle is the quietest?"),
        Question("My parcel 7012 has not come. Who has it?"),
        Question("Do you repair old chairs?"),
        Question("Have you got a showroom in Ghent?"),
        Question("Who owns your company?"),
        Question("Is there a discount for students?"),
    ),
    "test": (
        Question("Until when can I give back a kettle that I do not like?", "returns", ("30",)),
        Question("Does it have to be in the original packaging when I return it?",
                 "returns", ("yes", "in its box", "in the box")),
        Question("What does it cost me to send something back?", "postage", ("4 euros",)),
        Question("You sent me the wrong colour, must I pay to return it?",
                 "postage", ("free", "no")),
        Question("When do I get my money after a return?",
                 "refunds", ("5 working days", "5 days")),
        Question("I paid by card, how will you reimburse me?",
                 "refunds", ("to your card", "in which you paid")),
        Question("The mirror arrived with a crack, what now?",
                 "damage", ("a photo", "a new one", "within 3 days")),
        Question("Must I post the broken glass back to you?",
                 "damage", ("no", "throw", "need not", "do not", "don't")),
        Question("If I order today, how many days until the postman brings it?",
                 "delivery", ("2 to 4 days",)),
        Question("Will the driver let me know before he brings the wardrobe?",
                 "delivery", ("yes", "phones you", "the day before")),
        Question("From what sum on do I pay nothing for shipping?", "cost", ("50 euros",)),
        Question("How much is delivery for a small order?", "cost", ("5 euros",)),
        Question("I live in Dublin. Can I order from you?",
                 "abroad", ("yes", "8 days", "15 euros", "we also deliver")),
        Question("Is it possible to get a bill and pay later?",
                 "payment", ("yes", "by invoice", "14 days")),
        Question("How long do I have to settle an invoice?", "payment", ("14 days",)),
        Question("I changed my mind a minute after ordering.",
                 "cancelling", ("my orders", "can cancel", "be cancelled")),
        Question("My bookshelf broke after four years, am I covered?",
                 "warranty", ("yes", "6 years")),
        Question("How long is the guarantee on a coffee grinder?", "warranty", ("2 years",)),
        Question("When does the gift card that I got run out?", "vouchers", ("3 years",)),
        Question("At what time can I phone somebody?", "hours", ("9",)),
        Question("Is the blue kettle in stock?"),
        Question("How many watts does the toaster have?"),
        Question("Do you have a shop in Lisbon that I can visit?"),
        Question("Where is my parcel 4471?"),
        Question("How do I delete my account?"),
        Question("Will there be a sale at Christmas?"),
        Question("Is your wood from sustainable forests?"),
        Question("Can somebody come and put the wardrobe together?"),
        Question("Which lamp would you choose for a small kitchen?"),
        Question("What did the last customer before me buy?"),
    ),
}  # fmt: skip
