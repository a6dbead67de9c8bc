"""Short texts about people of no place in particular, with questions and the answers in the text.

Data card.  Made from templates written by hand for this book, in English: CC0.  A text has two to
four sentences, several often of the same kind, so that the kind of a word does not give the answer
away; a question is worded otherwise than its sentence where that could be done.  A quarter of the
questions have no answer in their text; half of those are about somebody or something that a
sentence of the same kind could have told of.  Good for: teaching a model to point at an answer.
Not good for: measuring how well it does, since real questions are not made from templates.
"""

import random
import re
from typing import NamedTuple


class Reading(NamedTuple):
    """A question, a text, and the characters of the text that answer, `text[start:end]`.

    Without an answer in the text, start and end are None.
    """

    question: str
    text: str
    start: int | None
    end: int | None

    @property
    def answer(self) -> str:
        return "" if self.start is None else self.text[self.start : self.end]


def readings(n: int, seed: int = 0, unanswerable: float = 0.25) -> list[Reading]:
    """`n` questions with a text each, drawn at random; the same for the same seed.

    Raises:
        ValueError: for fewer than one, or a share that is not between 0 and 1.
    """
    if n < 1:
        raise ValueError(f"n is {n}: ask for at least one reading")
    if not 0 <= unanswerable <= 1:
        raise ValueError(f"unanswerable is {unanswerable}: it is a share, choose 0 to 1")
    draw = random.Random(seed)
    return [_reading(draw, draw.random() < unanswerable) for _ in range(n)]


def _reading(draw: random.Random, without_answer: bool) -> Reading:
    form = draw.randrange(len(_FORMS))
    same = draw.random() < 0.5  # another sentence of the same kind, with other names
    asked = _FORMS[form][1]
    if same or without_answer:  # "Who telephoned?" would have an answer, or two
        asked = [(question, slot) for question, slot in asked if "{" in question]
    question, slot = draw.choice(asked)
    used: dict[str, set] = {}
    fact = _fill(draw, form, used)
    others = [form] * same + draw.choices(range(len(_FORMS)), k=draw.randint(1, 3 - same))
    told = [(other, _fill(draw, other, used)) for other in others]
    if not without_answer:
        told.append((form, fact))
    elif draw.random() < 0.5 or not (others := _other_places(form, question)):
        told.append((form, _fill(draw, form, used)))  # it is told of another one of a kind
    else:  # something else is told of what the question names
        its_slot, other, other_slot = draw.choice(others)
        told.append((other, _fill(draw, other, used) | {other_slot: fact[its_slot]}))
    draw.shuffle(told)
    text, start, end = "", None, None
    for its_form, its_fact in told:
        text += " " if text else ""
        for piece in re.split(r"(\{\w+\})", draw.choice(_FORMS[its_form][0])):
            word = its_fact[piece[1:-1]] if piece.startswith("{") else piece
            if text == "" or text.endswith(". "):
                word = word[:1].upper() + word[1:]
            if its_fact is fact and piece == f"{{{slot}}}":
                start, end = len(text), len(text) + len(word)
            text += word
    question = question.format(**fact)
    return Reading(question[0].upper() + question[1:], text, start, end)


def _other_places(form: int, question: str) -> list[tuple[str, int, str]]:
    """Slots of the question, and other forms with a slot of theirs into which the word fits."""
    return [
        (slot, other, other_slot)
        for slot in re.findall(r"\{(\w+)\}", question)
        for other, (sentences, _) in enumerate(_FORMS)
        for other_slot in re.findall(r"\{(\w+)\}", sentences[0])
        if other != form and other_slot.rstrip("2") == slot.rstrip("2")
    ]


def _fill(draw: random.Random, form: int, used: dict[str, set]) -> dict[str, str]:
    """Words for the slots of a form, none of them used in this text before."""
    slots = set(re.findall(r"\{(\w+)\}", " ".join(_FORMS[form][0])))
    fact = {}
    for slot in sorted(slots):
        kind = slot.rstrip("2")
        taken = used.setdefault(kind, set())
        fact[slot] = draw.choice([word for word in _WORDS[kind] if word not in taken])
        taken.add(fact[slot])
    return fact


def _listed(text: str) -> tuple[str, ...]:
    return tuple(" ".join(text.split()).split(", "))


_FIRST = _listed(
    "Anna, Boris, Carla, David, Elena, Felix, Greta, Hugo, Irma, Jonas, Kira, Lars, Mina, Nils, "
    "Olga, Peter, Rosa, Simon, Tilda, Victor, Wanda, Yusuf"
)
_LAST = _listed("Adler, Bloom, Costa, Dahl, Engel, Frost, Graf, Hale, Ivers, Kern, Lund, Moss")
_WORDS = {
    "person": _FIRST
    + tuple(f"{a} {b}" for i, a in enumerate(_FIRST) for b in (_LAST[i % 12], _LAST[i * 5 % 12]))
    + tuple(f"{title} {name}" for title in ("Mr", "Mrs", "Dr") for name in _LAST[::2]),
    "colour": _listed("red, green, yellow, grey, brown, pink, dark blue, black and white, orange"),
    "place": _listed(
        "the mill, the station, the school, the old bridge, the library, the market hall, the "
        "town hall, the forest, the lake, the bakery, the tower, the castle, Long Street, King "
        "Square, the north gate, the hotel, the brewery, the chapel, Hill Road, the garden"
    ),
    "day": _listed(
        "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday, the first of May, New "
        "Year's Eve, the last day of August"
    ),
    "time": _listed(
        "six, seven in the morning, half past eight, ten o'clock, midnight, two in the afternoon, "
        "quarter to five, eleven, sunset, dawn, 7:30, 4 p.m."
    ),
    "money": _listed(
        "two euros, 15 euros, forty dollars, 300 dollars, a thousand pounds, sixty cents, 9.50 "
        "euros, twelve pounds, a penny, 85 francs"
    ),
    "number": _listed("three, five, seven, eleven, twenty, 36, 48, about fifty, 120, two hundred"),
    "year": _listed("1703, 1788, 1815, 1849, 1866, 1893, 1911, 1934, 1952, 1977, 1996, 2008"),
    "span": _listed(
        "ten minutes, two hours, a whole day, three weeks, four months, half a year, nine years, "
        "a quarter of an hour, six days"
    ),
    "thing": _listed(
        "a bicycle, a piano, a silver spoon, a tent, a sewing machine, a globe, a camera, a map, a "
        "drum, a wooden horse, a telescope, a mirror, an umbrella, a suitcase, a chess set"
    ),
    "animal": _listed(
        "goats, bees, a parrot, ducks, a donkey, rabbits, two greyhounds, pigeons, a tortoise, cows"
    ),
    "food": _listed(
        "onion soup, plum cake, rye bread, goat cheese, pancakes, smoked trout, lentil stew, apple "
        "pie, dumplings, mushroom rice, honey biscuits, pea soup"
    ),
    "job": _listed(
        "a baker, a nurse, a carpenter, a lawyer, a tailor, a judge, a painter, a mechanic, a "
        "gardener, a teacher, a postman, a dentist"
    ),
    "stuff": _listed("oak, brick, copper, clay, iron, glass, marble, straw, leather, granite"),
    "why": _listed(
        "the roof leaks, the road is flooded, the owner is ill, the heating broke, too few people "
        "came, the key was lost, the river froze, the new floor is drying, the licence ran out"
    ),
    "topic": _listed(
        "old coins, wild flowers, the stars, Roman roads, whales, volcanoes, mushrooms, trains, "
        "the northern lights, medieval music, spiders"
    ),
    "building": _listed(
        "the swimming pool, the theatre, the post office, the sports hall, the cinema, the museum, "
        "the hospital, the youth club, the railway bridge, the concert hall, the old prison"
    ),
    "town": _listed("Arden, Belmont, Corwen, Dalby, Elsing, Farrow, Gerby, Holt, Ivybridge, Kelso"),
    "plant": _listed("roses, tomatoes, potatoes, tulips, leeks, pears, vines, barley, cabbages"),
}  # fmt: skip

_FORMS = [
    (
        [line.removeprefix("/ ") for line in block.split("\n") if " > " not in line],
        [tuple(line.rsplit(" > ", 1)) for line in block.split("\n") if " > " in line],
    )
    for block in """
{person} lives in the {colour} house beside {place}.
/ The {colour} house next to {place} belongs to {person}.
Who has a home near {place}? > person
What colour is the house of {person}? > colour
Where is {person}'s home? > place

{building} opens at {time} and closes on {day}.
/ On {day} {building} stays shut; otherwise it opens at {time}.
When can one go into {building}? > time
On which day is {building} closed? > day
From what time is {building} open? > time

{building} was built in {year} from {stuff}.
/ Made of {stuff}, {building} dates from {year}.
How old is {building}? > year
When did they put up {building}? > year
What is {building} made of? > stuff
Which material was used for {building}? > stuff

A ticket for {building} costs {money}; children pay {money2}.
/ To enter {building}, grown-ups pay {money} and children {money2}.
What does one pay to get into {building}? > money
How much is {building} for a child? > money2
What is the price for adults at {building}? > money

{person} gave {person2} {thing}.
/ {person2} was given {thing} by {person}.
What did {person2} get from {person}? > thing
Who received {thing}? > person2
From whom did {person2} have {thing}? > person

{person} sells {food} at {place} every {day}.
/ Every {day} one can buy {food} from {person} at {place}.
Who sells {food}? > person
Where does {person} have a stall? > place
On what day can you buy {food}? > day
What can I buy from {person}? > food

The bus to {town} leaves at {time} from {place}.
/ From {place} a bus goes to {town} at {time}.
When does the bus go to {town}? > time
Where do I catch the bus to {town}? > place
How late may I be for the coach to {town}? > time

{person} is {job} and comes from {town}.
/ {job}, {person} was born in {town}.
What is {person}'s profession? > job
What work does {person} do? > job
Where did {person} grow up? > town
Which town is {person} from? > town

{person} keeps {animal} behind {place}.
/ Behind {place}, {person} looks after {animal}.
Who has {animal}? > person
What pets does {person} own? > animal
Where are {animal} kept? > place

{building} is closed because {why}.
/ Since {why}, nobody can use {building}.
Why is {building} shut? > why
What is the reason that {building} cannot be visited? > why
What has been closed? > building

It takes {span} to walk from {place} to {place2}.
/ On foot, {place2} is {span} away from {place}.
How long is the walk between {place} and {place2}? > span
How much time does one need from {place} to {place2}? > span

{person} repaired {thing} in {span}.
/ In {span}, {person} had mended {thing}.
Who fixed {thing}? > person
How long did it take to mend {thing}? > span
What did {person} repair? > thing

{person} found {thing} under {place}.
/ Under {place} lay {thing}, until {person} came by.
Where was {thing} hidden? > place
Who discovered {thing}? > person
What was lying under {place}? > thing

{person} gives talks about {topic} on {day}.
/ On {day}, {person} tells everybody about {topic}.
What does {person} know a lot about? > topic
When can I hear something about {topic}? > day
Who is an expert on {topic}? > person

{number} people work at {building}, and their head is {person}.
/ With {number} people, {person} runs {building}.
Who is in charge of {building}? > person
How many employees has {building}? > number
What does {person} manage? > building

{person} grows {plant} near {place}.
/ Near {place} are the {plant} of {person}.
What does {person} plant? > plant
Who cultivates {plant}? > person
Where do {plant} grow? > place

The favourite dish of {person} is {food}; {person2} prefers {food2}.
/ {person} likes {food} best, and {person2} {food2}.
What does {person} like to eat? > food
What should I cook for {person2}? > food2
Who is fond of {food}? > person
Who loves {food2}? > person2

{person} paid {money} for {thing}.
/ {thing} cost {person} {money}.
What was the price of {thing}? > money
Who bought {thing}? > person
What did {person} buy? > thing
How much did {person} spend? > money

The key to {building} hangs in {place}; ask {person} for it.
/ {person} has hung the key to {building} in {place}.
How do I get into {building}, where is the key? > place
Who can let me into {building}? > person

The {colour} door leads to {building}, the {colour2} one to {place}.
/ Take the {colour} door for {building} and the {colour2} door for {place}.
Through which door does one reach {building}? > colour
Where does the {colour2} door lead? > place
Where do I get if I go through the {colour} door? > building

{person} waited {span} for {person2} at {place}.
/ At {place}, {person} stood for {span} until {person2} came.
How long did {person} have to wait? > span
Whom did {person} wait for? > person2
Where did {person} and {person2} meet? > place
Who was late? > person2

In {year}, {person} opened {building} with {number} guests.
/ {number} guests saw {person} open {building} in {year}.
Who founded {building}? > person
In what year was {building} inaugurated? > year
How many were invited to {building}? > number

{person} has lost {thing}, and offers {money} to whoever finds it.
/ Whoever brings {person} back {thing} gets {money}.
What is {person} looking for? > thing
What reward is paid for {thing}? > money
To whom does the missing {thing} belong? > person

{person} teaches {person2} about {topic} for {span} a week.
/ For {span} a week, {person2} learns about {topic} from {person}.
Who is the pupil of {person}? > person2
Who instructs {person2}? > person
What does {person2} study? > topic

Nobody may swim at {place} after {time}; the fine is {money}.
/ Swimming at {place} is forbidden after {time} and costs {money}.
Until when is one allowed in the water at {place}? > time
What is the punishment for bathing at {place}? > money
Where is swimming limited? > place

{person} moved from {town} to {town2} in {year}.
/ In {year}, {person} left {town} for {town2}.
Where did {person} live before? > town
Where does {person} live now? > town2
When did {person} change towns? > year

There are {number} chairs in {building} and {number2} in {place}.
/ {building} seats {number}, {place} {number2}.
How many people can sit in {building}? > number
How many seats are there in {place}? > number2

{person} rang {person2} at {time}, because {why}.
/ Because {why}, {person2} got a call from {person} at {time}.
Who telephoned? > person
When was {person2} called? > time
For what reason did {person} phone? > why
Who was called by {person}? > person2

The letter for {person} was left at {place} by {job}.
/ {job} brought a letter for {person} to {place}.
Who delivered the letter? > job
For whom is the letter? > person
Where is the mail for {person}? > place

{building} will be painted {colour} by {person}, before {day}.
/ Before {day}, {person} paints {building} {colour}.
Who is the painter of {building}? > person
What will be the colour of {building}? > colour
By when must {building} be finished? > day
""".strip().split("\n\n")
]  # fmt: skip
