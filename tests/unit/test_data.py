import itertools
import tracemalloc

import numpy
import pytest
import torch

from llmcourse.data import TokenDataset, get_batch, pack_documents


@pytest.mark.parametrize(("vocab_size", "dtype"), [(65536, "uint16"), (65537, "uint32")])
def test_what_is_written_is_what_is_read(tmp_path, vocab_size, dtype):
    ids = numpy.random.default_rng(0).integers(vocab_size, size=200_001)
    ids[-1] = vocab_size - 1
    dataset = TokenDataset.write(tmp_path / "text.npy", iter(ids), vocab_size)
    assert isinstance(dataset.tokens, numpy.memmap) and dataset.tokens.dtype == dtype
    numpy.testing.assert_array_equal(dataset.tokens, ids)
    numpy.testing.assert_array_equal(numpy.load(tmp_path / "text.npy"), ids)  # plain NumPy's too
    assert len(TokenDataset.open(tmp_path / "text.npy")) == 200_001


def test_writing_a_stream_takes_constant_memory(tmp_path):
    def peak(length):
        tracemalloc.start()
        TokenDataset.write(tmp_path / "text.npy", itertools.repeat(7, length), vocab_size=8)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert peak(2_000_000) < 1.2 * peak(200_000)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "text.npy"
    TokenDataset.write(path, [1, 2, 3], vocab_size=4)
    with pytest.raises(ValueError, match=r"token 70001 is 9.*vocab_size of 4 ids are from 0 to 3"):
        TokenDataset.write(path, itertools.chain(itertools.repeat(1, 70_001), [9]), vocab_size=4)
    assert TokenDataset.open(path).tokens.tolist() == [1, 2, 3]
    assert [file.name for file in tmp_path.iterdir()] == ["text.npy"]


def test_a_file_cut_short_says_so(tmp_path):
    path = tmp_path / "text.npy"
    TokenDataset.write(path, range(1000), vocab_size=1000)
    whole = path.read_bytes()
    for length in (0, 5, 100, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="not a whole file of token ids.*write it again"):
            TokenDataset.open(path)
    with pytest.raises(FileNotFoundError, match=r"no file .*absent\.npy: TokenDataset.write"):
        TokenDataset.open(tmp_path / "absent.npy")


def test_targets_are_the_tokens_that_come_next():
    dataset = TokenDataset(range(100, 200))
    tokens, targets = get_batch(dataset, 32, 7, torch.Generator().manual_seed(0))
    assert tokens.shape == targets.shape == (32, 7) and tokens.dtype == torch.int64
    assert torch.equal(targets, tokens + 1)
    assert torch.equal(tokens, tokens[:, :1] + torch.arange(7))


def test_every_window_comes_equally_often_and_the_last_token_is_reached():
    dataset = TokenDataset(torch.arange(12))
    tokens, targets = get_batch(dataset, 20_000, 3, torch.Generator().manual_seed(0))
    observed = torch.bincount(tokens[:, 0], minlength=9)
    assert len(observed) == 9 and targets.max() == 11
    expected = 20_000 / 9
    assert ((observed - expected) ** 2 / expected).sum() < 26.1  # 99.9% for 8 degrees of freedom
    assert torch.equal(get_batch(TokenDataset([5, 6]), 1, 1)[1], torch.tensor([[6]]))


def test_one_seed_gives_one_batch():
    dataset = TokenDataset(range(1000))
    one, two = (get_batch(dataset, 4, 8, torch.Generator().manual_seed(3))[0] for _ in range(2))
    assert torch.equal(one, two)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_batch_arrives_on_the_gpu():
    dataset = TokenDataset(range(1000))
    here, there = (
        get_batch(dataset, 4, 8, torch.Generator().manual_seed(3), device)
        for device in ("cpu", "cuda")
    )
    assert torch.equal(here[0], there[0].cpu()) and torch.equal(here[1], there[1].cpu())


def test_packed_rows_hold_every_token_as_a_target_once():
    documents = [[1, 2, 3], [], torch.tensor([4]), numpy.array([5, 6, 7, 8])]
    tokens, targets = pack_documents(documents, end_token=0, context_length=5)
    assert tokens.tolist() == [[0, 1, 2, 3, 0], [4, 0, 5, 6, 7], [8, 0, 0, 0, 0]]
    assert targets.tolist() == [[1, 2, 3, 0, 4], [0, 5, 6, 7, 8], [0, -100, -100, -100, -100]]


@pytest.mark.parametrize("context_length", [1, 2, 3, 10, 100])
def test_packing_loses_nothing(context_length):
    sizes = torch.randint(6, (20,), generator=torch.Generator().manual_seed(1)).tolist()
    documents = [list(range(10 * i + 1, 10 * i + 1 + size)) for i, size in enumerate(sizes)]
    tokens, targets = pack_documents(documents, 0, context_length)
    kept = targets.flatten()[targets.flatten() != -100].tolist()
    assert kept == [token for d in documents if d for token in [*d, 0]]
    assert tokens.flatten()[1 : len(kept)].tolist() == kept[:-1]
    assert tokens.shape == targets.shape and tokens.shape[1] == context_length
    assert (targets == -100).sum() < context_length


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: TokenDataset([[1, 2]]), r"shape \(1, 2\).*one row of whole numbers"),
        (lambda: TokenDataset([0.5]), "dtype float64.*whole numbers"),
        (lambda: get_batch(TokenDataset([1, 2, 3]), 1, 3), "3 tokens, but a window of 3.*take 4"),
        (lambda: get_batch(TokenDataset([1, 2, 3]), 0, 2), "batch is 0 and time is 2: choose 1"),
        (lambda: get_batch(TokenDataset([1, 2, 3]), 4, 0), "batch is 4 and time is 0: choose 1"),
        (lambda: pack_documents([[]], 0, 4), "nothing to pack"),
        (lambda: pack_documents([[1]], 0, 0), "a row holds at least 1"),
    ],
)
def test_bad_input_says_what_to_do(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


@pytest.mark.parametrize("wrong", [-1, 4])
def test_ids_are_from_0_to_below_the_vocab_size(tmp_path, wrong):
    with pytest.raises(ValueError, match=f"token 2 is {wrong}, but with a vocab_size of 4"):
        TokenDataset.write(tmp_path / "text.npy", [0, 3, wrong], vocab_size=4)


def test_ids_that_are_no_whole_numbers_are_not_cut_to_some(tmp_path):
    with pytest.raises(ValueError, match="tokens are float64, but ids are whole numbers"):
        TokenDataset.write(tmp_path / "text.npy", [0, 1.5], vocab_size=4)
    assert not list(tmp_path.iterdir())


def test_only_from_pinned_memory_is_a_batch_copied_without_waiting(monkeypatch):
    """Elsewhere the source is freed while it is still being read, PyTorch issue 139550."""
    asked, to = [], torch.Tensor.to

    def watched(self, device, non_blocking):
        asked.append(non_blocking)
        return to(self, "cpu")

    monkeypatch.setattr(torch.Tensor, "to", watched)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    for name in ("cpu", "mps", "cuda"):
        get_batch(TokenDataset([1, 2, 3]), 2, 2, device=name)
    assert asked == [False, False, True]


def test_no_tokens_make_no_file(tmp_path):
    with pytest.raises(ValueError, match="nothing to write"):
        TokenDataset.write(tmp_path / "text.npy", [], vocab_size=4)
    assert not list(tmp_path.iterdir())


def test_a_fingerprint_is_the_same_in_memory_and_in_a_file_and_of_no_other_text(tmp_path):
    ids = [i * 7 % 50 for i in range(5000)]
    memory = TokenDataset(ids)
    assert memory.fingerprint() == TokenDataset.write(tmp_path / "a.npy", ids, 50).fingerprint()
    assert memory.fingerprint() != TokenDataset(ids[::-1]).fingerprint()
    changed = ids.copy()
    changed[2500] += 1
    assert memory.fingerprint() != TokenDataset(changed).fingerprint()
    assert len(TokenDataset([3]).fingerprint()) == 16
