"""The harbour town of Ellmoor: sixty short passages, questions about them, and a graph of facts.

Data card.  Ellmoor does not exist.  Passages, questions and facts were written by hand for this
book, in English, by one author: CC0.  A question has the passage that answers it and the piece of
that passage which is the answer, or it has no answer, though it may sound as if it had.  Many are
worded so that they share few words with their passage; others name a permit or a line by its
number.  The author knew both ways of searching while writing, so that how often each wins says
something about these questions and not about yours.  Thresholds are chosen on the part "dev"; the
part "test" is for the score.  Both ask about the same passages, and no question stands in both.
Not good for: training, which has `llmcourse.households`, and comparing large models.
"""

from typing import NamedTuple

PARTS = ("dev", "test")


class Question(NamedTuple):
    """A question, the id of the passage that answers it, and the answer as it stands there.

    Without an answer in any passage, `passage` is None and `answer` is empty.
    """

    text: str
    passage: str | None
    answer: str


class Fact(NamedTuple):
    """An edge of the graph: `subject` stands in `relation` to `object`."""

    subject: str
    relation: str
    object: str


class PathQuestion(NamedTuple):
    """A question to the graph, and its answers.

    `path` is how the author would go: from `start` along relations, "-" before one that is gone
    against its direction.
    """

    text: str
    start: str
    path: tuple[str, ...]
    answers: frozenset[str]


_TEXT = """
# ferries
The harbour of Ellmoor has two ferries. The Petrel is blue and leaves for Skerry at nine and at
three. The Dunlin is white, crosses to Vann at noon, and takes bicycles.
dev: Which boat can I board with my bike? | The Dunlin
test: At what hour does the ship to Vann set off? | noon
test: What is the destination of the Petrel? | Skerry

# tickets
A crossing costs four crowns each way, and a book of ten costs thirty. Children under six travel
free. Tickets are sold on board, by the mate, who takes coins only.
dev: Until what age do kids not have to pay on the ferry? | six
test: What is the fare for the ferry? | four crowns
test: From whom do passengers buy their tickets? | the mate

# storm
When the wind is too strong for the boats, Ines Holm, the harbour master, hoists a black ball.
Nobody may put to sea until she has taken it down.
dev: Who decides that it is too windy to sail? | Ines Holm
test: Which signal warns the crews of a gale? | a black ball

# vet
Dr Olva Brandt sees animals in Mill Lane each Tuesday and Friday. On other days she rides to the
farms, and a note on her door gives the number to ring.
dev: Where is the animal doctor's surgery? | Mill Lane
test: Who treats sick pets? | Dr Olva Brandt
test: What tells you how to reach the vet when she is away? | a note on her door

# doctor
Hanne Roth has been the island's only physician since 1998. Her practice stands behind the chapel
and is open every morning except Wednesday. For a broken bone one is flown to the mainland by
helicopter.
dev: On which weekday can I not see a doctor? | Wednesday
test: How do patients with a fracture get to hospital? | by helicopter
test: Who looks after people who are ill? | Hanne Roth

# bakery
Pip Garrow bakes from two in the morning. Her seaweed loaf sells out before eight; what is left at
noon goes to the school kitchen, and nothing is thrown away.
dev: Where does the unsold bread end up? | the school kitchen
test: At what time of night does the baker begin her work? | two in the morning
test: Which bread is the most sought after? | seaweed loaf

# school
Sela Quint teaches all nineteen children of the town in one room. In June the lessons move to the
beach, and the homework is to bring home a shell nobody has seen before.
dev: How many pupils are there? | nineteen
test: Where are classes held at the beginning of summer? | the beach

# lighthouse
The lighthouse on Gull Point was lit in 1861. It flashes twice every ten seconds. Jory Vail, its
last keeper, still climbs the 142 steps each evening, although the lamp has been automatic since
1987.
dev: How far up are the stairs of the light? | 142 steps
test: In which year did the beacon begin to run by itself? | 1987
test: Who was the last to tend the light? | Jory Vail

# library
Nessa Wray runs the library in the old customs house. Books may be kept for a month, sea charts for
three days. Whoever is late pays with a jar of jam.
dev: What is the fine for overdue books? | a jar of jam
test: How long can one borrow a chart? | three days
test: In which building do people go to read? | the old customs house

# bikes
Bram Colley, the smith, mends bicycles while you wait and lends his own for the time being. He
charges by the hour, but never for a puncture.
dev: Which repair is free of charge? | a puncture
test: Who can fix my bike? | Bram Colley

# mayor
Runa Esk was elected mayor in 2019 with a majority of one vote. She keeps office hours on a bench at
the quay, on Mondays from ten to twelve, umbrella in hand if need be.
dev: When can citizens talk to the head of the town? | on Mondays
test: By what margin was the mayor chosen? | one vote
test: Where does the mayor receive people? | a bench at the quay

# post
Mirte Sund brings the post on a yellow cargo bike. Letters for Skerry go in the canvas bag by the
gangway; the crew of the Petrel hands them over at the other side.
dev: What does the postwoman ride? | a yellow cargo bike
test: Into what should I put mail for Skerry? | the canvas bag

# market
On Saturdays the fish market opens at five, when the first nets come in. By seven the herring is
gone. Haggling is forbidden, gossip is not.
dev: What may one not do when buying fish? | Haggling
test: Which fish runs out first? | herring

# flood
In the great flood of 1953 the water stood up to the third step of the town hall. A brass line
beside the door shows the height. Forty-one sheep drowned, and nobody else.
dev: How many animals died when the sea came in? | Forty-one
test: What marks how high the water rose? | A brass line
test: In what year was Ellmoor under water? | 1953

# bell
The fog bell weighs 900 kilos and was cast from two sunken cannon. It is struck by hand, once a
minute, for as long as one cannot see Gull Point from the quay.
dev: From what was the fog bell made? | two sunken cannon
test: How often does the warning sound when visibility is poor? | once a minute
test: How heavy is the bell? | 900 kilos

# seals
Grey seals give birth on the Skerry rocks in November. Keep two hundred metres away, and leave the
dog at home: a frightened mother does not come back.
dev: When are the young seals born? | November
test: How much distance must I keep from the pups? | two hundred metres

# puffins
Puffins nest on the western cliff of Vann from April until the end of July. The path is roped off
then, and the warden, Leif Norby, tells you where to lie down and look.
dev: Who shows visitors where to watch the birds? | Leif Norby
test: On which side of Vann do the puffins breed? | western

# swimming
Swim only between the two red poles. Beyond them the tide runs at four knots, faster than anybody
can swim. The water is warmest in September, about fifteen degrees.
dev: How quick is the current outside the bathing area? | four knots
test: In which month is a dip least cold? | September
test: What shows where bathing is safe? | the two red poles

# water
Drinking water comes through a pipe from the lake on Vann. In dry summers it runs only until nine in
the evening, and the gardens have to do with rain from the butts.
dev: Where does the town get its water from? | the lake on Vann
test: When are the taps turned off during a drought? | nine in the evening

# power
Three wind turbines behind the quarry make more electricity than the town needs. What is left heats
the swimming hall. If all three stand still, a diesel engine starts by itself.
dev: What is the surplus power used for? | the swimming hall
test: What takes over when there is no breeze? | a diesel engine
test: How many windmills are there? | Three

# rubbish
Glass is collected on the first Thursday of the month, paper on the second, and everything else
every Monday before seven. Garden waste can be brought to the goats.
dev: What can I feed to the goats? | Garden waste
test: On which day are empty bottles picked up? | the first Thursday of the month

# inn
The Anchor has six rooms and no television. Breakfast is served until the last guest is up. Its
owner, Maud Telling, won the house in 1989 at a game of cards.
dev: How did the landlady come by her house? | a game of cards
test: How many rooms does the hotel have? | six
test: What will I not find in my bedroom at the Anchor? | television

# tea
The tea room in the old lifeboat shed is open whenever its flag is up. Its carrot cake is made by
the smith, who does not want this to be known.
dev: How do I see that the café is serving? | its flag is up
test: Who is the secret baker of the cake? | the smith

# cinema
Films are shown in the net loft every second Friday, from October to March. Bring a cushion: the
seats are fish crates. Entry is one log for the stove.
dev: What does one pay to see a movie? | one log for the stove
test: What does the audience sit on? | fish crates

# choir
The harbour choir rehearses on Tuesday nights above the bakery, because it is warm there. Tenors are
wanted. Nobody has to read music; everybody has to help with the chairs.
dev: Which voices does the choir lack? | Tenors
test: Why do the singers meet over the baker's shop? | it is warm there

# race
Once a year, on the longest day, the whole town rows around Skerry. The record, one hour and six
minutes, was set in 1974 by four sisters in a borrowed boat.
dev: Who has rowed the course fastest? | four sisters
test: How long did the quickest crew take? | one hour and six minutes
test: When does the rowing contest take place? | on the longest day

# wreck
The brig Hettie struck the Vann reef in 1842 with a load of oranges. All hands were saved. For weeks
the children found fruit in the surf.
dev: What was the Hettie carrying? | oranges
test: On what did the Hettie run aground? | the Vann reef
test: How many sailors survived the shipwreck? | All hands

# museum
The museum owns one painting, a view of the harbour by Aldous Fenn, and nine hundred knots. Ask for
the key at the pharmacy opposite.
dev: Where do I fetch the key to the museum? | the pharmacy opposite
test: Which artist's work is on show? | Aldous Fenn
test: How many knots are in the collection? | nine hundred

# pharmacy
The pharmacy is also the optician's and, on Thursdays, the barber's. It shuts for lunch at half past
twelve. At night ring twice, and once more for medicine for animals.
dev: On what day can I have my hair cut? | Thursdays
test: From when is the chemist closed at midday? | half past twelve

# garage
There are eleven cars in Ellmoor and one petrol pump, which is unlocked on Wednesdays. The speed
limit is twenty everywhere, and geese have right of way.
dev: For which birds must drivers stop? | geese
test: How fast may one drive? | twenty
test: On what weekday can I fill my tank? | Wednesdays

# dogs
Dogs run free on the north beach from October to April. For the rest of the year they have to be on
a lead everywhere, except for the two of the shepherd.
dev: Whose dogs are never on a lead? | the shepherd
test: Where may my dog be off the leash in winter? | the north beach

# sheep
The sheep of Ellmoor eat seaweed in winter, which gives the meat its taste. They are counted each
spring by Wim Tarn, the shepherd, who has never yet come to the same number twice.
dev: What do the flocks feed on in the cold months? | seaweed
test: Who takes the census of the flock? | Wim Tarn

# cheese
The cheese of Vann ripens for eleven months in a cave below the cliff. It is washed with beer,
smells of feet, and has won the silver medal three times.
dev: What award did the cheese get? | the silver medal
test: For how long is the cheese aged? | eleven months
test: With what is the rind treated? | beer

# honey
There are no wasps on Skerry, and so bees do well. Freya Lunt keeps forty hives in the heather and
sells the honey from a box at her gate; the money goes in the boot.
dev: Where do I leave the money for the honey? | in the boot
test: Who is the beekeeper? | Freya Lunt
test: Among which plants do the bees live? | heather

# whisky
The distillery burns driftwood under its still, and fills only twelve casks a year. The first bottle
of each is poured into the harbour, for luck.
dev: How many barrels are made in a year? | twelve
test: What fuel heats the still? | driftwood
test: What do they do with the first bottle? | poured into the harbour

# boatyard
At Quist's yard boats are still built of larch on oak frames. A dinghy takes three months. The
waiting list is longer than old Quist expects to live, he says.
dev: How long does it take to build a small boat? | three months
test: Which wood are the planks made of? | larch

# rope
The rope walk is 310 metres long, the longest roof in the county. Hemp from the mainland was twisted
there until 1966; now it is used for bowling.
dev: What is the rope walk good for today? | bowling
test: Which fibre did the ropemakers use? | Hemp

# bridge
The footbridge to Little Gull is under water for an hour on both sides of high tide. If you have
missed it, there is a hut with blankets, biscuits and a pack of cards.
dev: What can I eat in the hut? | biscuits
test: Where can walkers cut off by the sea find shelter? | a hut

# chapel
The chapel has no clock, since its builder ran out of money in 1779. Instead a boy used to shout the
hours from the gallery. Weddings are held at high water only.
dev: At what state of the tide can one get married? | high water
test: How did people learn the time in former days? | a boy used to shout the hours
test: What is the chapel lacking? | clock

# cemetery
On the stones of the cemetery stand boats and not crosses. The oldest belongs to a pilot, Enoch
Marl, who drowned in 1702 when he was saving a dog.
dev: Whose grave is the oldest? | Enoch Marl
test: What is carved on the graves? | boats

# radio
Radio Ellmoor broadcasts for one hour a day on 98.4, from the attic of the school: the tides, the
births, the lost gloves, and one song that a listener has asked for.
dev: On which frequency is the local station? | 98.4
test: Where is the studio? | the attic of the school

# paper
The Ellmoor Gull is printed on Fridays, on both sides of one sheet. Its editor, Cass Orrin, has
never corrected an error; she says that readers would miss them.
dev: Who is in charge of the newspaper? | Cass Orrin
test: How big is the weekly newspaper? | one sheet

# internet
The cable to the mainland was laid in 2011. It has been cut twice since, both times by an anchor.
When it is down, there is a satellite dish on the roof of the post office.
dev: By what was the cable damaged? | an anchor
test: What is the backup if we are offline? | a satellite dish
test: In what year did the town get connected? | 2011

# frost
It rarely freezes in Ellmoor, for the current is mild. The harbour last bore ice in February 1986,
thick enough for a football match, which Skerry won by four goals.
dev: When could people last walk on the harbour? | February 1986
test: What was played on the ice? | a football match
test: Why are the winters not cold? | the current is mild

# fire
The fire brigade has eight volunteers and a hand pump from 1910. In case of fire, run to the quay
and strike the bell without stopping; do not look for a telephone.
dev: How many firefighters are there? | eight
test: What should I do first if a house burns? | run to the quay

# lifeboat
The lifeboat is launched by a tractor and has saved 318 lives. Its coxswain is the captain of the
Dunlin, Marek Sund, and his crew are whoever gets there first.
dev: How many people has the rescue boat saved? | 318
test: Who steers the rescue boat? | Marek Sund
test: With what is the lifeboat brought into the sea? | a tractor

# captain
Tove Lind, the captain of the Petrel, has made the crossing more than thirty thousand times and
still gets seasick when she is a passenger.
dev: Who commands the Petrel? | Tove Lind
test: When does the skipper suffer from nausea? | when she is a passenger

# pension
Fishermen of Ellmoor stop working at sixty-two. Each of them then gets a chair with his name at the
long table in the Anchor, and a pension from the herring fund.
dev: From which purse are old fishermen paid? | the herring fund
test: At what age do fishermen retire? | sixty-two

# birth
For every child that is born a tree is planted in the Lee Wood, the only trees that the wind lets
stand. There are 604 of them now, most of them crooked.
dev: How many trees grow in the wood? | 604
test: How does the town celebrate a newborn? | a tree is planted

# coin
Until 1871 Ellmoor struck coins of its own, with a crab on one side. Nine are known. One lies in the
collection box of the chapel, where nobody has dared to take it out.
dev: Which animal was on the money of Ellmoor? | a crab
test: Until when did the town mint its own currency? | 1871
test: How many of the old coins still exist? | Nine

# permit-a12
Permit A12 allows you to set up to ten lobster pots off the quay. It costs thirty crowns a year and
is issued by the harbour master.
dev: How much does permit A12 cost? | thirty crowns
test: How many pots does permit A12 allow? | ten
test: Who issues permit A12? | the harbour master

# permit-a21
Permit A21 allows you to set up to fifty lobster pots beyond Gull Point. It costs ninety crowns a
year and is issued by the fishery office.
dev: How many pots does permit A21 allow? | fifty
test: What is the yearly cost of permit A21? | ninety crowns

# permit-b7
Permit B7 allows you to gather mussels by hand on the north beach, one bucket a day. It costs
nothing and is issued by the library.
dev: What does permit B7 cost? | nothing
test: Where may I gather with permit B7? | the north beach
test: Who hands out permit B7? | the library

# permit-c3
Permit C3 allows you to moor a boat of up to eight metres at the inner quay. It costs two hundred
crowns a year and is issued by the harbour master.
dev: How long may a boat with permit C3 be? | eight metres
test: How much is permit C3? | two hundred crowns

# line-1
Bus line 1 runs from the quay to Gull Point, every hour from seven until seven. The ride takes
twelve minutes and costs one crown.
dev: How long is the ride on line 1? | twelve minutes
test: How often does line 1 run? | every hour

# line-2
Bus line 2 runs from the quay to the quarry, four times a day, on working days only. The ride takes
twenty minutes and costs two crowns.
dev: How many times a day does line 2 run? | four times
test: What does the ride on line 2 cost? | two crowns
test: Where does line 2 end? | the quarry

# line-3
Bus line 3 runs from the chapel to the north beach, in July and August, every half hour. The ride
takes nine minutes and is free.
dev: In which months does line 3 run? | July and August
test: How many minutes does the ride on line 3 take? | nine

# berth-14
Berth 14 is kept for the doctor's launch. Anyone else who ties up there is fined forty crowns. The
ladder is on the left.
dev: What is the fine at berth 14? | forty crowns
test: For which boat is berth 14 kept? | the doctor's launch

# berth-41
Berth 41 is kept for visiting yachts, for two nights at most. The first night is free. Water and
power are at the foot of the lamp.
dev: Which night at berth 41 is free? | The first
test: How long can a yacht stay at berth 41? | two nights

# tide
At spring tide the sea in Ellmoor rises by 5.2 metres, at neap tide by 2.1. The table hangs beside
the door of the harbour office and costs half a crown to take away.
dev: Where can I look up the tides? | beside the door of the harbour office
test: By how much does the water go up at neap tide? | 2.1

# none
dev: When does the night ferry leave? |
dev: What does a ferry ticket for a car cost? |
dev: Who is the dentist? |
dev: Which hotel has a swimming pool? |
dev: What does permit D5 allow? |
dev: Where does line 9 go? |
dev: Who painted the lighthouse red? |
dev: How old is the harbour master? |
dev: What is the telephone number of the mayor? |
dev: At what time does the bakery close on Sundays? |
dev: Which football club plays in Ellmoor? |
dev: How many people live on Skerry? |
dev: Who wrote the song of the harbour choir? |
dev: What is the capital of Peru? |
dev: How many wolves live on Vann? |
dev: Where can I rent a kayak? |
test: When does the ferry to the mainland leave? |
test: What does it cost to take a dog on the Petrel? |
test: Who is the priest of the chapel? |
test: Where is the nearest airport? |
test: What does permit A15 cost? |
test: How often does line 7 run? |
test: For whom is berth 22 kept? |
test: How tall is the lighthouse? |
test: In what year was Tove Lind born? |
test: What is the name of the vet's horse? |
test: Who built the footbridge? |
test: How much is a room at the Anchor? |
test: What is the colour of the lifeboat? |
test: Which language do they teach at school? |
test: Who was mayor before Runa Esk? |
test: Which bank has a branch in Ellmoor? |
test: How deep is the harbour? |
test: Where is the police station? |
test: Who invented the telephone? |
test: How many moons has Jupiter? |
test: What do the puffins eat? |
test: When was the distillery founded? |
test: How much does the museum charge for entry? |
test: Who won the rowing race last year? |
test: Which newspaper is printed on Mondays? |
test: What is the largest ship that was ever built at Quist's yard? |
test: What is the salary of the lighthouse keeper? |
test: Where does the shepherd go on holiday? |
test: How many seals live off Little Gull? |
test: What is the school called? |
"""


def _parse() -> tuple[dict[str, str], dict[str, tuple[Question, ...]]]:
    passages: dict[str, str] = {}
    questions: dict[str, list[Question]] = {part: [] for part in PARTS}
    for block in _TEXT.strip().split("\n\n"):
        name, *lines = block.split("\n")
        key = name.removeprefix("# ")
        if key != "none":
            passages[key] = " ".join(line for line in lines if not line.startswith(PARTS))
        for line in lines:
            if not line.startswith(PARTS):
                continue
            part, _, rest = line.partition(": ")
            text, _, answer = rest.partition(" |")
            passage = None if key == "none" else key
            questions[part].append(Question(text, passage, answer.strip()))
    return passages, {part: tuple(asked) for part, asked in questions.items()}


PASSAGES, QUESTIONS = _parse()

# ------------------------------------------------------------------------------------- graph

# What a step along a relation is called, and a step against its direction.
RELATIONS = {
    "captain of": ("the ship that {} commands", "the captain of {}"),
    "sails to": ("the island that {} sails to", "the ship that sails to {}"),
    "lives in": ("the place where {} lives", "the person who lives in {}"),
    "child of": ("the parent of {}", "the child of {}"),
    "married to": ("the husband or wife of {}", "the husband or wife of {}"),
    "brother or sister of": ("the brother or sister of {}", "the brother or sister of {}"),
    "works at": ("the place where {} works", "the person who works at {}"),
    "owns": ("the thing that {} owns", "the owner of {}"),
    "stands in": ("the place where {} stands", "the building that stands in {}"),
    "built by": ("the builder of {}", "the thing that {} built"),
    "built in": ("the year in which {} was built", "the thing built in {}"),
    "pupil of": ("the teacher of {}", "the pupil of {}"),
    "born in": ("the place where {} was born", "the person born in {}"),
}

_FACTS = """
captain of: Tove Lind > the Petrel; Marek Sund > the Dunlin; Edda Moor > the Curlew
sails to: the Petrel > Skerry; the Dunlin > Vann; the Curlew > Little Gull
lives in: Tove Lind > Mill Lane; Marek Sund > Rope Street; Edda Moor > Chapel Row; Ines Holm > \
Chapel Row; Olva Brandt > Mill Lane; Hanne Roth > Lee Road; Pip Garrow > Bell Alley; Runa Esk > \
Quay Steps; Nessa Wray > Rope Street; Sela Quint > Lee Road; Jory Vail > Gull Point; Bram Colley \
> Smithy Yard; Freya Lunt > Skerry; Wim Tarn > Vann; Maud Telling > the Anchor; Mirte Sund > \
Bell Alley; Dag Holm > Quay Steps
child of: Mirte Sund > Marek Sund; Ines Holm > Abel Holm; Dag Holm > Abel Holm; Sela Quint > \
Gorm Quint; Freya Lunt > Jory Vail; Edda Moor > Maud Telling; Nessa Wray > Cass Orrin
married to: Tove Lind > Bram Colley; Runa Esk > Wim Tarn; Hanne Roth > Leif Norby; Pip Garrow > \
Dag Holm
brother or sister of: Ines Holm > Dag Holm; Olva Brandt > Runa Esk; Jory Vail > Maud Telling
works at: Ines Holm > the harbour office; Nessa Wray > the library; Sela Quint > the school; Pip \
Garrow > the bakery; Hanne Roth > the practice; Bram Colley > the smithy; Mirte Sund > the post \
office; Cass Orrin > the newspaper; Leif Norby > the bird reserve; Gorm Quint > the boatyard
owns: Maud Telling > the Anchor; Gorm Quint > the boatyard; Wim Tarn > the sheep; Freya Lunt > \
the beehives; Cass Orrin > the newspaper; Abel Holm > the distillery; Dag Holm > the Sandpiper
stands in: the library > Customs Square; the school > Lee Road; the bakery > Bell Alley; the \
harbour office > Quay Steps; the post office > Customs Square; the distillery > Rope Street; the \
lighthouse > Gull Point; the Anchor > Chapel Row; the bird reserve > Vann
built by: the Petrel > Gorm Quint; the Dunlin > Olaf Quint; the Sandpiper > Gorm Quint; the \
Curlew > Olaf Quint; the lighthouse > Tom Marl; the chapel > Sven Fenn
built in: the Petrel > 1988; the Dunlin > 2003; the lighthouse > 1861; the chapel > 1779; the \
Sandpiper > 1994; the Curlew > 1969
pupil of: Mirte Sund > Sela Quint; Edda Moor > Tove Lind; Pip Garrow > Abel Holm; Gorm Quint > \
Olaf Quint; Leif Norby > Wim Tarn
born in: Tove Lind > Skerry; Marek Sund > Vann; Ines Holm > Ellmoor; Bram Colley > Vann; Hanne \
Roth > the mainland; Olaf Quint > Little Gull; Sela Quint > Ellmoor; Maud Telling > Skerry
"""

_PATH_QUESTIONS = """
dev: Where does the captain of the Petrel live? | the Petrel | -captain of, lives in
dev: Who built the ship that Marek Sund commands? | Marek Sund | captain of, built by
dev: Where was Edda Moor's teacher born? | Edda Moor | pupil of, born in
dev: Where does the daughter of Cass Orrin live? | Cass Orrin | -child of, lives in
dev: Who owns the Sandpiper? | the Sandpiper | -owns
dev: To which island does Tove Lind's ferry go? | Tove Lind | captain of, sails to
dev: Where does the husband of Runa Esk live? | Runa Esk | married to, lives in
dev: What does the father of Ines Holm own? | Ines Holm | child of, owns
dev: When was the lighthouse built? | the lighthouse | built in
dev: Who is the sister of Dag Holm? | Dag Holm | brother or sister of
dev: Where is the building in which Pip Garrow works? | Pip Garrow | works at, stands in
dev: Who taught the wife of Dag Holm? | Dag Holm | married to, pupil of
test: Where was the skipper of the Dunlin born? | the Dunlin | -captain of, born in
test: In which year was the boat of Tove Lind built? | Tove Lind | captain of, built in
test: Who is the husband of the captain of the Petrel? | the Petrel | -captain of, married to
test: Where does the daughter of Marek Sund work? | Marek Sund | -child of, works at
test: What is the job place of Tove Lind's husband? | Tove Lind | married to, works at
test: In which street does Nessa Wray have her desk? | Nessa Wray | works at, stands in
test: Who taught the captain of the Curlew? | the Curlew | -captain of, pupil of
test: Which island does Edda Moor's ship go to? | Edda Moor | captain of, sails to
test: Who built the boat that Dag Holm has? | Dag Holm | owns, built by
test: Where is the home of Ines Holm's brother? | Ines Holm | brother or sister of, lives in
test: Whom did the brother of Ines Holm marry? | Ines Holm | brother or sister of, married to
test: Where does Freya Lunt's father live? | Freya Lunt | child of, lives in
test: Who was the teacher of the builder of the Petrel? | the Petrel | built by, pupil of
test: Where does Olva Brandt's sister live? | Olva Brandt | brother or sister of, lives in
test: Who is married to the sister of Olva Brandt? | Olva Brandt | brother or sister of, married to
test: Who commands the ferry to Skerry? | Skerry | -sails to, -captain of
test: By whom was the ship to Vann made? | Vann | -sails to, built by
test: From which year is the ferry to Little Gull? | Little Gull | -sails to, built in
test: Where is the inn that Maud Telling owns? | Maud Telling | owns, stands in
test: In which street does Sela Quint teach? | Sela Quint | works at, stands in
test: What does Runa Esk's husband own? | Runa Esk | married to, owns
test: Where is the workplace of Ines Holm? | Ines Holm | works at, stands in
test: Where does the teacher of Mirte Sund live? | Mirte Sund | pupil of, lives in
test: Who owns the inn in Chapel Row? | Chapel Row | -stands in, -owns
test: What does Sela Quint's father own? | Sela Quint | child of, owns
test: Where does the son of Abel Holm live? | Abel Holm | -child of, lives in
test: Where was the man born who built the Dunlin? | the Dunlin | built by, born in
test: Where does the wife of Leif Norby work? | Leif Norby | married to, works at
test: Who is the brother of Edda Moor's mother? | Edda Moor | child of, brother or sister of
test: Where does the teacher of Leif Norby live? | Leif Norby | pupil of, lives in
test: Who built the chapel? | the chapel | built by
test: Where does Jory Vail live? | Jory Vail | lives in
test: Which ship does Edda Moor command? | Edda Moor | captain of
test: Who is the mother of Nessa Wray? | Nessa Wray | child of
test: Who works at the post office? | the post office | -works at
test: What does Gorm Quint own? | Gorm Quint | owns
test: Where does the Dunlin go? | the Dunlin | sails to
test: Who learned from Wim Tarn? | Wim Tarn | -pupil of
"""


def follow(facts: tuple[Fact, ...], start: str, path: tuple[str, ...]) -> frozenset[str]:
    """Where a path ends, from `start` along relations, or with "-" against their direction.

    A relation that reads the same both ways ("married to") is followed both ways.
    """
    here = {start}
    for step in path:
        relation, back = step.removeprefix("-"), step.startswith("-")
        both = RELATIONS[relation][0] == RELATIONS[relation][1]
        ahead = {f.object for f in facts if f.relation == relation and f.subject in here}
        behind = {f.subject for f in facts if f.relation == relation and f.object in here}
        here = ahead | behind if both else behind if back else ahead
    return frozenset(here)


def _graph() -> tuple[Fact, ...]:
    facts = []
    for line in _FACTS.replace("\\\n", "").strip().split("\n"):
        relation, _, pairs = line.partition(": ")
        for pair in pairs.split("; "):
            subject, _, target = pair.partition(" > ")
            facts.append(Fact(subject, relation, target))
    return tuple(facts)


FACTS = _graph()


def _path_questions() -> dict[str, tuple[PathQuestion, ...]]:
    asked: dict[str, list[PathQuestion]] = {part: [] for part in PARTS}
    for line in _PATH_QUESTIONS.strip().split("\n"):
        part, _, rest = line.partition(": ")
        text, start, steps = rest.split(" | ")
        path = tuple(steps.split(", "))
        asked[part].append(PathQuestion(text, start, path, follow(FACTS, start, path)))
    return {part: tuple(questions) for part, questions in asked.items()}


PATH_QUESTIONS = _path_questions()
