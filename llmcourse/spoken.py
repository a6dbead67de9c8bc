"""Sentences to be spoken, recordings of some of them, and what a recogniser heard: chapter 21.

- `SENTENCES`: 120 short sentences about nothing in particular, written by hand for this book, the
  first 40 for `dev` (weights are chosen on them), 80 for `test`.  American spelling, as the
  recogniser's dictionary has it; each word stands in that dictionary.  None was chosen or changed
  for what a recogniser made of it.
- `HOMOPHONES`: 40 sentences with a gap and two words that sound the same, of which the first fits.
  Twenty pairs, each both ways round, so that always taking the commoner word gives one half.
- `OPEN_HOMOPHONES`: 14 sentences with a gap into which both words fit, six of them names.
- `recordings()`: a machine's voice, no person's.  Flite 2.2 (Carnegie Mellon University) spoke the
  first 20 sentences of `test` with its voice rms, and two sentences with its voice awb; eSpeak NG
  spoke one sentence as a statement and as a question.  16 kHz, 8-bit mu-law.
- `heard(kind)`: what PocketSphinx 5.1.1 heard, with noise, of the 120 sentences and of 48 lines of
  the held-out King James text, Flite's voices rms and slt taking turns; made by
  `benchmarks/chapter_21.py`.  `spoken_runs()["twins"]`: the errors where rms says slt's sentences.

Not good for: measuring a recogniser of today, or how one fares with people.  A synthetic voice is
clean, always the same, and has one accent.

Rights: sentences, homophones and lists are ours, CC0.  In the recordings we claim nothing (CC0 as
well); what others might claim, as far as we have read:

- Flite's licence, of the BSD kind, is for the program with its voices, and says nothing of what
  they speak.  The voices awb, rms and slt bear the names of speakers of the CMU Arctic recordings,
  which are given out "as free software, without restriction on commercial or non-commercial use"
  (Kominek and Black, "CMU ARCTIC databases for speech synthesis", 2003, abstract).
- eSpeak NG is under the GPL, version 3 or later, whose section 2 covers a program's output only if
  the output's content is itself a covered work.  Its vowels are computed, some of its consonants
  are short recordings.  Nobody has told us whether that matters for two sentences; we think not.
"""

import gzip
import json
import re
from pathlib import Path
from typing import NamedTuple

import numpy

_FOLDER = Path(__file__).parent


class Recording(NamedTuple):
    """Sound at 16,000 samples a second, from -1 to 1, and the words that were spoken."""

    text: str
    voice: str
    samples: numpy.ndarray


class Guess(NamedTuple):
    """One entry of an n-best list, with natural log-probabilities.

    ear: how well the words explain the sound, up to a constant that a list shares.
    models: under each language model, by name, the log-probability of the words.
    """

    words: str
    ear: float
    models: dict[str, float]


class Heard(NamedTuple):
    """An utterance: what was said, the recogniser's first answer, and its list, best first."""

    text: str
    part: str
    voice: str
    first: str
    guesses: list[Guess]


def recordings() -> list[Recording]:
    """All 24: 20 test sentences (rms), two that sound alike (awb), two that differ in tone."""
    with numpy.load(_FOLDER / "spoken.npz") as stored:
        codes, ends = stored["codes"], stored["ends"]
        names = zip(stored["texts"].tolist(), stored["voices"].tolist(), strict=True)
    pieces = numpy.split(codes, ends[:-1])
    return [Recording(t, v, from_mu_law(c)) for (t, v), c in zip(names, pieces, strict=True)]


def to_mu_law(samples: numpy.ndarray) -> numpy.ndarray:
    """Samples from -1 to 1 in 8 bits each, finer where it is quiet (ITU-T G.711's curve)."""
    size = numpy.log1p(255 * numpy.abs(samples)) / numpy.log(256)
    return numpy.round(numpy.sign(samples) * size * 127).astype(numpy.int8)


def from_mu_law(codes: numpy.ndarray) -> numpy.ndarray:
    """The samples that `to_mu_law` stored, each within about 2% of its size."""
    size = numpy.abs(codes.astype(float)) / 127
    return numpy.sign(codes) * (256**size - 1) / 255


def heard(kind: str) -> list[Heard]:
    """N-best lists that were made with 28 decibels of white noise.

    Args:
        kind: "today", `SENTENCES`; or "1611", lines of the held-out King James text.

    Raises:
        ValueError: for another kind.
    """
    if kind not in ("today", "1611"):
        raise ValueError(f"kind is {kind!r}: choose 'today' or '1611'")
    stored = spoken_runs()
    names = stored["models"]
    return [
        Heard(
            row["text"], row["part"], row["voice"], row["first"],
            [Guess(words, ear, dict(zip(names, scores))) for words, ear, *scores in row["list"]],
        )
        for row in stored["heard"]
        if row["kind"] == kind
    ]  # fmt: skip


def written(words: str) -> str:
    """The words of a recogniser as a sentence on paper: "i see" becomes "I see."."""
    return re.sub(r"\bi\b", "I", words[:1].upper() + words[1:]) + "."


def spoken_runs() -> dict:
    """All that `benchmarks/chapter_21.py` measured: settings, lists, errors at each noise."""
    with gzip.open(_FOLDER / "spoken.json.gz", "rt", encoding="utf-8") as file:
        return json.load(file)


SENTENCES = {
    "dev": (
        "the train to the city leaves in five minutes",
        "she put the keys on the table by the door",
        "we had bread and cheese for lunch in the park",
        "my brother is learning to play the piano",
        "the doctor told him to stay in bed for a week",
        "it will rain in the north and stay dry in the south",
        "can you help me carry this box up the stairs",
        "the children ran across the field to the river",
        "he forgot to lock the car before he went home",
        "they painted the kitchen a very pale green",
        "our neighbors have two dogs and an old cat",
        "the museum is closed on the first monday of the month",
        "i would like a cup of tea without sugar",
        "the bridge was built more than a hundred years ago",
        "please send me the report before noon",
        "the teacher wrote three questions on the board",
        "a cold wind blew through the broken window",
        "she has been working at the bank since april",
        "there is no milk left in the fridge",
        "the boat turned slowly toward the harbor",
        "he read the whole book in a single night",
        "the shop around the corner sells fresh fish",
        "we watched the sun go down behind the hills",
        "nobody knew the answer to the last question",
        "the baby slept through the storm",
        "you should wear a warm coat today",
        "the meeting was moved from tuesday to thursday",
        "they found an old map under the floor",
        "the price of oil fell again this week",
        "my phone is dead and i cannot find the cable",
        "the farmer keeps his sheep on the high meadow",
        "she cut the apple into four pieces",
        "the plane was late because of the fog",
        "he bought a new pair of shoes for the wedding",
        "the lights went out in the middle of the film",
        "turn left at the church and walk straight on",
        "the soup needs a little more salt",
        "our team lost the game in the final minute",
        "i heard a strange noise in the cellar",
        "the judge asked the witness to speak louder",
    ),
    "test": (
        "the police closed the road after the accident",
        "we are going to the beach on sunday if it is warm",
        "the old man feeds the birds every morning",
        "her sister lives on a small island",
        "the cake was gone before i came home",
        "he broke his arm when he fell off the ladder",
        "the letter arrived two days too late",
        "they grow tomatoes and beans behind the house",
        "she could not remember the name of the street",
        "the room was full of people and smoke",
        "wait for me at the gate of the school",
        "the company will hire fifty new workers",
        "the snow was so deep that we had to stop",
        "i paid for the tickets with my own money",
        "the mayor promised to plant a thousand trees",
        "a man in a gray suit asked for you",
        "the kettle is on and the cups are clean",
        "he drove all night to see his mother",
        "the machine stops when you press this button",
        "we need a bigger table for the party",
        "the nurse gave the boy a glass of water",
        "there were not enough chairs for the guests",
        "the thief climbed over the garden wall",
        "she sang an old song about the sea",
        "the bus was so full that we had to stand",
        "his answer surprised all of us",
        "the river rose by two feet in one night",
        "i have never seen such a large spider",
        "the carpenter made a desk out of oak",
        "we waited an hour for a table",
        "the horse refused to jump over the fence",
        "put the flour and the butter in a bowl",
        "the moon is brighter than the lamp tonight",
        "they told the same story to everyone",
        "the dentist found a hole in my tooth",
        "he left his umbrella on the train again",
        "the library has a room for quiet work",
        "this key does not fit the lock",
        "the captain ordered the crew to lower the sails",
        "my grandmother was born on a farm",
        "the store will open again after the holidays",
        "a heavy truck blocked the narrow street",
        "the lake was frozen from shore to shore",
        "she wants to study law in another town",
        "the wine was cheap but it tasted good",
        "all the windows face the street",
        "he washed the dishes and she dried them",
        "the experiment failed for the third time",
        "we could see the tower from our room",
        "the sailors had nothing left to eat",
        "the road over the mountain is closed in winter",
        "it takes an hour to walk around the lake",
        "the singer lost her voice before the show",
        "a loud bang woke the whole house",
        "the factory makes paper out of old clothes",
        "your brother called while you were asleep",
        "the fire began in a pile of dry leaves",
        "he counts his money every evening",
        "the garden smells of roses and wet grass",
        "we sold the house and moved to the coast",
        "the pilot saw a light far below",
        "she hid the letter under her pillow",
        "the clock in the hall has stopped",
        "two of the eggs in the box were broken",
        "the new law will help people who rent",
        "he asked the waiter for the bill",
        "the path ends at the edge of the forest",
        "the city wants to build a tunnel under the bay",
        "i am afraid of heights and of deep water",
        "the boys threw stones into the pond",
        "the paint on the door is still wet",
        "they meet for coffee every other friday",
        "the hotel was cheaper than we thought",
        "his coat was torn and his hands were cold",
        "the bell rang and the children ran outside",
        "the soldier wrote home once a month",
        "our cat brings a mouse to the door every day",
        "she turned the page and read on",
        "the bread in this bakery is the best in town",
        "the last guest left long after midnight",
    ),
}

HOMOPHONES = (
    ("the boy ate a {} in the garden", "pear", "pair"),
    ("she bought a new {} of shoes", "pair", "pear"),
    ("the {} rises in the east", "sun", "son"),
    ("their {} is three years old", "son", "sun"),
    ("we sat by the {} and looked at the waves", "sea", "see"),
    ("can you {} the house from here", "see", "sea"),
    ("the wind {} all night", "blew", "blue"),
    ("he wore a {} shirt to work", "blue", "blew"),
    ("put the {} in a bowl and add two eggs", "flour", "flower"),
    ("the bee sat on a {} in the garden", "flower", "flour"),
    ("he {} the answer to every question", "knew", "new"),
    ("they moved into a {} house", "new", "knew"),
    ("the {} put on his armor", "knight", "night"),
    ("it rained all {}", "night", "knight"),
    ("please {} your name on the form", "write", "right"),
    ("turn {} at the next corner", "right", "write"),
    ("we ate the {} cake", "whole", "hole"),
    ("the dog dug a {} under the fence", "hole", "whole"),
    ("the {} comes at ten every morning", "mail", "male"),
    ("the {} lion sleeps most of the day", "male", "mail"),
    ("she has been sick for a {}", "week", "weak"),
    ("he was too {} to lift the box", "weak", "week"),
    ("we {} fish for dinner", "ate", "eight"),
    ("the spider has {} legs", "eight", "ate"),
    ("the {} slept in its cave all winter", "bear", "bare"),
    ("he walked over the hot sand with {} feet", "bare", "bear"),
    ("i cannot {} you because the music is too loud", "hear", "here"),
    ("we have lived {} for ten years", "here", "hear"),
    ("the ship set {} at dawn", "sail", "sale"),
    ("the house is for {}", "sale", "sail"),
    ("the {} landed an hour late", "plane", "plain"),
    ("the food was {} but good", "plain", "plane"),
    ("would you like a {} of cake", "piece", "peace"),
    ("after the war came years of {}", "peace", "piece"),
    ("the {} of these trousers is too tight", "waist", "waste"),
    ("it is a {} of time and money", "waste", "waist"),
    ("the king sat on his {}", "throne", "thrown"),
    ("the ball was {} over the fence", "thrown", "throne"),
    ("the nurse will {} you at the door", "meet", "meat"),
    ("the butcher sells {} and eggs", "meat", "meet"),
)

OPEN_HOMOPHONES = (
    ("he put the {} on the kitchen table", "flower", "flour"),
    ("they talked about the {} all evening", "son", "sun"),
    ("the {} in this picture is very dark", "knight", "night"),
    ("she looked at the {} on the plate", "pair", "pear"),
    ("the {} was bigger than they thought", "sail", "sale"),
    ("he wrote about the {} for the newspaper", "peace", "piece"),
    ("she asked for another {}", "role", "roll"),
    ("it was a very long {}", "tail", "tale"),
    ("{} called while you were out", "stephen", "steven"),
    ("we had dinner with {} and her sister", "ann", "anne"),
    ("please ask {} to come in", "sara", "sarah"),
    ("the house belongs to {} now", "brian", "bryan"),
    ("{} will drive us to the station", "jeffrey", "geoffrey"),
    ("the letter is for mister {}", "reed", "reid"),
)
