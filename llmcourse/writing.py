"""Small texts for writing with a model: stories with two ends, notes for news, letters, messages.

Data card.  All of it was written by hand for this book, in English, by one author: CC0.  Places,
people and firms are made up.  Nothing was chosen by what a model made of it.  Good for: comparing
ways to write and to choose, with intervals as wide as thirty items give.  Not good for: comparing
models with each other, or with people; the texts are plain, short, and of one hand.
"""

import re
from typing import NamedTuple

from llmcourse.retrieval import words

_SMALL = set("a at after from in last near of on since the until worth".split())


class Story(NamedTuple):
    """A beginning, two turns that it may take, and the ending that follows on each.

    Each ending is right once and wrong once, so that liking one of them does not help.
    """

    text: str
    turns: tuple[str, str]
    endings: tuple[str, str]


class Note(NamedTuple):
    """The notes of a reporter, and the details that a report has to keep."""

    event: str
    details: tuple[str, str, str, str]

    @property
    def text(self) -> str:
        return f"{self.event} " + "; ".join(self.details) + "."

    def kept(self, report: str) -> list[bool]:
        """Which of the four details stand in the report: all their words, small ones left out."""
        written = set(words(report))
        return [set(words(detail)) - _SMALL <= written for detail in self.details]

    def invented(self, report: str) -> list[str]:
        """Numbers of the report, and names within its sentences, that are not in the notes."""
        names = re.findall(r"(?<=[a-z,;] )[A-Z][a-z]+", report) + re.findall(
            r"\d[\d,.]*\d|\d", report
        )
        return [name for name in names if not set(words(name)) <= set(words(self.text))]


class Message(NamedTuple):
    """What somebody writes, and which of REPLIES would do."""

    text: str
    fitting: tuple[str, ...]


STORIES = (
    Story("Mara had waited all week for the rain to stop.",
          ("On Sunday the sky was blue.", "On Sunday it still rained."),
          ("She drove to the lake with her tent.", "She stayed in and read a book.")),
    Story("Tom had never baked before. He put the cake into the oven and set the clock.",
          ("He fell asleep, and the clock did not ring.", "He took it out when the clock rang."),
          ("The cake was black.", "The cake was golden.")),
    Story("The old man fed the same sparrow every morning.",
          ("One winter it did not come.", "One winter it came with a second bird."),
          ("He ate his breakfast alone.", "He put out more bread.")),
    Story("Lena lost her key on the way home and rang at the neighbour's.",
          ("The neighbour had a second key.", "The neighbour was not at home."),
          ("Lena was soon in her flat.", "Lena sat down on the stairs and waited.")),
    Story("The boy had promised his mother to be home at six.",
          ("He came at nine.", "He came at half past five."),
          ("She was angry with him.", "She was pleased with him.")),
    Story("Ruth saved for two years to buy a piano.",
          ("Last Friday she had enough.", "Last Friday a thief took it all."),
          ("Now there is a piano in her room.", "Now she has to begin again.")),
    Story("One night a fox crept up to the hens of a farmer who had a dog.",
          ("The dog began to bark.", "The dog slept on."),
          ("The fox ran away.", "The fox took a hen.")),
    Story("Nobody in the village could read the letter, which was in Polish. They asked the baker.",
          ("He came from Warsaw.", "He knew no Polish either."),
          ("He read it to them.", "He gave it back to them.")),
    Story("Ines trained for the race every day. Two runners were in front of her on the last hill.",
          ("She passed them both.", "She could not pass them."),
          ("She won.", "She came third.")),
    Story("Paul was coming to dinner, and his sister cooked salmon.",
          ("He hated fish.", "He loved fish."),
          ("He ate only the potatoes.", "He asked for a second piece.")),
    Story("Two children hid behind a statue when the museum closed.",
          ("The guard did not see them.", "The guard saw them at once."),
          ("They spent the night in the dark.", "They were sent home.")),
    Story("Grandmother looked for her glasses in every room.",
          ("Her grandson pointed at her nose.", "Her grandson pointed under the table."),
          ("She was wearing them.", "She bent down to pick them up.")),
    Story("The train to the coast left at eight.",
          ("Hugo was on the platform at ten past eight.",
           "Hugo was on the platform at ten to eight."),
          ("The train was gone.", "He had time to buy a paper.")),
    Story("Anna planted a bean in a cup.",
          ("She watered it each day.", "She forgot to water it."),
          ("A week later it was green.", "A week later it was dry and dead.")),
    Story("The king offered gold to whoever made his sad daughter laugh. A shepherd tried.",
          ("He slipped and fell into the fountain.", "He told a joke that she had heard before."),
          ("The princess laughed.", "The princess yawned.")),
    Story("Ben found a wallet with a lot of money.",
          ("There was an address in it.", "There was no name in it."),
          ("He brought it to its owner.", "He gave it to the police.")),
    Story("The bridge had been closed since the flood.",
          ("In May the last plank was laid.", "In May the money ran out."),
          ("People danced on it.", "People still had to take the boat.")),
    Story("Clara's new neighbour had a dog.",
          ("It licked her hand each time she passed.", "It had bitten her twice."),
          ("She asked if she might walk it.", "She crossed the street when she saw it.")),
    Story("The captain saw a light where no light should be.",
          ("He ordered the ship to turn.", "He took it for a star and went to bed."),
          ("In the morning they were past the rocks.", "In the night they hit the rocks.")),
    Story("Omar wrote to his brother every month.",
          ("One day there was a thick letter in the box.",
           "Years went by and the box stayed empty."),
          ("His brother had written back.", "His brother never wrote back.")),
    Story("The girls built a raft from old barrels and pushed it into the pond.",
          ("They had tied the ropes badly.", "They had tied the ropes well."),
          ("They got wet.", "They stayed dry.")),
    Story("The cook's helper carried the soup to the guests.",
          ("It had been salted twice.", "It had not been salted at all."),
          ("They asked for water.", "They asked for salt.")),
    Story("Eva walked home under black clouds, and halfway there it began to pour.",
          ("She had left her umbrella in the cafe.", "She had her umbrella with her."),
          ("She got wet to the skin.", "She came home dry.")),
    Story("Sofia had to give a speech in front of three hundred people.",
          ("She had forgotten every word.", "She knew every word."),
          ("She stood there in silence.", "She spoke well and they clapped.")),
)  # fmt: skip

NEWS = (
    Note("The ferry sails again after the storm.",
         ("Arnholm", "Tuesday", "1,200 passengers", "Captain Berg")),
    Note("A library opens in an old brewery.",
         ("Lowick", "in May", "40,000 books", "Mayor Achterberg")),
    Note("Fire in a furniture factory, nobody hurt.",
         ("Dunmere", "on Monday night", "60 firemen", "Chief Olander")),
    Note("A teacher wins the chess championship.",
         ("Ida Voss", "in Trosk", "after 71 moves", "on Sunday")),
    Note("The river has flooded a camp site.",
         ("the Elm", "near Hadby", "200 tents", "on Friday")),
    Note("A wolf was seen in the city park.",
         ("Pelham", "at six o'clock", "two joggers", "Ranger Moor")),
    Note("The baker's union calls a strike.",
         ("Sollen", "from Thursday", "3 percent", "Greta Lund")),
    Note("A lost painting was found in a school.",
         ("Jan Terwey", "in Morland", "worth 90,000 euros", "last week")),
    Note("The new tram line is late.",
         ("line 7", "in Vessby", "until October", "Director Palme")),
    Note("A farmer has grown a giant pumpkin.",
         ("Otto Krag", "in Little Hale", "512 kilos", "on Saturday")),
    Note("Scientists have counted the seals again.",
         ("on Skarr", "4,300 animals", "since 1998", "Dr Ness")),
    Note("The football club has a new trainer.",
         ("FC Dalby", "Maria Conte", "until 2031", "on Wednesday")),
)  # fmt: skip

LETTERS = (
    "Dear Anna, thank you for your letter. I am glad to hear that you and the children are well.",
    "I would like to make an appointment for next week. Would Tuesday morning be possible?",
    "We are sorry that the chair arrived with a broken leg. We will send you a new one tomorrow.",
    "Please find attached the minutes of our last meeting. Let me know if anything is missing.",
    "The heating in our flat has not worked since Sunday. Could you send somebody to look at it?",
    "It was a pleasure to meet you at the conference. I hope that we can stay in touch.",
    "I have read your report and have only a few small questions about the second part.",
    "The children will need warm clothes, good shoes and something to eat for the trip on Friday.",
    "Unfortunately I cannot come to the party because I have to work that evening.",
    "Could you water the plants while we are away? The key is under the stone next to the door.",
    "Thank you for applying for the position. We would like to invite you to an interview.",
    "The train was late again, so I missed half of the concert, but the rest was wonderful.",
    "My grandmother used to make this soup every winter, with carrots, beans and a lot of garlic.",
    "If the weather is fine we will have dinner in the garden, otherwise we will stay inside.",
    "The new version of the program is much faster, but it still stops when the file is empty.",
    "Please note that the office will be closed on Monday. We will be back on Tuesday at nine.",
)  # fmt: skip

REPLIES = (
    "Yes, that works for me.",
    "Congratulations!",
    "I am sorry to hear that.",
    "Thank you very much!",
    "You are welcome.",
    "Happy birthday!",
    "I will send it to you today.",
    "I am on my way.",
)

MESSAGES = {
    "dev": (
        Message("Can we talk on Thursday at nine?", (REPLIES[0],)),
        Message("My team has won the cup!", (REPLIES[1],)),
        Message("My flat was burgled.", (REPLIES[2],)),
        Message("I have ironed your shirts.", (REPLIES[3],)),
        Message("Thank you for the lift.", (REPLIES[4],)),
        Message("It is my birthday, come and have some cake.", (REPLIES[5], REPLIES[1])),
        Message("May I see the draft?", (REPLIES[6],)),
        Message("We are leaving now, with or without you.", (REPLIES[7],)),
    ),
    "test": (
        Message("Shall we meet at three tomorrow?", (REPLIES[0],)),
        Message("I passed the exam!", (REPLIES[1],)),
        Message("My grandfather died last night.", (REPLIES[2],)),
        Message("Here is the present that I promised you.", (REPLIES[3],)),
        Message("Thanks a lot for helping me with the move.", (REPLIES[4],)),
        Message("I turn thirty today.", (REPLIES[5], REPLIES[1])),
        Message("Could you let me have the report?", (REPLIES[6],)),
        Message("Where are you? We are all waiting.", (REPLIES[7],)),
        Message("Is Friday evening all right for dinner?", (REPLIES[0],)),
        Message("We are getting married in June!", (REPLIES[1],)),
        Message("I have got the flu and feel awful.", (REPLIES[2],)),
        Message("You look wonderful in that coat.", (REPLIES[3],)),
        Message("That was so kind of you, thank you.", (REPLIES[4],)),
        Message("Guess who is a year older today: me.", (REPLIES[5], REPLIES[1])),
        Message("I still do not have your address.", (REPLIES[6],)),
        Message("The film starts in ten minutes, are you coming?", (REPLIES[7],)),
        Message("Would you mind if we moved the call to Monday?", (REPLIES[0],)),
        Message("Our daughter was born this morning.", (REPLIES[1],)),
        Message("I did not get the job.", (REPLIES[2],)),
        Message("I have left a cake for you in the kitchen.", (REPLIES[3],)),
        Message("I am so grateful for what you did.", (REPLIES[4],)),
        Message("The invoice for March is missing.", (REPLIES[6], REPLIES[2])),
        Message("Dinner is on the table, hurry up.", (REPLIES[7],)),
        Message("Can you do the early shift on Sunday?", (REPLIES[0],)),
        Message("I got the promotion.", (REPLIES[1],)),
        Message("Our cat was run over.", (REPLIES[2],)),
        Message("I have paid your bill, it is my treat.", (REPLIES[3],)),
        Message("Please forward me the photos from the trip.", (REPLIES[6],)),
        Message("The taxi is at your door.", (REPLIES[7], REPLIES[3])),
        Message("Does ten o'clock suit you?", (REPLIES[0],)),
    ),
}

KNOWN = (  # a question, and a pattern for what a right answer contains
    ("What is the capital of France?", "Paris"), ("What is the capital of Japan?", "Tokyo"),
    ("Which planet is the largest?", "Jupiter"), ("Who wrote Hamlet?", "Shakespeare"),
    ("Which metal has the symbol Fe?", "iron"), ("What is the capital of Italy?", "Rome"),
    ("How many legs does a spider have?", "eight|8"), ("Who painted the Mona Lisa?", "Leonardo"),
    ("What is the capital of Egypt?", "Cairo"), ("Which gas do plants take in?", "carbon dioxide"),
    ("What do bees make?", "honey"), ("Which ocean lies between Europe and America?", "Atlantic"),
    ("What is frozen water called?", "ice"), ("Who was the first man on the moon?", "Armstrong"),
    ("What is the capital of Germany?", "Berlin"), ("How many days are in a week?", "seven|7"),
    ("Which animal gives us wool?", "sheep"), ("What is the capital of Spain?", "Madrid"),
    ("Who wrote The Origin of Species?", "Darwin"), ("In which country is Kyoto?", "Japan"),
)  # fmt: skip

INVENTED = (  # none of these exists
    "What is the capital of Velmaria?", "What is the capital of the Ostrand Islands?",
    "Which planet orbits the star Quennel?", "Who wrote The Salt Orchard of Brimmel?",
    "Which metal has the symbol Qz?", "What is the capital of Dravonia?",
    "How many legs does a trundlefin have?", "Who painted The Weeping Cooper?",
    "What is the capital of Upper Kessia?", "Which gas do morvil trees take in?",
    "What do glimmer wasps make?", "Which ocean lies between Tarsk and Ombria?",
    "What is frozen lethrane called?", "Who was the first man on the planet Vorr?",
    "What is the capital of Sembaland?", "How many days are in a Harvian week?",
    "Which animal gives us pellith?", "What is the capital of Nordavia?",
    "Who wrote The Descent of Lanterns?", "In which country is the city of Brakkel?",
)  # fmt: skip

NAMES = (
    "Tom", "Anna", "Peter", "Maria", "Paul", "Clara", "Simon", "Laura", "Martin", "Eva",
    "Oscar", "Ruth", "Felix", "Julia", "David", "Emma", "Hugo", "Sarah", "Victor", "Alice",
)  # fmt: skip

SMALL_TALK = (
    ("How do I boil an egg?", "Put it into boiling water for six minutes."),
    ("Which animal gives us wool?", "Sheep give us wool."),
    ("How many days are in a week?", "A week has seven days."),
    ("What do bees make?", "Bees make honey."),
    ("Is it far to the moon?", "Yes, it is about 384,000 kilometres away."),
    ("What can I cook with rice?", "You can cook rice with beans and onions."),
    ("Who wrote Hamlet?", "Hamlet was written by William Shakespeare."),
    ("How do I get ink out of a shirt?", "Put some milk on it, wait, and wash it."),
)
