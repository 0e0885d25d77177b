"""What the JSON files of a run folder hold, as records: names, types and ranges. docs/architecture.md says it in words.

What a run of an earlier version lacks has a default here; what a later one adds is passed over.
Sentences are text, or a message (common/messages.py) where the run was written by a version that keeps ids.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct, field

Share = Annotated[float, Meta(ge=0, le=1)]
Amount = Annotated[float, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0)]


class Record(Struct, frozen=True, kw_only=True):
    """Base of all: what is read is not changed."""


class Named(Record, frozen=True, kw_only=True):
    """A file and what is said of it."""

    path: str
    reason: str
    files: int = 1  # that it stands for


# ---- recipe.json


class DataSource(Record, frozen=True, kw_only=True):
    """What a run learned from, so that it is found again (`data.reopen_source`): one place, or several."""

    where: str | None = None
    kind: str | None = None
    files: Count | None = None
    places: list[str] | None = None


class RecipeFile(Record, frozen=True, kw_only=True):
    """recipe.json: what was asked and chosen; what `recipe` and `preprocess` hold is checked where it is used.

    `network` and `structure` are there where the network is new, `start` where it began from weights, `transfer` where
    it climbed the ladder, and `climb` what that has settled so far.
    """

    format: Annotated[int, Meta(ge=1)] = 1
    svertka: str | None = None
    command: str | list[str] | None = None
    data: DataSource = DataSource()
    recipe: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    preprocess: dict[str, Any] = field(default_factory=dict)
    network: dict[str, Any] | None = None
    structure: dict[str, Any] | None = None
    start: dict[str, Any] | None = None
    transfer: Any = None
    climb: Climb | None = None
    plan: dict[str, Any] | None = None


class Climb(Record, frozen=True, kw_only=True):
    """What a ladder has settled: seconds so far, and by rung how it computes."""

    seconds: Amount = 0.0
    rungs: dict[str, dict[str, Any]] = field(default_factory=dict)


# ---- metrics.json


class PartScore(Record, frozen=True, kw_only=True):
    """How good the network is on a part; metrics.json holds more of it, which the page computes anew."""

    accuracy: Share | None = None


class Seconds(Record, frozen=True, kw_only=True):
    """Where the time went."""

    total: Amount = 0.0
    read: Amount = 0.0
    train: Amount = 0.0


class Memory(Record, frozen=True, kw_only=True):
    """Bytes at most, here and on the device."""

    peak: Count | None = None
    device: Count | None = None


class Forecast(Record, frozen=True, kw_only=True):
    """What was forecast, and what came."""

    forecast: Amount | None = None
    truth: Amount | None = None


class Limit(Record, frozen=True, kw_only=True):
    """What held training up: "input" or "compute", and the share of time spent waiting for pictures."""

    by: str | None = None
    waiting: Share = 0.0


class RungResult(Record, frozen=True, kw_only=True):
    """One way in which weights were used."""

    rung: str = ""
    backbone: str | None = None
    detail: str | None = None
    accuracy: Share | None = None
    low: Share | None = None
    high: Share | None = None
    n: Count = 1000
    left_out: Share | None = None
    seconds: Amount | None = None
    kept: bool = False


class Gain(Record, frozen=True, kw_only=True):
    """A paired difference of two accuracies on the same `n` pictures."""

    n: Count
    gained: Count
    lost: Count
    difference: Annotated[float, Meta(ge=-1, le=1)]
    low: Annotated[float, Meta(ge=-1, le=1)]
    high: Annotated[float, Meta(ge=-1, le=1)]


class Metrics(Record, frozen=True, kw_only=True):
    """metrics.json: what came out."""

    validation: PartScore | None = None
    test: PartScore | None = None
    stopped: bool = False
    parameters: Count | None = None
    epochs: Count | None = None
    best_epoch: Count | None = None
    seconds: Seconds = Seconds()
    time: dict[str, Amount] = field(default_factory=dict)
    memory: Memory = Memory()
    images_per_second: Amount | None = None
    plan: dict[str, Any] | None = None
    machine: dict[str, Any] | str | None = None
    skipped: list[Named] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ladder: list[RungResult] | None = None
    gain: Gain | None = None
    forecast: dict[str, Forecast] = field(default_factory=dict)
    limit: Limit = Limit()


# ---- failing.json


class Case(Record, frozen=True, kw_only=True):
    """A picture with its label, the answer, and the probability of both; `place` is a row of the predictions."""

    place: Count
    path: str
    label: str
    guess: str
    given: Share
    confidence: Share


class Planted(Record, frozen=True, kw_only=True):
    """Of labels that were made wrong on purpose the share that was found, and of those suspected the share wrong."""

    found: Share | None = None
    precise: Share | None = None


class Suspects(Record, frozen=True, kw_only=True):
    """Labels that look wrong: how many, and those that are listed."""

    count: Count
    shown: list[Case]
    planted: Planted | None = None


class Slice(Record, frozen=True, kw_only=True):
    """Pictures with a fact in common, and how the network fares on them."""

    fact: str
    value: str
    n: Count
    accuracy: Share
    low: Share
    high: Share
    rest: Share
    p: Share
    proven: bool
    owned: bool
    of: str | None = field(name="class", default=None)
    owner: str | None = None
    share: Share | None = None
    usual: Share | None = None


class Slices(Record, frozen=True, kw_only=True):
    """How many were looked at, and the most telling of them."""

    looked_at: Count
    shown: list[Slice]


class Failing(Record, frozen=True, kw_only=True):
    """failing.json: where the network fails, by the predictions of a part."""

    n: Count
    least_certain: list[Case]
    suspects: Suspects
    slices: Slices
    part: str = "validation"


# ---- robustness.json, baselines.json


class Accuracy(Record, frozen=True, kw_only=True):
    """Of how many pictures; None where of all."""

    accuracy: Share
    low: Share
    high: Share
    n: Count | None = None


class Strength(Accuracy, frozen=True, kw_only=True):
    """A change of this strength."""

    strength: float


class Change(Record, frozen=True, kw_only=True):
    """A kind of change: accuracy by strength, and the strength from which on it surely falls."""

    unit: str
    points: list[Strength]
    falls: float | None = None


class Robustness(Record, frozen=True, kw_only=True):
    """robustness.json: how far pictures may change; `weights` is the SHA-256 of what it is true of."""

    part: str
    n: Count
    accuracy: Share
    low: Share
    high: Share
    kinds: dict[str, Change]
    left_out: list[str] = field(default_factory=list)
    weights: str | None = None


class Simpler(Accuracy, frozen=True, kw_only=True):
    """What a simpler answer reaches, and the chance of so large a difference to the model."""

    name: str
    p: Share | None = None


class Baselines(Record, frozen=True, kw_only=True):
    """baselines.json: the model beside simpler answers."""

    part: str
    n: Count
    model: Accuracy
    rows: list[Simpler]
    weights: str | None = None


# ---- check.json


class Checked(Record, frozen=True, kw_only=True):
    """A file of a finding: in a part, of a class."""

    path: str
    part: str | None = None
    label: str | None = field(name="class", default=None)


class Leak(Record, frozen=True, kw_only=True):
    """The same picture on both sides of a split."""

    files: list[Checked]
    identical: bool = False


class Oddity(Record, frozen=True, kw_only=True):
    """An odd picture."""

    path: str
    kind: str
    detail: str


class Shortcut(Record, frozen=True, kw_only=True):
    """A fact that alone tells a class."""

    fact: str
    label: str = field(name="class")
    area: float = 0.0
    pictures: Count = 0


class Findings(Record, frozen=True, kw_only=True):
    """check.json: what `svertka check` found in the data."""

    warnings: list[str]
    classes: dict[str, Count] = field(default_factory=dict)
    unreadable: list[Named] = field(default_factory=list)
    skipped: list[Named] = field(default_factory=list)
    duplicates: list[list[str]] = field(default_factory=list)
    near_duplicates: list[list[str]] = field(default_factory=list)
    leaks: list[Leak] = field(default_factory=list)
    disagreements: list[list[Checked]] = field(default_factory=list)
    oddities: list[Oddity] = field(default_factory=list)
    shortcuts: list[Shortcut] = field(default_factory=list)


# ---- network.json


class Layer(Record, frozen=True, kw_only=True):
    """A row of the layer table; the receptive field is a side, or height and width, or unknown."""

    name: str
    word: str
    output: list[Count]
    weights: Count
    biases: Count
    macs: Count | None = None
    receptive_field: Count | list[Count] | None = None


class Totals(Record, frozen=True, kw_only=True):
    """Sums over the layers."""

    macs: Count | None = None
    forward_bytes: Count | None = None


class Layers(Record, frozen=True, kw_only=True):
    """network.json: the layer table."""

    layers: list[Layer]
    totals: Totals = Totals()


# ---- model/model.json


class NetworkName(Record, frozen=True, kw_only=True):
    """How the network is called, and the shape of its input."""

    name: str | None = None
    shape: list[Count] | None = None


class Prepared(Record, frozen=True, kw_only=True):
    """How a sample becomes input: its kind, and of a picture the rest (kinds/image/preprocess.py)."""

    kind: str = "image"
    width: Count | None = None
    height: Count | None = None
    channels: Count | None = None
    fit: str | None = None
    mean: list[float] = field(default_factory=list)
    std: list[float] = field(default_factory=list)
    zoom: float = 1.0
    interpolation: str = "bilinear"


class ModelFacts(Record, frozen=True, kw_only=True):
    """model.json, as far as a page says it; `models` opens the network."""

    network: NetworkName = NetworkName()
    preprocess: Prepared = Prepared()


class WeightsFile(Record, frozen=True, kw_only=True):
    """The weights beside model.json."""

    sha256: str


class ModelFile(Record, frozen=True, kw_only=True):
    """model.json, as the network is built from it: by its structure, in format 1 by name."""

    format: Count
    network: dict[str, Any]
    classes: list[str]
    preprocess: dict[str, Any]
    temperature: Annotated[float, Meta(gt=0)]
    weights: WeightsFile
    svertka: str | None = None
    structure: dict[str, Any] | None = None
    abstaining: list[tuple[Share, Share, Share, Share]] = field(default_factory=list)
    mirror: bool = False


# ---- repeats.json


class RunScore(Record, frozen=True, kw_only=True):
    """The accuracy of one of the runs on a part."""

    accuracy: Share
    low: Share
    high: Share
    n: Count


class OneOfMany(Record, frozen=True, kw_only=True):
    """One of the repeated trainings."""

    run: str
    validation: RunScore | None = None
    test: RunScore | None = None


class Mean(Record, frozen=True, kw_only=True):
    """Mean and spread over the runs."""

    accuracy: Share
    low: Share
    high: Share
    n: Count
    deviation: Amount | None = None


class RepeatsFile(Record, frozen=True, kw_only=True):
    """repeats.json: several trainings beside each other."""

    run: str
    kind: str
    sentence: str
    runs: list[OneOfMany]
    validation: Mean | None = None
    test: Mean | None = None


# ---- log.jsonl


class LogRecord(Record, frozen=True, kw_only=True):
    """Any line of it: what it is, and where in the training; `rung` where that was one of a ladder."""

    kind: str = ""
    step: Count | None = None
    epoch: Count = 0
    rung: str | None = None
    text: str = ""


class StepRecord(Record, frozen=True, kw_only=True):
    """kind "step": training went forward."""

    step: Count
    steps: Count
    loss: float | None = None


class EpochRecord(Record, frozen=True, kw_only=True):
    """kind "epoch": a pass is over; earlier versions counted from 0."""

    epoch: Count
    epochs: Count | None = None
    loss: float | None = None
    accuracy: Share | None = None
    validation_loss: float | None = None
    validation_accuracy: Share | None = None
    seconds: Amount | None = None
    best: bool = False


class NoteRecord(Record, frozen=True, kw_only=True):
    """kind "note": a sentence."""

    text: str = ""
