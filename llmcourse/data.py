"""From a text's token ids to the batches that a model is trained on."""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy
import torch
from torch import Tensor

from llmcourse.checkpoints import replacing


class TokenDataset:
    """The token ids of a text, one after the other, in memory or in a file that may be larger.

    A file is mapped into memory, not read: the system loads the pages that are asked for.  It is an
    ordinary `.npy` file of 16-bit numbers, or 32-bit ones where the vocabulary needs them.

    Args:
        tokens: ids, shape (n_tokens,), as a list, an array or a tensor.
    """

    def __init__(self, tokens: Sequence[int] | numpy.ndarray | Tensor):
        if not isinstance(tokens, numpy.memmap):
            tokens = numpy.asarray(tokens)
        if tokens.ndim != 1 or tokens.dtype.kind not in "iu":
            raise ValueError(
                f"tokens have shape {tokens.shape} and dtype {tokens.dtype}, but a text is one row "
                "of whole numbers, shape (n_tokens,)"
            )
        self.tokens = tokens

    def __len__(self) -> int:
        return len(self.tokens)

    def fingerprint(self) -> str:
        """Tells one text from another: a hash of a thousand stretches of it, also of a large file.

        Equal ids have the same, whichever whole numbers they are stored in.
        """
        starts = numpy.linspace(0, max(0, len(self) - 64), 1000).astype(int)
        parts = [self.tokens[start : start + 64].astype("<i8").tobytes() for start in starts]
        return hashlib.sha256(b"".join(parts)).hexdigest()[:16]

    @classmethod
    def open(cls, path: str | Path) -> "TokenDataset":
        """The dataset in a file that `write` wrote.

        Raises:
            FileNotFoundError: when there is no such file.
            ValueError: when it is not such a file, or cut short.
        """
        try:
            return cls(numpy.load(path, mmap_mode="r", allow_pickle=False))
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"there is no file {path}: TokenDataset.write makes it"
            ) from error
        except (ValueError, EOFError, OSError) as error:
            raise ValueError(
                f"{path} is not a whole file of token ids ({error}): write it again with "
                "TokenDataset.write"
            ) from error

    @classmethod
    def write(cls, path: str | Path, tokens: Iterable[int], vocab_size: int) -> "TokenDataset":
        """Write ids to a file as they come, in constant memory, and open it.

        The file appears when it is whole: until then, an older one of the same name stays.

        Args:
            tokens: any iterable of ids, such as `tokenizer.encode_iterable(lines)`.
            vocab_size: ids are from 0 to `vocab_size - 1`.

        Raises:
            ValueError: when there are no ids, or one is no whole number of the vocabulary.
        """
        dtype = numpy.dtype("<u2" if vocab_size <= 2**16 else "<u4")
        written, tokens = 0, iter(tokens)
        with replacing(Path(path)) as partial, open(partial, "wb") as file:
            _write_header(file, dtype, written)
            while piece := list(itertools.islice(tokens, 2**16)):
                array = numpy.array(piece)
                if array.dtype.kind not in "iu":
                    raise ValueError(f"tokens are {array.dtype}, but ids are whole numbers")
                if array.min() < 0 or array.max() >= vocab_size:
                    wrong = array[(array < 0) | (array >= vocab_size)][0]
                    raise ValueError(
                        f"token {written + int((array == wrong).argmax())} is {wrong}, but with a "
                        f"vocab_size of {vocab_size} ids are from 0 to {vocab_size - 1}: give the "
                        "vocab_size of the tokenizer that made them"
                    )
                array.astype(dtype).tofile(file)
                written += len(array)
            if not written:
                raise ValueError("tokens is empty: there is nothing to write")
            file.seek(0)
            _write_header(file, dtype, written)
        return cls.open(path)


def _write_header(file, dtype: numpy.dtype, length: int) -> None:
    # NumPy leaves room in the header for the length to grow, so the last one fits over the first.
    numpy.lib.format.write_array_header_1_0(
        file, {"descr": dtype.str, "fortran_order": False, "shape": (length,)}
    )


def window_starts(
    dataset: TokenDataset, batch: int, time: int, generator: torch.Generator | None = None
) -> Tensor:
    """Where the windows of `get_batch` begin, (batch,): it draws them with this."""
    if batch < 1 or time < 1:
        raise ValueError(f"batch is {batch} and time is {time}: choose 1 or more of both")
    if len(dataset) < time + 1:
        raise ValueError(
            f"the dataset has {len(dataset)} tokens, but a window of {time} and the token after it "
            f"take {time + 1}: use a longer text or a smaller time"
        )
    return torch.randint(len(dataset) - time, (batch,), generator=generator)


def get_batch(
    dataset: TokenDataset,
    batch: int,
    time: int,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
) -> tuple[Tensor, Tensor]:
    """Windows of the text at random places, and for each token the one that comes next.

    Args:
        batch: number of windows.
        time: tokens in each.
        generator: a CPU generator; without one, PyTorch's own.

    Returns:
        `tokens` and `targets`, both (batch, time), int64, on `device`:
        `targets[:, i]` follows `tokens[:, i]` in the text.

    Raises:
        ValueError: when the text is too short for one window and its last target, or a window or
            the batch would be empty.
    """
    starts = window_starts(dataset, batch, time, generator)[:, None].numpy()
    windows = torch.from_numpy(dataset.tokens[starts + numpy.arange(time + 1)].astype(numpy.int64))
    if device is not None:
        # From pinned memory the copy runs beside the computation.  Elsewhere nothing may overtake
        # it: MPS would go on reading memory that is no longer ours (PyTorch issue 139550).
        pinned = torch.device(device).type == "cuda"
        windows = (windows.pin_memory() if pinned else windows).to(device, non_blocking=pinned)
    return windows[:, :-1].contiguous(), windows[:, 1:].contiguous()


def pack_documents(
    documents: Iterable[Sequence[int]], end_token: int, context_length: int
) -> tuple[Tensor, Tensor]:
    """Short texts laid end to end in full rows, so that no computation is spent on padding.

    The stream `end, document, end, document, …, end` is cut every `context_length` tokens.  Every
    token of every document is a target once, the first ones after `end_token`, which therefore is
    also the prompt that asks for a new document.  Attention sees across the documents of a row.

    Source: Brown et al., "Language Models are Few-Shot Learners", 2020, appendix B.

    Args:
        documents: token ids; empty documents are left out.

    Returns:
        `tokens` and `targets`, both (rows, context_length), int64.  The last row is filled with
        `end_token`, whose targets are -100: they count in no loss.

    Raises:
        ValueError: when all documents are empty, or `context_length` is below 1.
    """
    if context_length < 1:
        raise ValueError(f"context_length is {context_length}: a row holds at least 1 token")
    pieces, end = [], torch.tensor([end_token])
    for document in documents:
        if len(document):
            pieces += [end, torch.as_tensor(document, dtype=torch.int64)]
    if not pieces:
        raise ValueError("documents is empty: there is nothing to pack")
    stream = torch.cat([*pieces, end])
    missing = -(len(stream) - 1) % context_length
    tokens = torch.cat([stream[:-1], end.expand(missing)])
    targets = torch.cat([stream[1:], torch.full((missing,), -100)])
    return tokens.view(-1, context_length), targets.view(-1, context_length)
