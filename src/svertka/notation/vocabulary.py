"""The vocabulary: every word of the notation, one row each; parser, hints and documentation read it here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Word:
    """A word: what it is called, an example that parses, what it means, and other spellings."""

    name: str
    example: str
    meaning: str
    aliases: tuple[str, ...] = ()


LAYERS = (
    Word(
        "conv",
        "conv3-64",
        "convolution, kernel 3 and 64 filters; keeps the size unless a suffix says otherwise",
    ),
    Word("dw", "dw3", "depthwise convolution, kernel 3: every map has its own filter"),
    Word("pool", "pool2", "max pooling by windows of 2; steps by the window and does not pad", ("maxpool",)),
    Word("avgpool", "avgpool2", "average pooling"),
    Word("minpool", "minpool2", "min pooling"),
    Word("sumpool", "sumpool2", "sum pooling"),
    Word("gap", "gap", "global average pooling: one number per map"),
    Word("gmp", "gmp", "global max pooling"),
    Word("flatten", "flatten", "all maps as one vector"),
    Word("fc", "fc4096", "fully connected layer; bare fc has one output per class", ("dense", "linear")),
    Word("bn", "bn", "batch normalization; the convolution before it then has no bias"),
    Word("lrn", "lrn5", "local response normalization over 5 neighboring maps"),
    Word("dropout", "dropout0.2", "sets a share of the numbers to zero in training; half without a number"),
    Word("id", "id", "nothing: a branch that passes its input on"),
)

ACTIVATIONS = (
    Word("relu", "relu", "max(x, 0)"),
    Word("lrelu", "lrelu0.2", "x where positive, else 0.2 x; 0.01 without a number", ("leakyrelu",)),
    Word("sigmoid", "sigmoid", "1 / (1 + exp(-x))"),
    Word("tanh", "tanh", "hyperbolic tangent"),
    Word("softmax", "softmax", "shares that sum to 1 over the maps at each place"),
    Word("relu6", "relu6", "min(max(x, 0), 6)"),
    Word("elu", "elu", "x where positive, else exp(x) - 1"),
    Word("gelu", "gelu", "x times the normal distribution function of x"),
    Word("silu", "silu", "x sigmoid(x)", ("swish",)),
    Word("hardswish", "hardswish", "x relu6(x + 3) / 6"),
)

GROUPS = (
    Word(
        "res",
        "res(conv3-64 bn relu conv3-64 bn)",
        "adds the input to the result; res(body | skip) shapes the input",
    ),
    Word("cat", "cat(conv1-64 | conv1-96 conv3-128)", "lays the maps of its branches one behind another"),
)

SUFFIXES = (
    ("s2", "stride; of pooling, the window where it is left out"),
    ("p1", "padding on every side, p0x3 along each axis"),
    ("v", "valid: no padding (the default of pooling); valid is understood too"),
    ("same", "the size is divided by the stride and rounded up (the default of convolutions)"),
    ("d2", "dilation"),
    ("g4", "groups"),
    ("c", "of pooling: the last window may hang over the edge, so the size is rounded up (ceil)"),
)

WORDS = {word.name: word for word in (*LAYERS, *ACTIVATIONS, *GROUPS)}
ALIASES = {alias: word.name for word in WORDS.values() for alias in word.aliases}
ACTIVATION_NAMES = frozenset(word.name for word in ACTIVATIONS)
