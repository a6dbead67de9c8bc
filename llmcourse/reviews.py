"""Short reviews of things and services, in English and Chinese, with what they say of them.

Data card: written for this book, one author, 2026 (120 of the 200 to train from templates, the
rest by hand).  English: 200 to train, 24 to tune, 80 to test, half of each in favour, half
against, and 24 that take no side; Chinese: 60 to test and 20 to train.  The test part has no
sentence of the other parts.  Its plain half is written in pairs, two opinions of one thing; the
other half is meant to be hard: negation, praise with a barb, things one reads between the lines.
Not good for: saying how well a model does on real reviews, which are longer, misspelt and of every
age and temper.  CC0.
"""

import random
import re
from typing import NamedTuple

LABELS = ("against", "in favour")


class Review(NamedTuple):
    """A text; 1 = in favour, 0 = against, None = takes no side; and whether it is meant hard."""

    text: str
    label: int | None
    hard: bool = False


def reviews(part: str = "train") -> list[Review]:
    """The reviews of a part, in a fixed mixed order.

    Args:
        part: "train", "dev" or "test"; "neutral"; "chinese train" or "chinese test".

    Raises:
        ValueError: for another part.
    """
    if part == "neutral":
        return [Review(text, None) for text in _lines(_NEUTRAL)]
    if part not in _PARTS:
        raise ValueError(f"part is {part!r}: choose one of neutral, {', '.join(_PARTS)}")
    found = []
    for label, (easy, hard) in enumerate(_PARTS[part]):
        found += [Review(text, label) for text in _lines(easy)]
        found += [Review(text, label, True) for text in _lines(hard)]
    if part == "train":
        found += _from_templates()
    random.Random(part).shuffle(found)
    return found


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines() if line.strip()]


def _from_templates() -> list[Review]:
    """60 of each label, no two alike."""
    draw, found = random.Random(1), []
    for label in (0, 1):
        texts = set()
        while len(texts) < 60:
            template = draw.choice(_TEMPLATES[label])
            texts.add(template.format(thing=draw.choice(_THINGS), word=draw.choice(_WORDS[label])))
        spelled = (re.sub(r"\b([Aa]) (?=awful|ugly|excellent)", r"\1n ", t) for t in sorted(texts))
        found += [Review(text, label) for text in spelled]
    return found


_THINGS = (
    *("kettle", "lamp", "rug", "jacket", "phone", "chair", "backpack", "keyboard", "blender"),
    *("tent", "watch", "pan"),
)
_WORDS = (
    ("awful", "flimsy", "useless", "ugly", "disappointing", "noisy", "terrible", "cheap"),
    ("lovely", "sturdy", "handy", "beautiful", "excellent", "quiet", "wonderful", "solid"),
)
_TEMPLATES = (
    (
        "The {thing} is {word}.",
        "What a {word} {thing}.",
        "I sent the {thing} back, it was {word}.",
        "A {word} {thing}, I regret buying it.",
        "Do not buy this {thing}: {word}.",
    ),
    (
        "The {thing} is {word}.",
        "What a {word} {thing}.",
        "I use the {thing} every day, it is {word}.",
        "A {word} {thing}, I would buy it again.",
        "Get this {thing}: {word}.",
    ),
)

_TRAIN = (
    """
    It broke after two days.
    Waste of money.
    The zip came off in my hand the first time.
    Support never answered my three emails.
    Smells of glue, and the smell does not go away.
    The colour is nothing like the picture.
    My old one was better in every way.
    It leaks, and the shop says it is my fault.
    I gave up after an hour with the manual.
    The food was cold and the waiter rude.
    The room had not been cleaned.
    We waited ninety minutes for a table we had booked.
    The sequel ruins everything the first film had.
    I fell asleep before the end.
    The plot makes no sense and nobody in it is likeable.
    Battery dead by noon.
    The screen scratches if you look at it.
    Two screws were missing and one leg is too short.
    The delivery came a week late and the box was crushed.
    It heats everything except the water.
    Do yourself a favour and look elsewhere.
    The worst headphones I have owned.
    Shrinks in the wash by two sizes.
    The app crashes whenever I open the camera.
    They charged my card twice.
    Tastes like cardboard.
    I want my evening back.
    The seams opened within a month.
    The guide had clearly never been there.
    The bed was so soft that my back hurt for days.
    The songs all sound alike.
    The update deleted my photographs.
    It wobbles on any floor.
    Overpriced and underwhelming.
    The lid does not fit the pot it came with.
    He was late, left early, and the tap still drips.
    A boring book about an interesting subject.
    The light flickers and gives me headaches.
    I asked for a refund on the same day.
    The staff laughed at my question.
    """,
    """
    Works as it should, and has for two years.
    Worth every penny.
    My children fight over who may use it.
    Support answered within the hour and solved it.
    The fabric feels soft and washes well.
    Exactly the colour of the picture.
    Better than the one that cost me twice as much.
    I have recommended it to all my friends.
    Set up in five minutes, without the manual.
    The soup was the best I have had in years.
    A spotless room with a view of the lake.
    Our waiter remembered us from last summer.
    The last scene made me cry.
    I read it in one night.
    Funny, clever and over too soon.
    The battery lasts for days.
    It survived a fall from the table.
    Every part fitted, and there were spare screws.
    It came a day early and well packed.
    Boils a litre in two minutes.
    I would choose it again without thinking.
    These headphones make old records sound new.
    Still in shape after thirty washes.
    The app does what I need and nothing else.
    They took it back without a question.
    Tastes like my grandmother's.
    The two hours flew by.
    Stitched to last.
    The guide knew every stone and every joke.
    I have never slept so well in a hotel.
    Not one weak song on it.
    The update made it twice as fast.
    It stands like a rock.
    A bargain.
    The lid closes with a click and nothing spills.
    He came on time, fixed the tap and swept the floor.
    A dull subject and a thrilling book.
    Warm light, perfect for reading.
    I bought a second one for my sister.
    The staff went out of their way to help.
    """,
)
_DEV = (
    """
    The handle got so hot that I dropped it.
    Nothing about this trip was as promised.
    I expected more from that name.
    Its noise wakes the baby.
    The ending is an insult.
    I had to assemble it three times.
    Thin, scratchy and far too long.
    Not what I ordered.
    No one at the desk could help us.
    It was good for a week.
    I could not recommend it to anybody.
    The instructions are wrong.
    """,
    """
    The handle stays cool even when it boils.
    The trip was everything they had promised.
    That name has earned my trust.
    So quiet that the baby sleeps beside it.
    What an ending.
    Assembled in no time.
    Warm, light and just the right length.
    Just what I ordered.
    Everyone at the desk was helpful.
    After a year it is as good as new.
    I cannot recommend it enough.
    The instructions are a joy.
    """,
)
_TEST_EASY = (
    """
    The strap tore on the first walk.
    I have thrown it away.
    Stains that no washing takes out, from the very first day.
    Slow, loud and heavy.
    The hotel was dirty and the neighbours shouted all night.
    I was bored from the first page.
    Rude on the telephone, worse in the shop.
    It stopped charging after a month.
    The bread was stale.
    Horrible sound, I turned it off.
    A poor copy of a good idea.
    The paint peels.
    They lost my suitcase and shrugged.
    My worst purchase this year.
    The acting is wooden and the jokes are old.
    Stay away from this place.
    Its motor burned out while I was making soup.
    The seller lied about the size.
    I hate the new design.
    Painful shoes.
    """,
    """
    The strap has survived a hundred walks.
    I take it with me everywhere.
    Comes out of the wash like new.
    Fast, quiet and light.
    A clean hotel in a street where you hear nothing but birds.
    I was hooked from the first page.
    Friendly on the telephone, kinder still in the shop.
    After a year it charges as on the first day.
    The bread was warm from the oven.
    A rich sound, I turned it up.
    A good idea, beautifully carried out.
    The paint shines.
    They found my suitcase and drove it to my door.
    My best purchase this year.
    The acting is superb and the jokes are fresh.
    You have to visit this place.
    Its motor takes frozen fruit without complaint.
    The seller was honest about the scratch.
    I love the new design.
    Comfortable shoes.
    """,
)
_TEST_HARD = (
    """
    Not exactly the holiday of our dreams.
    I wanted to like it.
    If you enjoy waiting, this is the restaurant for you.
    It would be a great lamp if it gave any light.
    Great, another charger for the drawer of broken chargers.
    Nobody could call this comfortable.
    The beautiful box is the best thing about it.
    Not good at all.
    I had hoped for more than a pretty cover.
    My dog liked it, as something to chew.
    Far from the quality they used to have.
    Hardly worth the walk, let alone the price.
    They were quick to take my money.
    Never have I been so glad that a film was over.
    It does everything, and nothing well.
    You get what you pay for, and I paid little.
    The only thing that works is the warning light.
    Everyone praises it; I cannot see why.
    It is no pleasure to use.
    A masterpiece of packaging.
    """,
    """
    Not bad at all.
    I did not want to like it, and now I own three.
    I cannot find anything wrong with it.
    You will not regret this one.
    It never let me down, not once in ten winters.
    I was wrong to doubt it.
    Nothing to complain about, and I like to complain.
    No noise, no smell, no trouble.
    Hardly a day without it.
    The bad reviews almost kept me from it; luckily they did not.
    I had feared the worst and was surprised.
    Far from cheap, and still a bargain.
    It hurts only when I have to give it back to my brother.
    My old one died, and I do not miss it any more.
    Ugly, and the most useful thing in my kitchen.
    Who would have thought that a mop could make me happy?
    It took them a while, and it was worth the wait.
    There is no better pan at this price.
    I would be lost without it.
    The queue was terrible, the ice cream worth every minute of it.
    """,
)
_NEUTRAL = """
    The parcel came on Tuesday.
    It has two pockets and a zip.
    The kettle holds 1.7 litres.
    I have owned it for a week.
    The film lasts two hours.
    It is available in blue and in grey.
    The hotel is opposite the station.
    I ordered the medium size.
    The book has four hundred pages.
    It runs on two batteries.
    My sister has the same one.
    The shop closes at six.
    It is made of wood.
    There are twelve songs on it.
    The manual comes in five languages.
    I use it in the kitchen.
    The tent is for three people.
    It weighs about a kilogram.
    We stayed for two nights.
    It needs a charger with a round plug.
    The jacket has a hood.
    This replaces the model of last year.
    You can pay by card.
    The chair is forty-five centimetres high.
"""
_CHINESE_TRAIN = (
    """
    用了两天就坏了。
    浪费钱。
    颜色和图片完全不一样。
    客服一直不回复。
    味道很差，不会再来。
    房间又脏又吵。
    电池半天就没电了。
    做工粗糙，不推荐。
    等了一个小时才上菜。
    剧情无聊，看到一半就睡着了。
    """,
    """
    用了两年，一点问题都没有。
    物超所值。
    颜色和图片一模一样。
    客服很快就解决了问题。
    味道很好，下次还来。
    房间又干净又安静。
    电池可以用好几天。
    做工精细，值得推荐。
    上菜很快，服务员很热情。
    剧情精彩，一口气看完了。
    """,
)
_CHINESE_TEST = (
    """
    第一次用就断了。
    质量太差，已经退货。
    声音很大，孩子都被吵醒了。
    面包是硬的，咖啡是凉的。
    快递晚了一个星期，箱子也破了。
    这是我今年买得最后悔的东西。
    服务员态度很不好。
    鞋子穿着磨脚。
    洗了一次就缩水了。
    屏幕很容易刮花。
    说明书看不懂，装了三次都没装好。
    演员演得很假，笑话也不好笑。
    酒店离车站很远，床也不舒服。
    吃起来像纸板一样。
    新的设计很难看。
    把手太烫，根本拿不住。
    更新以后手机变得更慢了。
    卖家骗人，尺寸不对。
    再也不会买这个牌子了。
    椅子晃来晃去，坐不稳。
    """,
    """
    每天都用，非常方便。
    质量很好，朋友也买了一个。
    声音很小，孩子睡得很香。
    面包刚出炉，咖啡也很香。
    快递提前一天就到了，包装很好。
    这是我今年买得最满意的东西。
    服务员非常耐心。
    鞋子穿着很舒服。
    洗了很多次还像新的一样。
    屏幕又清晰又结实。
    说明书很清楚，五分钟就装好了。
    演员演得很真，笑得我肚子疼。
    酒店就在湖边，睡得特别好。
    味道像妈妈做的一样。
    新的设计很漂亮。
    水烧开了把手也不烫。
    更新以后手机快了很多。
    卖家很诚实，尺寸正好。
    以后还会买这个牌子。
    椅子很稳，坐着很舒服。
    """,
)
_CHINESE_HARD = (
    """
    本来很期待，结果很一般。
    除了包装，没有一样好的。
    谁说它舒服，我可不同意。
    便宜是便宜，可是没用。
    如果你喜欢排队，就来这家店。
    没有我想的那么好。
    唯一能用的是指示灯。
    看完这部电影，我只庆幸它终于结束了。
    算不上好吃。
    送人都不好意思。
    """,
    """
    一点也不差。
    找不出什么毛病。
    本来不想买，现在离不开它了。
    贵是贵了点，可是值得。
    没有让我失望过。
    样子不好看，却是厨房里最有用的东西。
    没什么可抱怨的。
    差评差点让我错过它。
    排了很久的队，但是值得。
    没有比它更好的锅了。
    """,
)
_PARTS = {
    "train": tuple((text, "") for text in _TRAIN),
    "dev": tuple((text, "") for text in _DEV),
    "test": tuple(zip(_TEST_EASY, _TEST_HARD, strict=True)),
    "chinese train": tuple((text, "") for text in _CHINESE_TRAIN),
    "chinese test": tuple(zip(_CHINESE_TEST, _CHINESE_HARD, strict=True)),
}
