"""Small pictures with two coloured shapes, their captions, and a GPT that reads pictures.

Data card: drawn by this module at random, 24 x 24 pixels in three colours with a little noise; the
caption names the things in reading order and says whether they stand in a row or in a column.
Nothing in them is from anywhere else (CC0).  They are good for one question, whether a model that
reads tokens can read patches, and say nothing about photographs.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llmcourse.gpt import GPT, GPTConfig

COLORS = {
    "red": (0.84, 0.19, 0.15),
    "green": (0.0, 0.62, 0.45),
    "blue": (0.0, 0.45, 0.7),
    "yellow": (0.94, 0.85, 0.26),
}
SHAPES = ("square", "disc", "cross", "triangle")
THINGS = [(color, shape) for color in COLORS for shape in SHAPES]
RARE = ("green", "triangle")  # in no picture of the training part
WORDS = ["<start>", ".", "left-of", "above", *COLORS, *SHAPES]
SIZE, PATCH = 24, 4


@dataclass(frozen=True)
class Picture:
    """Pixels in 0 to 1, (3, 24, 24), and the six words of the caption."""

    pixels: Tensor
    caption: tuple[str, ...]


def pictures(n: int, part: str = "train", seed: int = 0) -> list[Picture]:
    """`n` pictures; the same ones for the same seed.

    Args:
        part: "train" and "test" have every thing but a green triangle; each picture of "rare" has
            one, beside something else.

    Raises:
        ValueError: for another part, or fewer than one picture.
    """
    if part not in ("train", "test", "rare"):
        raise ValueError(f"part is {part!r}: choose 'train', 'test' or 'rare'")
    if n < 1:
        raise ValueError(f"n is {n}: ask for at least one picture")
    draw, result = random.Random(f"{part} {seed}"), []
    usual = [thing for thing in THINGS if thing != RARE]
    for _ in range(n):
        things = draw.sample(usual, 2)
        if part == "rare":
            things[draw.randrange(2)] = RARE
        result.append(_picture(things, draw))
    return result


def _picture(things: Sequence[tuple[str, str]], draw: random.Random) -> Picture:
    """The first thing left of the second, or above it, on a grid of patches."""
    across, along = draw.choice([0, 4, 8, 12, 16]), (draw.choice([0, 4]), draw.choice([12, 16]))
    relation = draw.choice(["left-of", "above"])
    pixels = torch.ones(3, SIZE, SIZE)
    for (color, shape), start in zip(things, along, strict=True):
        y, x = (across, start) if relation == "left-of" else (start, across)
        pixels[:, y : y + 8, x : x + 8][:, _outline(shape)] = torch.tensor(COLORS[color])[:, None]
    noise = torch.Generator().manual_seed(draw.randrange(2**31))
    pixels = (pixels + 0.06 * torch.randn(pixels.shape, generator=noise)).clamp(0, 1)
    (a, b), (c, d) = things
    return Picture(pixels, (a, b, relation, c, d, "."))


def _outline(shape: str) -> Tensor:
    """Which of 8 x 8 pixels a shape covers."""
    y, x = torch.meshgrid(torch.arange(8) - 3.5, torch.arange(8) - 3.5, indexing="ij")
    return {
        "square": (x.abs() < 3) & (y.abs() < 3),
        "disc": x**2 + y**2 < 11,
        "cross": (x.abs() < 1.1) | (y.abs() < 1.1),
        "triangle": (y > -3.4) & (x.abs() < (y + 3.6) / 2),
    }[shape]


def patches(pixels: Tensor, size: int = PATCH) -> Tensor:
    """Pictures cut into squares, row by row, each laid out as one vector.

    Args:
        pixels: (batch, 3, height, width).

    Returns:
        (batch, height // size * width // size, 3 * size * size).

    Raises:
        ValueError: when the squares do not fill the picture.
    """
    if pixels.dim() != 4 or pixels.shape[2] % size or pixels.shape[3] % size:
        raise ValueError(
            f"pixels has shape {tuple(pixels.shape)}: give (batch, 3, height, width), height and "
            f"width multiples of {size}"
        )
    return F.unfold(pixels, size, stride=size).transpose(1, 2)


def caption_ids(captions: Sequence[Sequence[str]]) -> Tensor:
    """The ids of captions, with `<start>` before them: (batch, 7)."""
    ids = {word: i for i, word in enumerate(WORDS)}
    return torch.tensor([[0, *(ids[word] for word in caption)] for caption in captions])


class PictureGPT(nn.Module):
    """A GPT whose context begins with the patches of a picture.

    One matrix turns a patch into a vector as wide as a token's; from there on nothing is new.
    Patches see each other, words see all patches and the words before them.

    Source: Dosovitskiy et al., "An Image is Worth 16x16 Words", 2020, section 3.1, for patches;
    Liu et al., "Visual Instruction Tuning", 2023, section 4.1, for handing them to a decoder.
    """

    def __init__(self, d_model: int = 64, n_layer: int = 3, n_head: int = 4):
        super().__init__()
        self.n_patches = (SIZE // PATCH) ** 2
        self.config = GPTConfig(
            vocab_size=len(WORDS),
            context_length=self.n_patches + 7,
            n_layer=n_layer,
            n_head=n_head,
            d_model=d_model,
        )
        self.gpt = GPT(self.config)
        self.look = nn.Linear(3 * PATCH * PATCH, d_model)

    def forward(self, pixels: Tensor, words: Tensor, blind: bool = False) -> Tensor:
        """Logits for the word after each of `words`, (batch, n_words, vocab_size).

        Args:
            pixels: (batch, 3, 24, 24).
            words: ids that begin with 0, `<start>`: (batch, n_words).
            blind: the picture is replaced by grey.
        """
        seen = self.look(patches(pixels) - 0.5)
        if blind:
            seen = torch.zeros_like(seen)
        x = torch.cat((seen, self.gpt.token_embedding(words)), dim=1)
        x = x + self.gpt.positions(torch.arange(x.shape[1], device=x.device))
        mask = picture_mask(self.n_patches, words.shape[1]).to(x.device)
        for block in self.gpt.blocks:
            x = block(x, mask=mask)
        x = self.gpt.norm(x[:, self.n_patches :])
        return F.linear(x, self.gpt.token_embedding.weight)

    @torch.no_grad()
    def describe(self, pixels: Tensor, blind: bool = False) -> list[tuple[str, ...]]:
        """The likeliest word, six times, for each picture."""
        words = torch.zeros(len(pixels), 1, dtype=torch.int64, device=pixels.device)
        for _ in range(6):
            best = self(pixels, words, blind)[:, -1].argmax(-1)
            words = torch.cat((words, best[:, None]), dim=1)
        return [tuple(WORDS[i] for i in row) for row in words[:, 1:].tolist()]


def picture_mask(n_patches: int, n_words: int) -> Tensor:
    """Who may attend to whom, (n, n) with n = n_patches + n_words: True = may."""
    mask = torch.ones(n_patches + n_words, n_patches + n_words, dtype=torch.bool).tril()
    mask[:n_patches, :n_patches] = True
    return mask
