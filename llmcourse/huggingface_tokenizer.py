"""A byte-pair tokenizer as the files that Hugging Face's libraries read.

`tokenizer.json` holds the vocabulary, the merges and the rule that cuts a text into words;
`tokenizer_config.json` says which special tokens end a text or fill a batch, and how a chat is
written out.
"""

from llmcourse.tokenizers import BYTES, BPETokenizer


def tokenizer_files(
    tokenizer: BPETokenizer,
    end_token: str | None = None,
    pad_token: str | None = None,
    chat_template: str | None = None,
    max_length: int | None = None,
) -> dict[str, dict]:
    """The contents of both files, by name, for `json.dump`.

    `transformers.AutoTokenizer` then gives the ids of `tokenizer.encode(text, "all")`: unlike ours,
    it takes special tokens that stand in a text for what they name, whoever wrote them.

    Args:
        end_token, pad_token: special tokens, where the model knows some.
        chat_template: Jinja source that writes out a list of messages.
        max_length: the model's context_length.

    Raises:
        ValueError: for an end_token or pad_token that is not a special token of the tokenizer.
    """
    for name, token in (("end_token", end_token), ("pad_token", pad_token)):
        if token is not None and token not in tokenizer.special_tokens:
            raise ValueError(
                f"{name} is {token!r}, which is no special token of this tokenizer: it has "
                f"{', '.join(tokenizer.special_tokens) or 'none'}"
            )
    names = _printable(tokenizer)
    numbers = tokenizer.ids or range(len(names) + len(tokenizer.special_tokens))
    vocabulary = {name: i for name, i in zip(names, numbers) if i is not None}
    added = [
        {"id": i, "content": name, "special": True, "normalized": False}
        | dict.fromkeys(("single_word", "lstrip", "rstrip"), False)
        for name, i in sorted(tokenizer.special_tokens.items(), key=lambda item: item[1])
    ]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    byte_level |= {"use_regex": False}
    # "|(?s:.)": a character that the pattern passes over is a word of its own, as with us.
    split = {"type": "Split", "pattern": {"Regex": f"(?:{tokenizer.pattern})|[\\s\\S]"}}
    split |= {"behavior": "Isolated", "invert": False}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": max_length,
        "eos_token": end_token,
        "pad_token": pad_token,
        "chat_template": chat_template,
    }
    return {
        "tokenizer.json": {
            "version": "1.0",
            "added_tokens": added,
            "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
            "post_processor": None,
            "decoder": byte_level,
            "model": {
                "type": "BPE",
                "vocab": vocabulary | {token["content"]: token["id"] for token in added},
                "merges": [[names[left], names[right]] for left, right in tokenizer.merges],
            },
        },
        "tokenizer_config.json": {k: v for k, v in settings.items() if v is not None},
    }


def _printable(tokenizer: BPETokenizer) -> list[str]:
    """The bytes and merges as GPT-2 writes them: a printable character for each byte.

    Those that do not print (space, line break, ...) are `chr(256)` and following, in order.
    """
    printing = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    letter = {byte: chr(byte if byte in printing else next(others)) for byte in sorted(range(256))}
    names = [letter[byte] for byte in BYTES]
    for left, right in tokenizer.merges:
        names.append(names[left] + names[right])
    return names
