"""Have sentences spoken, heard with noise, and the recogniser's lists judged by language models.

    python benchmarks/chapter_21.py speak FLITE FOLDER    # writes the recordings (Linux)
    python benchmarks/chapter_21.py listen FOLDER         # writes llmcourse/spoken.json.gz

FLITE is the program flite 2.2 (Debian's package `flite`), FOLDER a place for all recordings, most
of which are not shipped.  `speak` also needs `pip install espeakng-loader` (eSpeak NG is under the
GPL, and not among the pins: only the sound of two sentences comes from it).  `listen` takes some
five minutes on two cores.  Noise has seeds and the models draw nothing: it gives the same again,
but for guesses that are nearly equal, where another machine adds floats in another order.
"""

import ctypes
import gzip
import json
import multiprocessing
import random
import re
import subprocess
import sys
import wave
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from tqdm import tqdm

import llmcourse
from llmcourse.corpora import load_corpus
from llmcourse.ngram import NGramModel
from llmcourse.pretrained import from_pretrained, pretrained_tokenizer
from llmcourse.speech import Recogniser, add_noise, word_errors
from llmcourse.spoken import SENTENCES, from_mu_law, to_mu_law, written

PACKAGE = Path(llmcourse.__file__).parent
VOICES, DECIBELS, LONGEST, OWN_WEIGHT = ("rms", "slt"), 28, 20, 9.5
LEVELS = (None, 40, 35, 30, 25, 20, 10)
ALIKE = ("it is hard to recognize speech", "it is hard to wreck a nice beach")
TONE = "you are coming home tonight"


def old_lines() -> list[str]:
    """48 lines of 6 to 12 words from the held-out King James text, all of known words."""
    from pocketsphinx import get_model_path

    lines = Path(get_model_path("en-us/cmudict-en-us.dict")).read_text().splitlines()
    known = {line.split()[0] for line in lines}
    _, passages = load_corpus("king-james").split()
    found = []
    for passage in passages:  # the first and last pieces of a passage may be cut off
        for piece in re.split(r"[.;:]", passage)[1:-1]:
            words = re.sub(r"[,()?!]", " ", piece.lower()).split()
            if 6 <= len(words) <= 12 and known.issuperset(words):
                found.append(" ".join(words))
    return random.Random(0).sample(sorted(set(found)), 48)


def texts() -> list[tuple[str, str, str]]:
    """Kind, part and text of everything that is spoken; the voices take turns."""
    today = [("today", part, text) for part in ("dev", "test") for text in SENTENCES[part]]
    old = [("1611", "dev" if i < 16 else "test", text) for i, text in enumerate(old_lines())]
    return today + old


# ------------------------------------------------------------------------------------- speak


def flite(program: str, voice: str, text: str, file: Path) -> numpy.ndarray:
    subprocess.run([program, "-voice", voice, "-t", text, "-o", str(file)], check=True)
    with wave.open(str(file)) as sound:
        assert sound.getframerate() == 16_000
        return numpy.frombuffer(sound.readframes(sound.getnframes()), numpy.int16) / 32768


def espeak(text: str) -> numpy.ndarray:
    """A sentence in eSpeak NG's voice en-us, whose pitch follows the punctuation."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Info.restype = ctypes.c_char_p
    rate = library.espeak_Initialize(1, 0, str(espeakng_loader.get_data_path()).encode(), 0)
    print("eSpeak NG", library.espeak_Info(None).decode(), rate, "Hz")
    pieces = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    def receive(sound, n, _):
        if n > 0:
            pieces.append(numpy.ctypeslib.as_array(sound, (n,)).copy())
        return 0

    library.espeak_SetSynthCallback(receive)
    library.espeak_SetVoiceByName(b"en-us")
    library.espeak_Synth(text.encode(), len(text) + 1, 0, 0, 0, 1, None, None)
    library.espeak_Synchronize()
    sound = numpy.concatenate(pieces) / 32768
    # To 16,000 a second: leave out what is above 8 kHz, which that rate cannot hold.
    n = len(sound) * 16_000 // rate
    sound = numpy.fft.irfft(numpy.fft.rfft(sound)[: n // 2 + 1], n) * n / len(sound)
    return numpy.pad(sound, 4000)  # a quarter of a second of silence around it, as Flite leaves


def speak(program: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for voice in VOICES:
        for i, (_, _, text) in enumerate(tqdm(texts())):
            if voice != "rms" and VOICES[i % 2] != voice:
                continue
            sound = flite(program, voice, text, folder / "last.wav")
            numpy.save(folder / f"{voice}-{i}.npy", to_mu_law(sound))
    ship(program, folder)


def ship(program: str, folder: Path) -> None:
    """24 recordings into the package."""
    first = len(SENTENCES["dev"])
    shipped = [
        (text, "rms", numpy.load(folder / f"rms-{first + i}.npy"))
        for i, text in enumerate(SENTENCES["test"][:20])
    ]
    for text in ALIKE:
        shipped.append((text, "awb", to_mu_law(flite(program, "awb", text, folder / "last.wav"))))
    for mark, name in ((".", "statement"), ("?", "question")):
        sound = espeak(TONE + mark)
        shipped.append((TONE, f"espeak, {name}", to_mu_law(0.7 * sound / abs(sound).max())))
    names, voices, codes = zip(*shipped)
    numpy.savez_compressed(
        PACKAGE / "spoken.npz",
        codes=numpy.concatenate(codes),
        ends=numpy.cumsum([len(code) for code in codes]),
        texts=numpy.array(names),
        voices=numpy.array(voices),
    )


# ------------------------------------------------------------------------------------ listen


class Judges:
    """Natural log-probabilities of sentences under three language models."""

    names = ("trigram", "kneser-ney", "course-gpt", "smollm2")

    def __init__(self) -> None:
        bible, _ = load_corpus("king-james").split()
        self.counts = NGramModel(bible.encode(), order=5)
        self.models = {
            name: (from_pretrained(name), pretrained_tokenizer(name))
            for name in ("course-gpt", "smollm2-135m-instruct")
        }

    def __call__(self, sentences: list[str]) -> list[list[float]]:
        on_paper = [written(words) for words in sentences]
        counted = [
            -self.counts.bits(f". {text}".encode())[1:].sum() * numpy.log(2) for text in on_paper
        ]
        gpt = self._network("course-gpt", ".", [f" {text}" for text in on_paper])
        smol = self._network("smollm2-135m-instruct", "<|endoftext|>", on_paper)
        return [[round(float(s), 2) for s in scores] for scores in zip(counted, gpt, smol)]

    @torch.no_grad()
    def _network(self, name: str, before: str, sentences: list[str]) -> list[float]:
        model, tokenizer = self.models[name]
        start = tokenizer.encode(before, "all")
        rows = [start + tokenizer.encode(text) for text in sentences]
        longest = max(map(len, rows))
        tokens = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        real = torch.tensor([[i < len(row) for i in range(1, longest)] for row in rows])
        logits = model(tokens).logits[:, :-1].transpose(1, 2)
        nats = F.cross_entropy(logits, tokens[:, 1:], reduction="none")
        return (-nats * real).sum(1).tolist()


def prepare() -> None:
    """What each process of `listen` needs."""
    global recogniser, judges
    torch.set_num_threads(1)
    recogniser, judges = Recogniser(), Judges()


def list_of(job: tuple) -> dict:
    folder, i, voice, kind, part, text = job
    sound = add_noise(from_mu_law(numpy.load(folder / f"{voice}-{i}.npy")), DECIBELS, i)
    first, guesses = recogniser.hear(sound), recogniser._answers(LONGEST, 300)
    return {
        "kind": kind, "part": part, "voice": voice, "text": text, "first": first,
        "list": [
            [g.words, round(g.score - OWN_WEIGHT * g.expected, 1), round(g.expected, 2), *scores]
            for g, scores in zip(guesses, judges([g.words for g in guesses]))
        ],
    }  # fmt: skip


def errors_of(job: tuple) -> dict:
    folder, i, voice, level, text = job
    sound = from_mu_law(numpy.load(folder / f"{voice}-{i}.npy"))
    sound = sound if level is None else add_noise(sound, level, i)
    errors = word_errors(text, recogniser.hear(sound))
    return {"decibels": level, "voice": voice, "text": text, "errors": errors}


def listen(folder: Path) -> None:
    first = len(SENTENCES["dev"])
    lists = [(folder, i, VOICES[i % 2], *row) for i, row in enumerate(texts())]
    levels = [
        (folder, i, "rms", level, text)
        for level in LEVELS
        for i, text in enumerate(SENTENCES["test"][:20], first)
    ]
    # What slt says, said by rms: is a sentence hard, or a voice?
    twins = [
        (folder, i, "rms", DECIBELS, text)
        for i, (kind, _, text) in enumerate(texts())
        if kind == "today" and VOICES[i % 2] == "slt"
    ]
    with multiprocessing.Pool(2, prepare) as pool:
        rows = list(tqdm(pool.imap(list_of, lists), total=len(lists)))
        noise = list(tqdm(pool.imap(errors_of, levels), total=len(levels)))
        same = list(tqdm(pool.imap(errors_of, twins), total=len(twins)))
    settings = {
        "command": "python benchmarks/chapter_21.py listen FOLDER",
        "decibels": DECIBELS, "noise seed": "index of the sentence, dev before test",
        "own weight": OWN_WEIGHT, "pocketsphinx": "5.1.1", "flite": "2.2",
        "torch": torch.__version__.split("+")[0], "models": Judges.names,
    }  # fmt: skip
    stored = json.dumps(settings | {"heard": rows, "noise": noise, "twins": same}, indent=None)
    with open(PACKAGE / "spoken.json.gz", "wb") as file:
        file.write(gzip.compress(stored.encode(), mtime=0))


if __name__ == "__main__":
    if sys.argv[1:2] == ["speak"] and len(sys.argv) == 4:
        speak(sys.argv[2], Path(sys.argv[3]))
    elif sys.argv[1:2] == ["listen"] and len(sys.argv) == 3:
        listen(Path(sys.argv[2]))
    else:
        sys.exit(__doc__)
