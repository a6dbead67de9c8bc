"""A test of stories that was thrown away: one right ending and one wrong one for each story.

Data card.  Written by hand for this book, in English, before the stories of `llmcourse.writing`:
CC0.  The wrong endings were made up to be wrong, and it shows: they can be told from the right ones
without the stories.  Good for: seeing that.  Not good for: anything else.
"""

from typing import NamedTuple


class FirstStory(NamedTuple):
    """A story up to its end, the ending that follows, and one that does not."""

    text: str
    ending: str
    wrong: str


FIRST_STORIES = (
    FirstStory("Mara had waited all week for the rain to stop. On Sunday the sky was blue. She put"
               " the tent into the car.",
               "She drove to the lake.", "She stayed in because of the rain."),
    FirstStory("Tom had never baked before. He left the cake in the oven and fell asleep. When he"
               " woke up, the kitchen was full of smoke.",
               "The cake was black.", "The cake was perfect."),
    FirstStory("The old man fed the same sparrow every morning. One winter it did not come. In"
               " March he heard a tap on the window.",
               "The sparrow was back.", "The sparrow was never there."),
    FirstStory("Lena lost her key on the way home. She rang at the neighbour's, who had a second"
               " one. The neighbour opened the door.",
               "Lena got into her flat.", "Lena slept in the street."),
    FirstStory("The boy promised to be home at six. At nine his mother was still alone at the"
               " table. Then the door opened.",
               "She was angry with him.", "She thanked him for being early."),
    FirstStory("Ruth saved for two years to buy a piano. She did not go on holiday. Last Friday the"
               " lorry stopped at her door.",
               "Two men carried in a piano.", "Two men carried in a boat."),
    FirstStory("A farmer had a lazy dog that slept all day. One night a fox crept up to the hens."
               " The dog began to bark.",
               "The fox ran away.", "The fox bought a ticket."),
    FirstStory("Nobody in the village could read the letter. It was written in Polish. Then they"
               " remembered that the baker came from Warsaw.",
               "The baker read it to them.", "The baker could not read Polish."),
    FirstStory("Ines trained for the race every day. On the last hill she passed the two who were"
               " in front of her. She did not look back.",
               "She won the race.", "She came last."),
    FirstStory("Paul told his sister that he hated fish. She forgot about it. When he came to"
               " dinner, there was salmon on the table.",
               "He ate only the potatoes.", "He asked for more of the salmon."),
    FirstStory("The museum was to close at five. Two children hid behind a statue. When the lights"
               " went out, they heard the door being locked.",
               "They were alone in the dark.", "They went in and bought a ticket."),
    FirstStory("Grandmother could not find her glasses. She looked in every room. At last her"
               " grandson began to laugh and pointed at her head.",
               "She was wearing them.", "She had sold them."),
    FirstStory("The train to the coast left at eight. Hugo's alarm did not ring. He ran onto the"
               " platform at ten past eight.",
               "The train was gone.", "The train was too early for him."),
    FirstStory("Anna planted a bean in a cup. She watered it each day. After a week she saw"
               " something green.",
               "The bean had come up.", "The bean had died of thirst."),
    FirstStory("The king offered gold to anybody who could make his daughter laugh. The clowns"
               " failed. A shepherd slipped and fell into the fountain.",
               "The princess laughed.", "The princess paid for the gold."),
    FirstStory("Ben found a wallet with a lot of money and an address. He was poor. He thought"
               " about it for an hour.",
               "He brought it back to its owner.", "He had never seen a wallet before."),
    FirstStory("The bridge had been closed since the flood. The two halves of the town missed each"
               " other. In May the last plank was laid.",
               "People danced on the bridge.",
               "People swam across because there was no bridge."),
    FirstStory("Clara was afraid of dogs. Her new neighbour had a puppy. It licked her hand each"
               " time she passed, and she began to like it.",
               "She asked if she might walk it.", "She moved to get away from it."),
    FirstStory("The captain saw a light where no light should be. He ordered the ship to turn. In"
               " the morning they saw the rocks.",
               "He had saved the ship.", "He had sunk the ship."),
    FirstStory("Omar wrote to his brother every month and never got an answer. He went on. One day"
               " there was a thick letter in the box.",
               "His brother had written at last.", "His brother had forgotten him again."),
    FirstStory("The girls built a raft from old barrels. They tied the ropes badly. In the middle"
               " of the pond a barrel came loose.",
               "They fell into the water.", "They flew over the trees."),
    FirstStory("Mr Dahl never spoke to anybody on the bus. One day a child sat down next to him and"
               " asked what he was reading. He looked up.",
               "He began to tell her about the book.", "He had no book with him."),
    FirstStory("The cook had salted the soup. Then his helper salted it too. The guests each took a"
               " spoonful.",
               "They asked for water.", "They asked for salt."),
    FirstStory("It had not snowed in the town for ten years. The children had never seen it. On the"
               " morning of the feast everything was white.",
               "They ran out to play.", "They ran out to swim in the sea."),
    FirstStory("The thief took the painting from the wall. He did not see the small camera above"
               " the door. The next day there was a knock.",
               "The police were outside.", "The painting was outside."),
    FirstStory("Eva had left her umbrella in the cafe. She walked home under black clouds. Halfway"
               " there it began to pour.",
               "She got wet to the skin.", "She opened her umbrella."),
    FirstStory("The clockmaker could repair anything. A girl brought him a watch that ran"
               " backwards. He worked on it all night.",
               "In the morning it ran forwards.", "In the morning he had never seen it."),
    FirstStory("Two friends had quarrelled about money. They did not speak for years. At the"
               " funeral of their teacher they stood side by side.",
               "They shook hands.", "They had never met before."),
    FirstStory("The mountain hut had food for three days. On the third day the storm had not"
               " stopped. The hikers looked at the last bread.",
               "They cut it into small pieces.",
               "They threw it to the birds, for they had plenty."),
    FirstStory("Sofia practised her speech in front of the mirror. She knew each word. On the stage"
               " she looked into three hundred faces and was silent.",
               "She had forgotten everything.", "She spoke louder than ever."),
)  # fmt: skip
