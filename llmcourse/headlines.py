"""Headlines of news that never happened, with their topic.

Data card: written by hand for this book, one author, 2026: 36 for each of five topics, of which 20
to train, 4 to tune and 12 to test.  Names of places and people are invented or left out.  Not good
for: saying how well a model sorts real news, whose topics overlap and change with the day.  CC0.
"""

import random
from typing import NamedTuple

TOPICS = ("business", "culture", "politics", "science", "sport")


class Headline(NamedTuple):
    """A text, and the index of its topic in `TOPICS`."""

    text: str
    label: int


def headlines(part: str = "train") -> list[Headline]:
    """The headlines of a part, in a fixed mixed order.

    Args:
        part: "train", "dev" or "test".

    Raises:
        ValueError: for another part.
    """
    if part not in _ROWS:
        raise ValueError(f"part is {part!r}: choose 'train', 'dev' or 'test'")
    found = [
        Headline(text, label)
        for label, topic in enumerate(TOPICS)
        for text in [line.strip() for line in _TEXTS[topic].strip().splitlines()][_ROWS[part]]
    ]
    random.Random(part).shuffle(found)
    return found


_ROWS = {"train": slice(0, 20), "dev": slice(20, 24), "test": slice(24, 36)}
_TEXTS = {
    "business": """
        Shares fall as oil gets dearer
        Bakery chain opens its hundredth shop
        Central bank leaves interest rates unchanged
        Two airlines agree to merge
        Car maker cuts a thousand jobs
        Exports rise for the fifth month
        Start-up raises forty million for cheap batteries
        Rents in the capital climb again
        Retailer files for bankruptcy
        Wheat prices double after a dry summer
        Profits at shipping company exceed forecasts
        Inflation slows to two percent
        Supermarkets accused of fixing prices
        Factory orders at their lowest in ten years
        Investors flee to gold
        Union and railway agree on higher wages
        Takeover of chip maker collapses
        Fewer people out of work than expected
        Bank fined for hiding losses
        Furniture giant lowers prices
        Currency loses a tenth of its value
        Insurer raises premiums after floods
        Brewery sells its bottling plant
        Tourism brings record income
        Mobile operators share the cost of new masts
        Mining company writes off a billion
        Small shops struggle with rising costs
        Budget airline orders sixty planes
        House sales at a standstill
        Pension fund sells its coal shares
        Toy maker expects a weak Christmas
        Farmers get more for milk
        Court lets creditors seize the shipyard
        Online shop hires for the holidays
        Steel tariffs hit washing machines
        Founder steps down after poor results
    """,
    "culture": """
        Museum shows paintings hidden for eighty years
        Young poet wins first prize for debut
        Orchestra appoints new conductor
        Film about a lighthouse opens the festival
        Lost manuscript of a novel found in an attic
        Theatre reopens after long repairs
        Singer cancels her tour
        Sculpture in the park divides the town
        Opera house offers tickets for ten euros
        Actor returns to the stage after illness
        Exhibition of street photography draws crowds
        Children's author writes her last book
        Old cinema to become a concert hall
        Dance company celebrates thirty years
        Critics praise new translation of an epic
        Gallery returns a stolen portrait
        Choir sings in an empty swimming pool
        Comic artist honoured for her life's work
        Series about a small village breaks records
        Piano found in the street turns out to be an antique
        Band reunites for one evening
        Novelist accused of borrowing a plot
        Library lends out musical instruments
        Ballet moves to a former tram depot
        Painter gives her works to her home town
        Documentary on beekeepers wins audience award
        Playwright's letters to be published
        Festival of short films goes on tour
        Drummer of famous trio dies at ninety
        Castle ceiling restored to its old colours
        Violin sold at auction for a record sum
        Novel about a bus driver tops the lists
        Director defends her bold staging of a classic
        Jazz club fights for its cellar
        Photographer documents vanishing villages
        Weavers revive a forgotten pattern
    """,
    "politics": """
        Parliament votes for a new voting age
        Minister resigns over leaked letters
        Mayor promises more trams
        Opposition calls for early elections
        Two countries sign a border treaty
        President vetoes the tax bill
        Coalition talks fail after nine hours
        Thousands protest against pension reform
        Senate delays the vote on water rights
        New government sworn in
        Party chooses its first female leader
        Ambassador summoned over remarks
        Referendum on the airport to be held in May
        Council bans cars from the old town
        Constitutional court strikes down surveillance law
        Prime minister survives confidence vote
        Campaign donations to be made public
        Refugee agreement divides neighbours
        Governor signs the school bill
        Peace talks resume after a year
        Mayor loses by eleven votes
        Deputies argue about speaking time
        Cabinet agrees on budget cuts
        Foreign ministers meet to discuss sanctions
        Voters reject merger of the two districts
        Commission demands answers from the interior minister
        Party congress ends in a split
        Chancellor dismisses her adviser
        Parliament debates conscription
        Island votes for more autonomy
        Lawmakers raise their own salaries
        Electoral roll contains the dead
        Ceasefire holds for a second day
        Candidate withdraws after poor debate
        Envoy carries message to the rebels
        Upper house blocks rent law
    """,
    "science": """
        Telescope finds water on a distant planet
        Bees can count to four, study suggests
        New vaccine protects mice from malaria
        Glacier loses a third of its ice
        Ancient footprints found in a dry lake
        Researchers grow a liver from skin cells
        Probe lands on a comet
        Fossil shows that early birds could hardly fly
        Coral reefs recover faster than expected
        Physicists measure the lightest particle
        Sleep helps rats to forget
        Whales sing deeper than before
        Volcano under the sea wakes up
        A gene makes tomatoes resist drought
        Satellite maps every tree in the forest
        Old bones reveal a plague
        Quantum computer solves a puzzle in seconds
        Microbes found that eat plastic
        Moon rock is older than thought
        Ravens plan ahead, experiment shows
        Trial of new pill for migraine succeeds
        Crater points to an ancient impact
        Algorithm predicts the folding of proteins
        Seagrass stores more carbon than woods
        Astronomers watch a star being torn apart
        Octopuses dream, recordings suggest
        Blood test detects tumours early
        Desert beetle inspires a water trap
        Ice core reaches back a million years
        Spider silk spun by bacteria
        Magnetic field of the Earth weakens
        Bats remember voices for years
        Chemists make cement without heat
        Ancient grain brought back to life
        Dark matter detector sees nothing, again
        Worms revived after centuries in frozen ground
    """,
    "sport": """
        Home team wins in extra time
        Champion loses her title in straight sets
        Goalkeeper saves two penalties
        Marathon record broken by a minute
        Coach dismissed after sixth defeat
        Cyclist suspended for doping
        Skier wins downhill by a hundredth
        Club signs striker for a record fee
        Rain stops play on the third day
        Swimmers collect four medals
        Referee admits his mistake
        Rower crosses the finish with a broken oar
        Underdogs knock out the favourites
        Captain out for the season with torn ligament
        Boxer retires unbeaten
        Chess prodigy draws with the world champion
        Stadium to get a new roof before the cup
        Late goal keeps them in the league
        Relay team drops the baton in the final
        Veteran runner takes gold at forty
        Fans banned after trouble in the stands
        Gymnast returns with a perfect score
        Tie break decides a five-hour match
        Sailors rescued during a race
        Defender scores twice against his old club
        Hurdler falls, gets up and qualifies
        Ice hockey derby ends in a shoot-out
        Jockey thrown at the last fence
        Cup final moved because of the pitch
        Basketball team wins tenth in a row
        Biathlete misses her last shot
        Transfer of midfielder called off
        Team sprint ends in a photo finish
        Goalless draw in the heat
        Tennis star pulls out with sore wrist
        Climber wins without a fall
    """,
}
