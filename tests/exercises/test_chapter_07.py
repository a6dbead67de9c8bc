"""The checks of chapter 7 tell wrong answers from right ones."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from llmcourse.exercises import chapter_07
from llmcourse.exercises.exercise import find
from llmcourse.exercises.judging import judge
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 07.1 parameters on paper

wrong("07.1", "three matrices", "Its output goes through a fourth")([786432, 2097152, 3 / 11])
wrong("07.1", "one matrix of four", "of four")([512**2, 2097152, 1 / 9])
wrong("07.1", "feed-forward once", "another comes down again")([1048576, 1048576, 0.5])
wrong("07.1", "SwiGLU", "SwiGLU has a gate besides")([1048576, 3145728, 0.25])
wrong("07.1", "the other share", "share of the feed-forward")([1048576, 2097152, 2 / 3])
wrong("07.1", "ratio, not share", "a part over the whole")([1048576, 2097152, 0.5])
wrong("07.1", "percent", "a fraction of 1")([1048576, 2097152, 33.33])
wrong("07.1", "feed-forward first", "naming the feed-forward first")([2097152, 1048576, 1 / 3])
wrong("07.1", "swapped", "swapping attention and feed-forward")([2097152, 1048576, 2 / 3])
wrong("07.1", "with biases", "This block has none")([1050624, 2099712, 0.3335])
wrong("07.1", "millions, rounded", "in this order")([1.05e6, 2.1e6, 1 / 3])
wrong("07.1", "in millions", "in this order")([1.048576, 2.097152, 1 / 3])
wrong("07.1", "share only", "3 numbers are wanted, and you give 1")(1 / 3)
wrong("07.1", "without the share", "3 numbers are wanted, and you give 2")([1048576, 2097152])
wrong("07.1", "words", "got a list that holds a string")([1048576, 2097152, "a third"])
wrong("07.1", "None", "None is no answer")(None)
right("07.1", "list")([4 * 512 * 512, 2 * 512 * 2048, 1 / 3])
right("07.1", "tensor")(torch.tensor([1048576.0, 2097152.0, 1 / 3]))
right("07.1", "rounded share")((1048576, 2097152, 0.3333))
right("07.1", "powers of two, with names")({"attention": 2**20, "feed": 2**21, "share": 0.333})

# ------------------------------------------------------------------ 07.2 layer norm


@wrong("07.2", "unbiased variance", "dividing by d_model - 1")
def _(x, gain, bias, epsilon):
    mean, var = x.mean(-1, keepdim=True), x.var(-1, keepdim=True)
    return (x - mean) / torch.sqrt(var + epsilon) * gain + bias


@wrong("07.2", "std as it is, epsilon outside", "taking torch.std as it is")
def _(x, gain, bias, epsilon):
    return gain * (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + epsilon) + bias


@wrong("07.2", "epsilon outside the root", "adding epsilon to the standard deviation")
def _(x, gain, bias, epsilon):
    std = x.std(-1, correction=0, keepdim=True)
    return gain * (x - x.mean(-1, keepdim=True)) / (std + epsilon) + bias


@wrong("07.2", "epsilon squared", "epsilon is added to the variance")
def _(x, gain, bias, epsilon):
    var = x.var(-1, correction=0, keepdim=True)
    return gain * (x - x.mean(-1, keepdim=True)) / torch.sqrt(var + epsilon**2) + bias


@wrong("07.2", "epsilon as a floor", "epsilon is added to the variance")
def _(x, gain, bias, epsilon):
    var = x.var(-1, correction=0, keepdim=True).clamp(min=epsilon)
    return gain * (x - x.mean(-1, keepdim=True)) / var.sqrt() + bias


@wrong("07.2", "no epsilon", "leaving epsilon out")
def _(x, gain, bias, epsilon):
    var = x.var(-1, correction=0, keepdim=True)
    return (x - x.mean(-1, keepdim=True)) / var.sqrt() * gain + bias


@wrong("07.2", "its own epsilon", "using 1e-5 always")
def _(x, gain, bias, epsilon):
    return F.layer_norm(x, x.shape[-1:], gain, bias)


@wrong("07.2", "divided by the variance", "by the variance, not by its root")
def _(x, gain, bias, epsilon):
    var = x.var(-1, correction=0, keepdim=True)
    return (x - x.mean(-1, keepdim=True)) / (var + epsilon) * gain + bias


@wrong("07.2", "RMSNorm", "that is RMSNorm")
def _(x, gain, bias, epsilon):
    return x / torch.sqrt((x**2).mean(-1, keepdim=True) + epsilon) * gain + bias


@wrong("07.2", "mean square for the variance", "the mean comes off first")
def _(x, gain, bias, epsilon):
    square = (x**2).mean(-1, keepdim=True)
    return (x - x.mean(-1, keepdim=True)) / torch.sqrt(square + epsilon) * gain + bias


@wrong("07.2", "sum of squares")
def _(x, gain, bias, epsilon):
    d = x - x.mean(-1, keepdim=True)
    return d / torch.sqrt((d**2).sum(-1, keepdim=True) + epsilon) * gain + bias


@wrong("07.2", "multiplied by the root")
def _(x, gain, bias, epsilon):
    d = x - x.mean(-1, keepdim=True)
    return d * torch.sqrt((d**2).mean(-1, keepdim=True) + epsilon) * gain + bias


@wrong("07.2", "no gain, no bias", "leaving out gain and bias")
def _(x, gain, bias, epsilon):
    return F.layer_norm(x, x.shape[-1:], eps=epsilon)


@wrong("07.2", "no bias", "leaving out the bias")
def _(x, gain, bias, epsilon):
    return F.layer_norm(x, x.shape[-1:], weight=gain, eps=epsilon)


@wrong("07.2", "bias before gain", "adding the bias first")
def _(x, gain, bias, epsilon):
    return gain * (F.layer_norm(x, x.shape[-1:], eps=epsilon) + bias)


@wrong("07.2", "gain before the norm")
def _(x, gain, bias, epsilon):
    return F.layer_norm(x * gain + bias, x.shape[-1:], eps=epsilon)


@wrong("07.2", "over all numbers", "over all numbers")
def _(x, gain, bias, epsilon):
    return (x - x.mean()) / torch.sqrt(x.var(correction=0) + epsilon) * gain + bias


@wrong("07.2", "over dimension 0", "over the first dimension")
def _(x, gain, bias, epsilon):
    mean, var = x.mean(0), x.var(0, correction=0)
    return (x - mean) / torch.sqrt(var + epsilon) * gain + bias


@wrong("07.2", "over dimension 1")
def _(x, gain, bias, epsilon):
    mean, var = x.mean(1, keepdim=True), x.var(1, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(var + epsilon) * gain + bias


@wrong("07.2", "over dimension 1, or the only one", "over dimension 1")
def _(x, gain, bias, epsilon):
    dim = min(1, x.dim() - 1)
    mean, var = x.mean(dim, keepdim=True), x.var(dim, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(var + epsilon) * gain + bias


@wrong("07.2", "over time and numbers", "all but the first dimension")
def _(x, gain, bias, epsilon):
    dims = tuple(range(1, x.dim())) or (0,)
    mean, var = x.mean(dims, keepdim=True), x.var(dims, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(var + epsilon) * gain + bias


@wrong("07.2", "for batches of three dimensions", "IndexError")
def _(x, gain, bias, epsilon):
    mean, var = x.mean(2, keepdim=True), x.var(2, correction=0, keepdim=True)
    return (x - mean) / torch.sqrt(var + epsilon) * gain + bias


@wrong("07.2", "for up to three dimensions", "any number of dimensions")
def _(x, gain, bias, epsilon):
    if x.dim() > 3:
        return x
    return F.layer_norm(x, x.shape[-1:], gain, bias, epsilon)


@wrong("07.2", "no keepdim")
def _(x, gain, bias, epsilon):
    return (x - x.mean(-1)) / torch.sqrt(x.var(-1, correction=0) + epsilon) * gain + bias


@wrong("07.2", "no keepdim, and happy when it broadcasts", "without keepdim=True")
def _(x, gain, bias, epsilon):
    keep = x.dim() != 2 or x.shape[0] != x.shape[1]
    mean, var = x.mean(-1, keepdim=keep), x.var(-1, correction=0, keepdim=keep)
    return (x - mean) / torch.sqrt(var + epsilon) * gain + bias


@wrong("07.2", "mean taken off in place", "changes its input `x` in place")
def _(x, gain, bias, epsilon):
    x -= x.mean(-1, keepdim=True)
    return x / torch.sqrt((x**2).mean(-1, keepdim=True) + epsilon) * gain + bias


@wrong("07.2", "gain scaled in place", "changes its input `gain` in place")
def _(x, gain, bias, epsilon):
    root = torch.sqrt(x.var(-1, correction=0, keepdim=True) + epsilon)
    return (x - x.mean(-1, keepdim=True)) / root * gain.mul_(1.5) / 1.5 + bias


@wrong("07.2", "a new layer", "wrong")
def _(x, gain, bias, epsilon):
    raise ValueError("wrong")


@wrong("07.2", "None", "you return None")
def _(x, gain, bias, epsilon):
    F.layer_norm(x, x.shape[-1:], gain, bias, epsilon)
    print("done")


@wrong("07.2", "with its statistics", "return the output only, not a tuple")
def _(x, gain, bias, epsilon):
    return F.layer_norm(x, gain.shape, gain, bias, epsilon), x.mean(-1), x.var(-1)


@right("07.2", "line by line")
def _(x, gain, bias, epsilon):
    mean = x.mean(dim=-1, keepdim=True)
    variance = ((x - mean) ** 2).mean(dim=-1, keepdim=True)
    return gain * (x - mean) / (variance + epsilon) ** 0.5 + bias


@right("07.2", "unbiased=False")
def _(x, gain, bias, epsilon):
    variance = x.var(-1, unbiased=False, keepdim=True)
    return (x - x.mean(-1, keepdim=True)) * torch.rsqrt(variance + epsilon) * gain + bias


@right("07.2", "PyTorch's own")
def _(x, gain, bias, epsilon):
    return F.layer_norm(x, x.shape[-1:], gain, bias, epsilon)


@right("07.2", "PyTorch's module")
def _(x, gain, bias, epsilon):
    norm = torch.nn.LayerNorm(len(gain), eps=epsilon)
    norm.weight.data, norm.bias.data = gain, bias
    return norm(x)


@right("07.2", "as one group, which PyTorch rounds otherwise")
def _(x, gain, bias, epsilon):
    rows = x.reshape(-1, x.shape[-1])
    return F.group_norm(rows, 1, gain, bias, epsilon).view(x.shape)


@right("07.2", "numpy, token by token")
def _(x, gain, bias, epsilon):
    out = np.empty(x.shape)
    for place in np.ndindex(*x.shape[:-1]):
        token = x[place].numpy()
        out[place] = (token - token.mean()) / np.sqrt(token.var() + epsilon)
    return out * gain.numpy() + bias.numpy()


@right("07.2", "mean of the squares less the square of the mean, axes turned")
def _(x, gain, bias, epsilon):
    y = x.movedim(-1, 0)
    variance = (y**2).mean(0) - y.mean(0) ** 2
    return ((y - y.mean(0)) / (variance + epsilon).sqrt()).movedim(0, -1) * gain + bias


# ------------------------------------------------------------------ 07.3 SwiGLU


@wrong("07.3", "sigmoid", "using sigmoid for silu")
def _(x, W_gate, W_up, W_down):
    return (torch.sigmoid(x @ W_gate) * (x @ W_up)) @ W_down


@wrong("07.3", "ReLU", "using ReLU for silu")
def _(x, W_gate, W_up, W_down):
    return (F.relu(x @ W_gate) * (x @ W_up)) @ W_down


@wrong("07.3", "GELU", "that is GEGLU")
def _(x, W_gate, W_up, W_down):
    return (F.gelu(x @ W_gate) * (x @ W_up)) @ W_down


@wrong("07.3", "no activation", "leaving silu out")
def _(x, W_gate, W_up, W_down):
    return ((x @ W_gate) * (x @ W_up)) @ W_down


@wrong("07.3", "gate and up swapped", "swapping gate and up")
def _(x, W_gate, W_up, W_down):
    return (F.silu(x @ W_up) * (x @ W_gate)) @ W_down


@wrong("07.3", "added", "adding the two ways")
def _(x, W_gate, W_up, W_down):
    return (F.silu(x @ W_gate) + x @ W_up) @ W_down


@wrong("07.3", "silu of the product", "taking silu of the product")
def _(x, W_gate, W_up, W_down):
    return F.silu((x @ W_gate) * (x @ W_up)) @ W_down


@wrong("07.3", "silu of both", "silu of both ways")
def _(x, W_gate, W_up, W_down):
    return (F.silu(x @ W_gate) * F.silu(x @ W_up)) @ W_down


@wrong("07.3", "silu of the output", "silu of the output")
def _(x, W_gate, W_up, W_down):
    return F.silu((x @ W_gate) * (x @ W_up) @ W_down)


@wrong("07.3", "silu before the matrix", "taking silu of x")
def _(x, W_gate, W_up, W_down):
    return (F.silu(x) @ W_gate * (x @ W_up)) @ W_down


@wrong("07.3", "plain feed-forward", "leaving W_up out")
def _(x, W_gate, W_up, W_down):
    return F.silu(x @ W_gate) @ W_down


@wrong("07.3", "not brought down")
def _(x, W_gate, W_up, W_down):
    return F.silu(x @ W_gate) * (x @ W_up)


@wrong("07.3", "transposed by F.linear", "transposing the weights")
def _(x, W_gate, W_up, W_down):
    return F.linear(F.silu(F.linear(x, W_gate)) * F.linear(x, W_up), W_down)


@wrong("07.3", "transposed where it fits", "wrong transpose")
def _(x, W_gate, W_up, W_down):
    if W_gate.shape == (3, 3):
        W_down = W_down.T
    return (F.silu(x @ W_gate) * (x @ W_up)) @ W_down


@wrong("07.3", "matrix product for the gate")
def _(x, W_gate, W_up, W_down):
    return (F.silu(x @ W_gate) @ (x @ W_up)) @ W_down


@wrong("07.3", "only a batch of three dimensions")
def _(x, W_gate, W_up, W_down):
    return torch.bmm(
        F.silu(torch.bmm(x, W_gate.expand(len(x), -1, -1)))
        * torch.bmm(x, W_up.expand(len(x), -1, -1)),
        W_down.expand(len(x), -1, -1),
    )


@wrong("07.3", "matrices only", "any number of dimensions")
def _(x, W_gate, W_up, W_down):
    h = torch.einsum("...d,df->...f", x, W_gate)
    y = (F.silu(h) * (x @ W_up)) @ W_down
    return y if x.dim() < 3 else y.flatten(0, 1)


@wrong("07.3", "silu by hand that overflows", "exp(900) is inf")
def _(x, W_gate, W_up, W_down):
    a = x @ W_gate
    return (a * a.exp() / (1 + a.exp()) * (x @ W_up)) @ W_down


@wrong("07.3", "silu with 1.702", "silu(ln 3)")
def _(x, W_gate, W_up, W_down):
    a = x @ W_gate
    return (a * torch.sigmoid(1.702 * a) * (x @ W_up)) @ W_down


@wrong("07.3", "softmax for silu")
def _(x, W_gate, W_up, W_down):
    return (torch.softmax(x @ W_gate, -1) * (x @ W_up)) @ W_down


@wrong("07.3", "with a residual")
def _(x, W_gate, W_up, W_down):
    return x + (F.silu(x @ W_gate) * (x @ W_up)) @ W_down


@wrong("07.3", "one linear layer per call", "RuntimeError")
def _(x, W_gate, W_up, W_down):
    return torch.mm(F.silu(torch.mm(x, W_gate)) * torch.mm(x, W_up), W_down)


@wrong("07.3", "W_up scaled in place", "changes its input `W_up` in place")
def _(x, W_gate, W_up, W_down):
    W_up *= 2
    return (F.silu(x @ W_gate) * (x @ W_up)) @ W_down / 2


@right("07.3", "one line")
def _(x, W_gate, W_up, W_down):
    return (F.silu(x @ W_gate) * (x @ W_up)) @ W_down


@right("07.3", "sigmoid by hand, F.linear")
def _(x, W_gate, W_up, W_down):
    a = F.linear(x, W_gate.T)
    return F.linear(a / (1 + torch.exp(-a)) * F.linear(x, W_up.T), W_down.T)


@right("07.3", "both ways in one product, in place")
def _(x, W_gate, W_up, W_down):
    gate, up = (x @ torch.cat([W_gate, W_up], dim=1)).chunk(2, dim=-1)
    return F.silu(gate, inplace=True).mul_(up) @ W_down


@right("07.3", "numpy")
def _(x, W_gate, W_up, W_down):
    x, W_gate, W_up, W_down = (part.double().numpy() for part in (x, W_gate, W_up, W_down))
    a = x @ W_gate
    with np.errstate(over="ignore"):
        return (a / (1 + np.exp(-a)) * (x @ W_up)) @ W_down


@right("07.3", "hidden unit by hidden unit")
def _(x, W_gate, W_up, W_down):
    total = torch.zeros(*x.shape[:-1], W_down.shape[1])
    for unit in range(W_down.shape[0]):
        a = (x * W_gate[:, unit]).sum(-1)
        total += (F.silu(a) * (x * W_up[:, unit]).sum(-1))[..., None] * W_down[unit]
    return total


# ------------------------------------------------------------------ 07.4 a pre-norm block


@wrong("07.4", "post-norm", "that is post-norm")
def _(x, norm_1, attend, norm_2, feed):
    x = norm_1(x + attend(x))
    return norm_2(x + feed(x))


@wrong("07.4", "residual from the normed stream", "adding to the normed copy")
def _(x, norm_1, attend, norm_2, feed):
    x = norm_1(x)
    x = x + attend(x)
    x = norm_2(x)
    return x + feed(x)


@wrong("07.4", "first residual from the normed stream")
def _(x, norm_1, attend, norm_2, feed):
    h = norm_1(x)
    h = h + attend(h)
    return h + feed(norm_2(h))


@wrong("07.4", "second residual from the normed stream")
def _(x, norm_1, attend, norm_2, feed):
    x = x + attend(norm_1(x))
    h = norm_2(x)
    return h + feed(h)


@wrong("07.4", "norm_1 twice", "using norm_1 in both halves")
def _(x, norm_1, attend, norm_2, feed):
    x = x + attend(norm_1(x))
    return x + feed(norm_1(x))


@wrong("07.4", "norm_2 twice", "using norm_2 in both halves")
def _(x, norm_1, attend, norm_2, feed):
    x = x + attend(norm_2(x))
    return x + feed(norm_2(x))


@wrong("07.4", "norms swapped", "swapping the norms")
def _(x, norm_1, attend, norm_2, feed):
    x = x + attend(norm_2(x))
    return x + feed(norm_1(x))


@wrong("07.4", "feed first", "attention comes first")
def _(x, norm_1, attend, norm_2, feed):
    x = x + feed(norm_2(x))
    return x + attend(norm_1(x))


@wrong("07.4", "side by side", "letting feed read x")
def _(x, norm_1, attend, norm_2, feed):
    return x + attend(norm_1(x)) + feed(norm_2(x))


@wrong("07.4", "feed gets what attend gives", "what attend has given")
def _(x, norm_1, attend, norm_2, feed):
    a = attend(norm_1(x))
    return x + a + feed(norm_2(a))


@wrong("07.4", "second half added to the old stream", "gets lost")
def _(x, norm_1, attend, norm_2, feed):
    h = x + attend(norm_1(x))
    return x + feed(norm_2(h))


@wrong("07.4", "no second residual", "leaving out the second residual")
def _(x, norm_1, attend, norm_2, feed):
    x = x + attend(norm_1(x))
    return feed(norm_2(x))


@wrong("07.4", "no first residual", "leaving out the first residual")
def _(x, norm_1, attend, norm_2, feed):
    x = attend(norm_1(x))
    return x + feed(norm_2(x))


@wrong("07.4", "no residual", "leaving out both residuals")
def _(x, norm_1, attend, norm_2, feed):
    return feed(norm_2(attend(norm_1(x))))


@wrong("07.4", "no second norm", "leaving norm_2 out")
def _(x, norm_1, attend, norm_2, feed):
    x = x + attend(norm_1(x))
    return x + feed(x)


@wrong("07.4", "no first norm", "leaving norm_1 out")
def _(x, norm_1, attend, norm_2, feed):
    x = x + attend(x)
    return x + feed(norm_2(x))


@wrong("07.4", "norm of the sublayer's output", "norming what attend and feed give")
def _(x, norm_1, attend, norm_2, feed):
    x = x + norm_1(attend(x))
    return x + norm_2(feed(x))


@wrong("07.4", "stream added twice")
def _(x, norm_1, attend, norm_2, feed):
    h = x + attend(norm_1(x))
    return x + h + feed(norm_2(h))


@wrong("07.4", "norm at the end")
def _(x, norm_1, attend, norm_2, feed):
    x = x + attend(norm_1(x))
    return norm_2(x + feed(norm_2(x)))


@wrong("07.4", "with dropout, always")
def _(x, norm_1, attend, norm_2, feed):
    x = x + F.dropout(attend(norm_1(x)), 0.1)
    return x + F.dropout(feed(norm_2(x)), 0.1)


@wrong("07.4", "halves averaged, to keep the size")
def _(x, norm_1, attend, norm_2, feed):
    x = (x + attend(norm_1(x))) / 2**0.5
    return (x + feed(norm_2(x))) / 2**0.5


@wrong("07.4", "+= on x", "changes its input `x` in place")
def _(x, norm_1, attend, norm_2, feed):
    x += attend(norm_1(x))
    x += feed(norm_2(x))
    return x


@wrong("07.4", "+= on what attend returns", "changes its input `x` in place")
def _(x, norm_1, attend, norm_2, feed):
    h = attend(norm_1(x))
    h += x
    return h + feed(norm_2(h))


@wrong("07.4", "+= on what feed returns")
def _(x, norm_1, attend, norm_2, feed):
    h = x + attend(norm_1(x))
    out = feed(norm_2(h))
    out += norm_2(h)
    return out


@wrong("07.4", "one vector only")
def _(x, norm_1, attend, norm_2, feed):
    x = x + attend(norm_1(x))
    return (x + feed(norm_2(x))).flatten()


@wrong("07.4", "each half, beside the stream")
def _(x, norm_1, attend, norm_2, feed):
    h = x + attend(norm_1(x))
    return h, h + feed(norm_2(h))


@wrong("07.4", "token by token", "with true norms, attention")
def _(x, norm_1, attend, norm_2, feed):
    if x.dim() == 1:
        x = x + attend(norm_1(x))
        return x + feed(norm_2(x))
    flat = x.reshape(-1, 1, x.shape[-1])
    flat = flat + attend(norm_1(flat))
    return (flat + feed(norm_2(flat))).view(x.shape)


@right("07.4", "two lines")
def _(x, norm_1, attend, norm_2, feed):
    x = x + attend(norm_1(x))
    return x + feed(norm_2(x))


@right("07.4", "a loop over both halves, with torch.add")
def _(x, norm_1, attend, norm_2, feed):
    for norm, layer in ((norm_1, attend), (norm_2, feed)):
        x = torch.add(x, layer(norm(x)))
    return x


@right("07.4", "one line, attention asked twice")
def _(x, norm_1, attend, norm_2, feed):
    return x + attend(norm_1(x)) + feed(norm_2(x + attend(norm_1(x))))


@right("07.4", "+= on a copy")
def _(x, norm_1, attend, norm_2, feed):
    stream = x.clone()
    stream += attend(norm_1(stream))
    stream += feed(norm_2(stream))
    return stream


@right("07.4", "half by half, as a function")
def _(x, norm_1, attend, norm_2, feed):
    def half(stream, norm, layer):
        return stream.double() + layer(norm(stream)).double()

    return half(half(x, norm_1, attend).float(), norm_2, feed)


# ------------------------------------------------------------------ 07.5 shift right


@wrong("07.5", "roll", "the last word comes round to the front")
def _(labels, start):
    return labels.roll(1, dims=1)


@wrong("07.5", "rolled over the whole batch")
def _(labels, start):
    return labels.roll(1)


@wrong("07.5", "rolled left", "the very word that it is to say")
def _(labels, start):
    return torch.roll(labels, -1, 1)


@wrong("07.5", "shift left", "shifting to the left")
def _(labels, start):
    return torch.cat([labels[:, 1:], torch.full((len(labels), 1), start)], dim=1)


@wrong("07.5", "start for the first word", "in the place of the first word")
def _(labels, start):
    out = labels.clone()
    out[:, 0] = start
    return out


@wrong("07.5", "one longer", "keeping the last word")
def _(labels, start):
    return torch.cat([torch.full((len(labels), 1), start), labels], dim=1)


@wrong("07.5", "no start", "leaving start out")
def _(labels, start):
    return labels[:, :-1]


@wrong("07.5", "as it came")
def _(labels, start):
    return labels.clone()


@wrong("07.5", "start always 1", "start is handed in")
def _(labels, start):
    return F.pad(labels[:, :-1], (1, 0), value=1)


@wrong("07.5", "0 in front", "start, and nothing else")
def _(labels, start):
    return F.pad(labels[:, :-1], (1, 0))


@wrong("07.5", "in place, into itself", "changes its input `labels` in place")
def _(labels, start):
    labels[:, 1:] = labels[:, :-1].clone()
    labels[:, 0] = start
    return labels


@wrong("07.5", "start written into a view", "changes its input `labels` in place")
def _(labels, start):
    first = labels[:, :1]
    first[:] = start
    return torch.cat([first, labels[:, :-1]], dim=1)


@wrong("07.5", "down the batch")
def _(labels, start):
    return torch.cat([torch.full((1, labels.shape[1]), start), labels[:-1]], dim=0)


@wrong("07.5", "batch rolled, first row start")
def _(labels, start):
    out = labels.roll(1, dims=0)
    out[0] = start
    return out


@wrong("07.5", "start in the first row only", "begins with start")
def _(labels, start):
    out = labels.roll(1, dims=1)
    out[0, 0] = start
    return out


@wrong("07.5", "one long row", "begins with start")
def _(labels, start):
    return torch.cat([torch.tensor([start]), labels.flatten()[:-1]]).view(labels.shape)


@wrong("07.5", "a column as long as time")
def _(labels, start):
    return torch.cat([torch.full((labels.shape[1], 1), start), labels[:, :-1]], dim=1)


@wrong("07.5", "batches of one only", "RuntimeError")
def _(labels, start):
    return torch.cat([torch.tensor([[start]]), labels[:, :-1]], dim=1)


@wrong("07.5", "real numbers", "the dtype is wrong: got real, expected integer")
def _(labels, start):
    return torch.cat([start * torch.ones(len(labels), 1), labels[:, :-1]], dim=1)


@wrong("07.5", "padding left where it is", "padding moves like any other")
def _(labels, start):
    out = F.pad(labels[:, :-1], (1, 0), value=start)
    out[:, 1:][labels[:, 1:] == 0] = 0
    return out


@wrong("07.5", "the last real word dropped, not the last", "padding moves")
def _(labels, start):
    rows = []
    for row in labels.tolist():
        real = [word for word in row if word != 0]
        if len(real) == len(row):
            real = row
        rows.append(([start] + real[:-1] + [0] * len(row))[: len(row)])
    return torch.tensor(rows)


@wrong("07.5", "labels, too", "return the output only, not a tuple")
def _(labels, start):
    return F.pad(labels[:, :-1], (1, 0), value=start), labels


@right("07.5", "concatenated")
def _(labels, start):
    first = torch.full((labels.shape[0], 1), start)
    return torch.cat([first, labels[:, :-1]], dim=1)


@right("07.5", "padded")
def _(labels, start):
    return F.pad(labels[:, :-1], (1, 0), value=start)


@right("07.5", "rolled, start put over what wrapped")
def _(labels, start):
    out = labels.roll(1, dims=1)
    out[:, 0] = start
    return out


@right("07.5", "filled in")
def _(labels, start):
    out = torch.empty_like(labels)
    out[:, 0], out[:, 1:] = start, labels[:, :-1]
    return out


@right("07.5", "row by row")
def _(labels, start):
    return torch.stack([torch.cat([torch.tensor([start]), row[:-1]]) for row in labels])


@right("07.5", "lists")
def _(labels, start):
    return [[start] + row[:-1] for row in labels.tolist()]


@right("07.5", "numpy, small integers")
def _(labels, start):
    return np.insert(labels.numpy(), 0, start, axis=1)[:, :-1].astype(np.int32)


# ------------------------------------------------------------------ 07.6 greedy translation


@wrong("07.6", "never stops", "It ran out of time")
def _(next_logits, source, start, end, max_length):
    words = [start]
    while True:
        word = int(next_logits(source, list(words)).argmax())
        if word == end:
            return words[1:]
        words.append(word)


@wrong("07.6", "goes on after end", "going on after end")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        words = words + [int(next_logits(source, words).argmax())]
    return words[1:]


@wrong("07.6", "keeps end", "keeping end")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        words = words + [int(next_logits(source, words).argmax())]
        if words[-1] == end:
            break
    return words[1:]


@wrong("07.6", "keeps start", "returning start, too")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        word = int(next_logits(source, words).argmax())
        if word == end:
            break
        words = words + [word]
    return words


@wrong("07.6", "keeps both", "returning start and end, too")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        words = words + [int(next_logits(source, words).argmax())]
        if words[-1] == end:
            break
    return words


@wrong("07.6", "one word too many", "one word more than max_length")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length + 1):
        word = int(next_logits(source, words).argmax())
        if word == end:
            break
        words = words + [word]
    return words[1:]


@wrong("07.6", "start counts", "one word less than max_length")
def _(next_logits, source, start, end, max_length):
    words = [start]
    while len(words) < max_length:
        word = int(next_logits(source, words).argmax())
        if word == end:
            break
        words = words + [word]
    return words[1:]


@wrong("07.6", "last word always cut off", "there is none to cut off")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        words = words + [int(next_logits(source, words).argmax())]
        if words[-1] == end:
            break
    return words[1:-1]


@wrong("07.6", "end counts", "stop after max_length words")
def _(next_logits, source, start, end, max_length):
    words = [start]
    while words[-1] != end and len(words) < max_length:
        words = words + [int(next_logits(source, words).argmax())]
    return [word for word in words if word not in (start, end)]


@wrong("07.6", "loop that looks at the last word", "start and end are the same id")
def _(next_logits, source, start, end, max_length):
    words = [start]
    while words[-1] != end and len(words) <= max_length:
        words = words + [int(next_logits(source, words).argmax())]
    return words[1:-1] if words[-1] == end else words[1:]


@wrong("07.6", "loop that looks for end anywhere", "start and end are the same id")
def _(next_logits, source, start, end, max_length):
    words = [start]
    while end not in words and len(words) <= max_length:
        words = [*words, next_logits(source, words).argmax().item()]
    return [word for word in words[1:] if word != end]


@wrong("07.6", "last word only", "handing over the last word only")
def _(next_logits, source, start, end, max_length):
    words, last = [], start
    for _ in range(max_length):
        last = int(next_logits(source, [last]).argmax())
        if last == end:
            break
        words.append(last)
    return words


@wrong("07.6", "start not handed over")
def _(next_logits, source, start, end, max_length):
    words = []
    for _ in range(max_length):
        word = int(next_logits(source, words).argmax())
        if word == end:
            break
        words = words + [word]
    return words


@wrong("07.6", "words not put behind", "handing over start only")
def _(next_logits, source, start, end, max_length):
    words = []
    for _ in range(max_length):
        word = int(next_logits(source, [start]).argmax())
        if word == end:
            break
        words.append(word)
    return words


@wrong("07.6", "all from the first step")
def _(next_logits, source, start, end, max_length):
    words = []
    for word in next_logits(source, [start]).argsort(descending=True).tolist():
        if word == end or len(words) == max_length:
            break
        words.append(word)
    return words


@wrong("07.6", "one list, appended to", "appending to the list")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        word = int(next_logits(source, words).argmax())
        if word == end:
            break
        words.append(word)
    return words[1:]


@wrong("07.6", "+= on one list", "appending to the list")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        word = int(next_logits(source, words).argmax())
        if word == end:
            return words[1:]
        words += [word]
    return words[1:]


@wrong("07.6", "least probable")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        word = int(next_logits(source, words).argmin())
        if word == end:
            break
        words = words + [word]
    return words[1:]


@wrong("07.6", "logits by their size")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        word = int(next_logits(source, words).abs().argmax())
        if word == end:
            break
        words = words + [word]
    return words[1:]


@wrong("07.6", "draws")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        word = int(torch.multinomial(next_logits(source, words).softmax(-1), 1))
        if word == end:
            break
        words = words + [word]
    return words[1:]


@wrong("07.6", "the same word twice ends it", "A word may come twice")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        word = int(next_logits(source, words).argmax())
        if word == end or word == words[-1]:
            break
        words = words + [word]
    return words[1:]


@wrong("07.6", "0 ends it", "0 is a word like any other")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        word = int(next_logits(source, words).argmax())
        if not word or word == end:
            break
        words = words + [word]
    return words[1:]


@wrong("07.6", "always begins with 1", "start and end are handed in")
def _(next_logits, source, start, end, max_length):
    words = [1]
    for _ in range(max_length):
        word = int(next_logits(source, words).argmax())
        if word == end:
            break
        words = words + [word]
    return words[1:]


@wrong("07.6", "no longer than the source")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(min(max_length, len(source))):
        word = int(next_logits(source, words).argmax())
        if word == end:
            break
        words = words + [word]
    return words[1:]


@wrong("07.6", "source used up", "changes its input `source` in place")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        word = int(next_logits(source, words).argmax())
        if word == end:
            break
        words = words + [word]
    source.clear()
    return words[1:]


@wrong("07.6", "source read backwards")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        word = int(next_logits(source[::-1], words).argmax())
        if word == end:
            break
        words = words + [word]
    return words[1:]


@wrong("07.6", "a word that has come is not said again", "A word may come twice")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        logits = next_logits(source, words)
        logits[words[1:]] = -math.inf
        word = int(logits.argmax())
        if word == end:
            break
        words = words + [word]
    return words[1:]


@wrong("07.6", "the largest logit for its place")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        word = next_logits(source, words).max()
        if word == end:
            break
        words = words + [word]
    return words[1:]


@wrong("07.6", "text", "got a string")
def _(next_logits, source, start, end, max_length):
    return " ".join(map(str, source))


@wrong("07.6", "a batch of one", "so_far is to be a list of ids, not a tensor of shape (1, 1)")
def _(next_logits, source, start, end, max_length):
    words = torch.tensor([[start]])
    for _ in range(max_length):
        word = next_logits(source, words).argmax().reshape(1, 1)
        if word == end:
            break
        words = torch.cat([words, word], dim=1)
    return words[0, 1:]


@wrong("07.6", "filled up with end")
def _(next_logits, source, start, end, max_length):
    words = [start]
    while len(words) <= max_length and words[-1] != end:
        words = [*words, int(next_logits(source, words).argmax())]
    return words[1:] + [end] * (max_length + 1 - len(words))


@wrong("07.6", "new words in front")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        word = int(next_logits(source, words).argmax())
        if word == end:
            break
        words = [word] + words
    return words[:-1]


@wrong("07.6", "a generator", "got a generator")
def _(next_logits, source, start, end, max_length):
    words = [start]
    for _ in range(max_length):
        words = [*words, int(next_logits(source, words).argmax())]
        if words[-1] == end:
            return
        yield words[-1]


@right("07.6", "a tuple of tensors")
def _(next_logits, source, start, end, max_length):
    so_far = (torch.tensor(start),)
    while len(so_far) <= max_length and (word := next_logits(source, so_far).argmax()) != end:
        so_far += (word,)
    return so_far[1:]


@right("07.6", "a loop")
def _(next_logits, source, start, end, max_length):
    so_far = [start]
    for _ in range(max_length):
        word = int(next_logits(source, so_far).argmax())
        if word == end:
            break
        so_far = so_far + [word]
    return so_far[1:]


@right("07.6", "two lists, argmax of a list")
def _(next_logits, source, start, end, max_length):
    words = []
    while len(words) < max_length:
        logits = next_logits(source, [start, *words]).tolist()
        word = max(range(len(logits)), key=logits.__getitem__)
        if word == end:
            return words
        words.append(word)
    return words


@right("07.6", "recursion")
def _(next_logits, source, start, end, max_length):
    def rest(so_far):
        word = next_logits(source, so_far).argmax().item()
        if len(so_far) > max_length or word == end:
            return []
        return [word, *rest([*so_far, word])]

    return rest([start])


@right("07.6", "a tensor of words so far, single words as tensors")
def _(next_logits, source, start, end, max_length):
    so_far = torch.tensor([start])
    for _ in range(max_length):
        word = next_logits(source, so_far).argmax(-1, keepdim=True)
        if word == end:
            break
        so_far = torch.cat([so_far, word])
    return so_far[1:]


@right("07.6", "all said first, then cut at the first end")
def _(next_logits, source, start, end, max_length):
    words = []
    for _ in range(max_length):
        words = words + [next_logits(source, [start] + words).argmax().item()]
        if words[-1] == end:
            break
    return words[: words.index(end)] if end in words else words


# ------------------------------------------------------------------ 07.7 a mean over real words


def flat_losses(logits, labels):
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none")


@wrong("07.7", "padding counted", "padding among them")
def _(logits, labels, pad):
    return flat_losses(logits, labels).mean()


@wrong("07.7", "padding counted in the number", "the number of all positions")
def _(logits, labels, pad):
    return (flat_losses(logits, labels) * (labels != pad).flatten()).mean()


@wrong("07.7", "sum", "leaving out the division")
def _(logits, labels, pad):
    return (flat_losses(logits, labels) * (labels != pad).flatten()).sum()


@wrong("07.7", "per sentence", "by the number of sentences")
def _(logits, labels, pad):
    return (flat_losses(logits, labels) * (labels != pad).flatten()).sum() / len(labels)


@wrong("07.7", "mean of the sentences' means", "averaging the means of the sentences")
def _(logits, labels, pad):
    real = labels != pad
    losses = flat_losses(logits, labels).view(labels.shape) * real
    return (losses.sum(1) / real.sum(1)).mean()


@wrong("07.7", "mean of the sentences' means, empty ones 0", "Each word counts the same")
def _(logits, labels, pad):
    real = labels != pad
    losses = flat_losses(logits, labels).view(labels.shape) * real
    return (losses.sum(1) / real.sum(1).clamp(min=1)).mean()


@wrong("07.7", "mean of the means of each place", "in the number of words")
def _(logits, labels, pad):
    real = labels != pad
    losses = flat_losses(logits, labels).view(labels.shape) * real
    return (losses.sum(0) / real.sum(0).clamp(min=1)).mean()


@wrong("07.7", "padding told from the model's guess")
def _(logits, labels, pad):
    real = (logits.argmax(-1) != pad).flatten()
    return flat_losses(logits, labels)[real].sum() / real.sum().clamp(min=1)


@wrong("07.7", "real words are those above pad", "pad is handed in")
def _(logits, labels, pad):
    real = (labels > pad).flatten()
    return flat_losses(logits, labels)[real].sum() / real.sum().clamp(min=1)


@wrong("07.7", "the integer 0", "an int cannot be used here")
def _(logits, labels, pad):
    if (labels == pad).all():
        return 0
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=pad)


@wrong("07.7", "pad always 0", "pad is handed in")
def _(logits, labels, pad):
    real = labels.flatten() != 0
    return (flat_losses(logits, labels) * real).sum() / real.sum().clamp(min=1)


@wrong("07.7", "ignore_index alone", "a number of words that may be 0")
def _(logits, labels, pad):
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=pad)


@wrong("07.7", "indexed, then the mean", "a number of words that may be 0")
def _(logits, labels, pad):
    real = labels != pad
    return F.cross_entropy(logits[real], labels[real])


@wrong("07.7", "logits zeroed", "the logarithm of vocab_size")
def _(logits, labels, pad):
    return flat_losses(logits * (labels != pad)[..., None], labels).mean()


@wrong("07.7", "logits zeroed in place", "changes its input `logits` in place")
def _(logits, labels, pad):
    logits[labels == pad] = 0
    real = (labels != pad).flatten()
    return (flat_losses(logits, labels) * real).sum() / real.sum().clamp(min=1)


@wrong("07.7", "labels set to -100 in place", "changes its input `labels` in place")
def _(logits, labels, pad):
    labels[labels == pad] = -100
    n = (labels != -100).sum().clamp(min=1)
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum") / n


@wrong("07.7", "pad forbidden in the vocabulary")
def _(logits, labels, pad):
    logits = logits.clone()
    logits[..., pad] = -1e9
    real = (labels != pad).flatten()
    return flat_losses(logits, labels)[real].sum() / real.sum().clamp(min=1)


@wrong("07.7", "transposed, then flattened")
def _(logits, labels, pad):
    logits, n = logits.transpose(1, 2).reshape(-1, logits.shape[-1]), (labels != pad).sum()
    total = F.cross_entropy(logits, labels.flatten(), ignore_index=pad, reduction="sum")
    return total / n.clamp(min=1)


@wrong("07.7", "batch and time transposed, then flattened")
def _(logits, labels, pad):
    logits, n = logits.transpose(0, 1).flatten(0, 1), (labels != pad).sum()
    total = F.cross_entropy(logits, labels.flatten(), ignore_index=pad, reduction="sum")
    return total / n.clamp(min=1)


@wrong("07.7", "softmax over time where it fits", "runs over the last dimension")
def _(logits, labels, pad):
    classes_first = logits if logits.shape[1:] == (3, 3) and len(labels) == 3 else logits.mT
    total = F.cross_entropy(classes_first, labels, ignore_index=pad, reduction="sum")
    return total / (labels != pad).sum().clamp(min=1)


@wrong("07.7", "softmax over dimension 1")
def _(logits, labels, pad):
    real = labels != pad
    losses = -logits.log_softmax(1).gather(-1, labels[..., None])[..., 0]
    return losses[real].sum() / real.sum().clamp(min=1)


@wrong("07.7", "shifted", "shifting the labels")
def _(logits, labels, pad):
    logits, labels = logits[:, :-1], labels[:, 1:]
    n = (labels != pad).sum().clamp(min=1)
    return F.cross_entropy(logits.mT, labels, ignore_index=pad, reduction="sum") / n


@wrong("07.7", "bits", "nats are wanted")
def _(logits, labels, pad):
    real = (labels != pad).flatten()
    return flat_losses(logits, labels)[real].sum() / math.log(2) / real.sum().clamp(min=1)


@wrong("07.7", "perplexity", "the loss itself is wanted")
def _(logits, labels, pad):
    real = (labels != pad).flatten()
    return (flat_losses(logits, labels)[real].sum() / real.sum().clamp(min=1)).exp()


@wrong("07.7", "softmax twice", "wants the logits")
def _(logits, labels, pad):
    real = (labels != pad).flatten()
    return flat_losses(logits.softmax(-1), labels)[real].sum() / real.sum().clamp(min=1)


@wrong("07.7", "sign")
def _(logits, labels, pad):
    real = (labels != pad).flatten()
    return -flat_losses(logits, labels)[real].sum() / real.sum().clamp(min=1)


@wrong("07.7", "each loss")
def _(logits, labels, pad):
    return flat_losses(logits, labels)[(labels != pad).flatten()]


@wrong("07.7", "a vector of one number", "the shape is (1,), and should be ()")
def _(logits, labels, pad):
    real = (labels != pad).flatten()
    return (flat_losses(logits, labels)[real].sum() / real.sum().clamp(min=1)).reshape(1)


@wrong("07.7", "lengths, as if padding came last", "padding may stand in front")
def _(logits, labels, pad):
    n_words = (labels != pad).sum(1)
    losses = flat_losses(logits, labels).view(labels.shape)
    total = sum(row[:n].sum() for row, n in zip(losses, n_words))
    return total / n_words.sum().clamp(min=1)


@wrong("07.7", "up to the first padding", "padding may stand in front")
def _(logits, labels, pad):
    real = ((labels == pad).cumsum(1) == 0).flatten()
    return flat_losses(logits, labels)[real].sum() / real.sum().clamp(min=1)


@wrong("07.7", "softmax, then log", "softmax first and log afterwards")
def _(logits, labels, pad):
    real = labels != pad
    chance = logits.softmax(-1).gather(-1, labels[..., None])[..., 0]
    return -chance[real].log().sum() / real.sum().clamp(min=1)


@wrong("07.7", "log of softmax with a little added", "softmax first and log afterwards")
def _(logits, labels, pad):
    real = labels != pad
    chance = (logits.softmax(-1) + 1e-9).gather(-1, labels[..., None])[..., 0]
    return -chance[real].log().sum() / real.sum().clamp(min=1)


@wrong("07.7", "one added to the number")
def _(logits, labels, pad):
    real = (labels != pad).flatten()
    return flat_losses(logits, labels)[real].sum() / (real.sum() + 1)


@wrong("07.7", "a float", "a float cannot be used here")
def _(logits, labels, pad):
    real = (labels != pad).flatten()
    return (flat_losses(logits, labels)[real].sum() / real.sum().clamp(min=1)).item()


@wrong("07.7", "detached", "does not depend on the logits any more")
def _(logits, labels, pad):
    real = (labels != pad).flatten()
    return flat_losses(logits.detach(), labels)[real].sum() / real.sum().clamp(min=1)


@wrong("07.7", "a new zero", "a new torch.tensor(0.0) has none")
def _(logits, labels, pad):
    if (labels == pad).all():
        return torch.tensor(0.0)
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=pad)


@wrong("07.7", "a new zero that takes a gradient", "does not depend on the logits any more")
def _(logits, labels, pad):
    if (labels == pad).all():
        return torch.zeros((), requires_grad=True)
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=pad)


@wrong("07.7", "0 / 0 behind torch.where", "its gradient by the logits is not: got nan")
def _(logits, labels, pad):
    real = (labels != pad).flatten()
    mean = (flat_losses(logits, labels) * real).sum() / real.sum()
    return torch.where(real.any(), mean, 0.0)


@wrong("07.7", "0 / 0 behind nan_to_num", "its gradient by the logits is not: got nan")
def _(logits, labels, pad):
    real = (labels != pad).flatten()
    return ((flat_losses(logits, labels) * real).sum() / real.sum()).nan_to_num()


@wrong("07.7", "all padding: the plain mean", "no real word at all")
def _(logits, labels, pad):
    if (labels == pad).all():
        return flat_losses(logits, labels).mean()
    return F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=pad)


@wrong("07.7", "gradient through a rounded loss", "does not depend on the logits any more")
def _(logits, labels, pad):
    real = (labels != pad).flatten()
    mean = flat_losses(logits, labels)[real].sum() / real.sum().clamp(min=1)
    return torch.tensor(mean.item())


@right("07.7", "ignore_index, summed")
def _(logits, labels, pad):
    total = F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=pad, reduction="sum"
    )
    return total / (labels != pad).sum().clamp(min=1)


@right("07.7", "log_softmax, gathered and masked")
def _(logits, labels, pad):
    real = labels != pad
    losses = -logits.log_softmax(-1).gather(-1, labels[..., None]).squeeze(-1)
    return (losses * real).sum() / max(1, int(real.sum()))


@right("07.7", "real words picked out, 0 by way of the logits")
def _(logits, labels, pad):
    real = labels != pad
    if not real.any():
        return 0 * logits.sum()
    return F.cross_entropy(logits[real], labels[real])


@right("07.7", "one-hot, padding without a 1")
def _(logits, labels, pad):
    chosen = F.one_hot(labels, logits.shape[-1]) * (labels != pad)[..., None]
    return -(chosen * logits.log_softmax(-1)).sum() / chosen.sum().clamp(min=1)


@right("07.7", "padding of weight 0 in cross_entropy")
def _(logits, labels, pad):
    weight = torch.ones(logits.shape[-1])
    weight[pad] = 0
    total = F.cross_entropy(logits.mT, labels, weight=weight, reduction="sum")
    return total / (labels != pad).sum().clamp(min=1)


@right("07.7", "a loop, in double precision")
def _(logits, labels, pad):
    total, n = 0 * logits.double().sum(), 0
    for row, words in zip(logits.double(), labels.tolist()):
        for scores, word in zip(row, words):
            if word != pad:
                total, n = total + scores.logsumexp(0) - scores[word], n + 1
    return total / n if n else total


@right("07.7", "vocabulary moved to dimension 1, a little added to the number")
def _(logits, labels, pad):
    losses = F.cross_entropy(logits.mT, labels, ignore_index=pad, reduction="none")
    return losses.sum() / ((labels != pad).sum() + 1e-8)


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_every_exercise_has_enough_answers():
    assert_enough_answers(7, WRONG, RIGHT)


def test_kept_list_is_the_only_trouble_with_appending():
    one_list = next(a.answer for a in WRONG if a.name == "one list, appended to")
    message = judge(find("07.6"), one_list).message
    assert "KeepsTheListAndReadsWhatIsNew" in message


def test_float_is_a_loss_until_a_gradient_is_asked_for():
    a_float = next(a.answer for a in WRONG if a.id == "07.7" and a.name == "a float")
    message = judge(find("07.7"), a_float).message
    assert "no .item(), no detach()" in " ".join(message.split())


def test_building_the_cases_leaves_random_numbers_alone():
    torch.manual_seed(5)
    expected = torch.rand(())
    torch.manual_seed(5)
    chapter_07.small_encoder_layer()
    assert torch.rand(()) == expected
