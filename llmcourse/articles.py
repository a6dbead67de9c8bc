"""Short news articles that never happened, each with a summary.

Data card: 32 articles of five sentences, each with a summary of one sentence, and one that says the
contrary in the same words, written by hand for this book by one author, 2026; 8 to tune, 24 to
test.  In most of them the first sentence says what matters, as in newspapers; in a third of them it
does not.  All that is told is invented.  Not good for: saying how well a model summarises long
texts, or texts by people who write otherwise.  CC0.
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

ASK = (
    "<|im_start|>system\nYou summarise news in one short sentence.<|im_end|>\n"
    "<|im_start|>user\n{}\n\nSummarise this article in one short sentence.<|im_end|>\n"
    "<|im_start|>assistant\n"
)  # what SmolLM2 is asked


class Article(NamedTuple):
    """The sentences of an article, a summary by its author, and a false one that says the
    contrary."""

    sentences: tuple[str, ...]
    summary: str
    contrary: str

    @property
    def text(self) -> str:
        """The article in one piece."""
        return " ".join(self.sentences)


def articles(part: str = "test") -> list[Article]:
    """The articles of a part.

    Args:
        part: "dev" (8) or "test" (24).

    Raises:
        ValueError: for another part.
    """
    if part not in ("dev", "test"):
        raise ValueError(f"part is {part!r}: choose 'dev' or 'test'")
    blocks = [block.strip().splitlines() for block in _ARTICLES.strip().split("\n\n")]
    found = [Article(tuple(lines[2:]), lines[0][2:], lines[1][2:]) for lines in blocks]
    return found[:8] if part == "dev" else found[8:]


class Marked(NamedTuple):
    """A summary, and whether a reader found everything in it supported by the article."""

    text: str
    faithful: bool


def machine_summaries() -> list[Marked]:
    """What SmolLM2 wrote of each test article (`benchmarks/chapter_19.py`), marked by hand.

    The author of the articles is the only reader.  An opinion that the article does not have counts
    as unsupported; a sentence that was cut short does not.
    """
    rows = json.loads(Path(__file__).with_name("summaries.json").read_text(encoding="utf-8"))
    return [Marked(row["summary"], row["faithful"]) for row in rows]


def first_sentence(text: str) -> str:
    """A text up to the first full stop, question mark or exclamation mark that ends a sentence."""
    return re.split(r"(?<=[.!?])\s", text.strip())[0]


_ARTICLES = """
= The town of Elmsford will close its swimming pool for a year to repair the roof.
! The town of Elmsford will keep its swimming pool open for the year in which the roof is repaired.
The town of Elmsford will close its swimming pool for a whole year.
The roof has been leaking since the storm in February.
Engineers found that eleven of its beams have to be replaced.
The work will cost 2.4 million and begins in June.
Schools are to use the pool in Harrow until then.

= A bakery in Norden gives its unsold bread to students every evening.
! A bakery in Norden no longer gives its unsold bread to students.
Every evening at seven a queue forms behind the Keller bakery in Norden.
Those who wait are students, and they do not pay.
Since January the bakery has given away the bread that it could not sell.
About sixty loaves a day used to be thrown away.
Owner Ruth Keller says that it costs her nothing but ten minutes.

= Researchers at Lake Tarn found that perch grow larger since motorboats were banned.
! Researchers at Lake Tarn found that perch do not grow larger since motorboats were banned.
Perch in Lake Tarn have grown larger since motorboats were banned, researchers report.
They measured 1,800 fish over six years.
The average length rose from 19 to 23 centimetres.
The team led by Ilse Brandt suspects that quiet water helps the fish to hunt.
Fishermen had fought against the ban.

= The Veldt tram line will open three months late because of a broken bridge.
! The Veldt tram line will open on time although a bridge is broken.
The new tram line to Veldt will open three months late.
A crack was discovered in the bridge over the canal.
Trains may not cross it until it has been welded.
The operator now names the first of September as the day.
Buses will run every ten minutes instead.

= A ninety-year-old woman has won the chess championship of her village.
! A ninety-year-old woman has narrowly lost the chess championship of her village.
Martha Oslo learned chess from her grandfather eighty years ago.
She has played in the inn of Brenn every Thursday since the war.
This Thursday was different.
At ninety, she beat a schoolboy in the final and won the championship of the village.
The prize was a ham.

= Farmers around Solin lost half of their apples to late frost.
! Farmers around Solin saved their apples from late frost.
Late frost has destroyed half of the apples around Solin.
In the night to the 4th of May the temperature fell to minus five.
Some growers lit fires between the trees.
It saved the cherries but not the apples.
The farmers' union asks the state for help.

= The library of Port Ayle now lends tools as well as books.
! The library of Port Ayle now lends only books and no more tools.
Who needs a drill in Port Ayle can now go to the library.
It lends out forty tools, from saws to a sewing machine.
A reader's card is all that one needs.
The idea came from the caretaker, Jon Weir.
In the first month 212 tools were borrowed.

= A lost dog walked 80 kilometres back to its old home.
! A lost dog never found the 80 kilometres back to its old home.
The Lind family had almost given up hope.
Their dog Bella disappeared when they moved to Karst in March.
They put up posters and searched the woods.
Nine days later a neighbour telephoned from their old town.
The dog had walked eighty kilometres and lay before the door of its old home.

= The island of Sorn gets its first doctor in five years.
! The island of Sorn loses its only doctor after five years.
The island of Sorn has a doctor again, after five years without one.
Anna Bekker, 34, opened her practice on Monday.
Until now the sick had to take the ferry, which runs twice a day.
The municipality pays her rent and found her a house.
Nineteen patients came on the first day.

= The Halden paper mill will stop making paper and produce boxes.
! The Halden paper mill will stop producing boxes and make paper.
The paper mill in Halden will stop making paper for newspapers.
Orders have fallen by two thirds in ten years.
From next spring it is to produce cardboard boxes.
All 140 workers keep their jobs, the director, Paul Sand, promised.
The machines will be rebuilt in the winter.

= A student discovered a mistake in the town plan that is a hundred years old.
! A student discovered that the town plan, a hundred years old, has no mistake.
Lea Marin only wanted to draw a map of her street for school.
She compared the house numbers with the plan in the town hall.
Something did not fit.
The plan, a hundred years old, shows a lane that never existed.
The mayor has thanked the student and ordered the mistake to be corrected.

= Wild boars have damaged the football pitch in Greiz, so matches are moved.
! Wild boars have damaged the football pitch in Greiz, but no matches are moved.
Wild boars have ploughed up the football pitch in Greiz.
They came on three nights in a row and looked for worms.
The next four home matches will be played in Tann.
Repairing the grass will cost 9,000.
The club now wants a fence.

= The company Orrin recalls 3,000 heaters because they can catch fire.
! The company Orrin does not recall 3,000 heaters although they can catch fire.
The manufacturer Orrin is recalling 3,000 heaters.
A cable in the model H2 can melt and catch fire.
Two kitchens have burned so far, and nobody was hurt.
Buyers get their money back at the shop.
The heaters were sold between October and December.

= After forty years the ferryman of Lessa retires, and a bridge replaces him.
! After forty years the ferryman of Lessa stays, and no bridge replaces him.
For forty years Tomas Reck has rowed people across the river in Lessa.
He counted them: about 900,000.
In the beginning a crossing cost ten pennies.
On Sunday he made his last trip and retired.
A bridge for walkers will open in his place on the 12th of July.

= A study of 500 children found that those who walk to school concentrate better.
! A study of 500 children found that those who walk to school concentrate less.
Children who walk to school concentrate better, according to a study.
Psychologists from Weyer tested 500 pupils in the first lesson.
Those who had come on foot made a fifth fewer mistakes.
It made no difference how long the way was.
The authors warn that the reason is not clear.

= The theatre in Mora plays in the dark to save electricity.
! The theatre in Mora does not play in the dark to save electricity.
No spotlight, no curtain, no heating.
The theatre in Mora began its season on Friday with candles.
It plays in the dark, the director, Eva Lorn, explained, since it can no longer pay for electricity.
Three hundred people came in coats.
The applause lasted ten minutes.

= The city of Brill bans scooters from its centre from April.
! The city of Brill allows scooters in its centre from April.
The city of Brill bans rented scooters from its centre.
The rule applies from the first of April.
Last year there were 87 accidents with scooters, 12 of them serious.
Rental firms called the decision a step backwards.
Bicycles are still allowed.

= A diver found a gold ring that was lost in a lake thirty years ago.
! A diver lost a gold ring in a lake, in which he had found it thirty years ago.
Karl Ebner was looking for an anchor.
What he found in the mud of Lake Miren was smaller.
The ring was made of gold and had a date in it, 1994.
Through the parish register he found its owner.
Greta Holm had lost it thirty years ago while swimming.

= Bees on the roof of the Dorn hospital made 70 kilograms of honey this year.
! Bees on the roof of the Dorn hospital made no honey this year.
The hospital in Dorn has harvested its own honey for the first time.
Four hives stand on the roof above the surgery.
They gave seventy kilograms this year.
Two nurses look after the bees in their breaks.
Every newborn child will get a jar.

= The last cinema in Tessel is saved because 600 residents bought shares.
! The last cinema in Tessel is not saved, although 600 residents bought shares.
The last cinema in Tessel will not be closed after all.
Six hundred residents have bought shares of fifty each.
The former owner wanted to sell the house to a supermarket.
Now the town's people own the screen themselves.
The first film on Saturday is free.

= A power cut in Marl stopped all lifts for three hours, and 40 people were freed.
! A power cut in Marl stopped all lifts for three hours, and 40 people could not be freed.
A power cut has stopped all lifts in the centre of Marl.
It lasted three hours on Tuesday afternoon.
Firefighters freed forty people.
The cause was a digger that had cut a cable.
A woman who was trapped with a pianist said that they had sung.

= Storks have returned to Aven for the first time since 1961.
! Storks have not returned to Aven since 1961.
There has been an empty nest on the church of Aven for a long time.
The village put it there forty years ago.
Nobody believed in it any more.
Last week two storks moved in, the first since 1961.
The bells are to remain silent until the young ones fly.

= The Pell railway will sell tickets only online from next year.
! The Pell railway will no longer sell tickets online from next year.
The Pell railway will sell tickets only online from next year.
The last nine counters close in December.
The company expects to save 1.5 million a year.
Groups that speak for the elderly protest.
Tickets can still be bought by telephone, a spokesman said.

= Rain flooded the museum in Quint, but the paintings were carried out in time.
! Rain flooded the museum in Quint, and the paintings could not be carried out in time.
It rained for two days before the stream rose.
In the night the water stood half a metre high in the museum of Quint.
The guards had carried out all 300 paintings in time.
Only the carpet is ruined.
The house will be closed for two weeks.

= A court allows the brewery in Calden to keep its wooden sign.
! A court forbids the brewery in Calden to keep its wooden sign.
The brewery in Calden may keep the wooden sign above its door, a court has decided.
Neighbours had complained that it creaks at night.
An expert spent two nights in the street with a microphone.
He measured no more than 31 decibels.
The brewer, Hans Tillen, is going to oil the hinges all the same.

= The school in Rovik starts an hour later, and fewer pupils are late.
! The school in Rovik starts an hour later, and more pupils are late.
Since autumn the first lesson at the school in Rovik has begun at nine.
Before, it was eight.
In the first term 45 pupils came late, against 160 in the year before.
Teachers report that the first hour is quieter.
Parents who leave for work early are less happy with it.

= A baker and a postwoman save a man from the icy canal in Zell.
! A baker and a postwoman could not save a man from the icy canal in Zell.
Sara Minn was bringing the post when she heard a cry.
On the canal in Zell the ice had broken under a man of 61.
She called the baker, who came with a ladder.
Together they pulled the man out.
He is in hospital and doing well.

= Coffee in the canteens of Varga university becomes dearer for those without a cup.
! Coffee in the canteens of Varga university becomes cheaper for those without a cup.
Whoever drinks coffee at Varga university should bring a cup from May.
A cup made of paper will then cost 50 cents more.
The canteens use 300,000 of them a year.
In a trial in March two thirds of the students brought their own.
The money goes to a fund for trees.

= Archaeologists find a Roman oven under a car park in Selm.
! Archaeologists find no Roman oven under a car park in Selm.
The car park behind the station of Selm was only to get new asphalt.
Then a worker saw a ring of burnt bricks.
Archaeologists say that it is a Roman oven, about 1,800 years old.
Bread for a hundred people could be baked in it.
The car park stays closed until August.

= The bus company in Tolm cannot find drivers and cancels one bus in ten.
! The bus company in Tolm has found drivers and cancels no more buses.
Every tenth bus in Tolm will not run until the end of the year.
The company lacks 38 drivers.
It pays for the licence of everybody who signs for three years.
So far nine people have come.
The night buses are not affected, said the manager, Dora Lenk.

= A farmer in Hest grows tea, and sells the first harvest in a day.
! A farmer in Hest grows tea, and cannot sell the first harvest.
Nobody believed Arne Falk when he planted tea on a slope in Hest.
That was five years ago.
The winters killed a third of the bushes, and the others grew.
This spring he picked his first twelve kilograms.
They were sold within a day.

= The mayor of Orsk resigns because of a swimming pool that was never built.
! The mayor of Orsk does not resign because of a swimming pool that was never built.
The mayor of Orsk, Nina Stahl, has resigned.
Her council had paid 800,000 for the plans of a swimming pool.
The pool was never built, since the ground is too wet.
An engineer had warned of this in a letter in 2019.
Stahl said that she had not read it.
"""
