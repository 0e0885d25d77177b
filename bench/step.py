"""How near is a training step to what the machine can do, and what does our loop add to it?

    PYTHONPATH=src python bench/step.py [--rounds 7] [--batch 16] [--threads N] [--quick]

1. ResNet-18 at 224: the step of our plan in arithmetic a second, against the fastest of some plain timed convolutions
   in the plan's precision, forwards alone and (two thirds of a step) with its backward pass; and against a loop as
   tutorials write it (default layout, float32, torch.optim.SGD).
2. `small` on pictures of MNIST's and CIFAR-10's size and ResNet-18: the bare forward pass, backward pass and step of a
   network on one batch; our loop on batches that are there already; our loop with its loader and augmentation. Then
   the same of a single dense layer, for what the loop takes by itself.

What is compared takes turns, in the second part every few steps, so that whatever else the machine does meets all;
printed are medians over rounds, and the medians of ratios within a round. A multiply-add counts as two operations, a
training step as three forward passes less the gradient of the input. `--quick` is a rehearsal on tiny sizes; its
figures mean nothing.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

import common
from svertka import zoo
from svertka.data.loading.loader import Batch, Loader
from svertka.hardware.autotune import make_plan
from svertka.hardware.malloc import kept_memory
from svertka.hardware.plan import Plan
from svertka.kinds.image import Preprocess
from svertka.kinds.image.augment.augment import Augment
from svertka.records import Epoch, Note, Step
from svertka.summary import table
from svertka.training import loop
from svertka.training.optimizer_factory import make_optimizer
from svertka.training.recipe import Recipe

PROMISED_SHARE, PROMISED_RATIO, PROMISED_EXTRA = 0.7, 1.8, 0.03
# channels in, channels out, side, kernel: the kinds of convolution that a plain timing shows at their best
CONVOLUTIONS = ((64, 64, 56, 3), (128, 128, 28, 3), (256, 256, 14, 3), (256, 256, 28, 3), (512, 512, 14, 1))
CLASSES = 10
SECONDS = 20  # of rounds of the second part, at least


@dataclass(frozen=True)
class Case:
    """A row of the second table."""

    name: str
    net: str
    side: int
    channels: int
    batch: int
    augment: Augment
    steps: int  # in one pass of the loop, which is one timing


def cases(options: argparse.Namespace) -> list[Case]:
    shift, both = Augment(shift=2.01 / 28, untouched=0.1), Augment(flip_horizontal=True, shift=0.1, untouched=0.1)
    side, steps = (32, 2) if options.quick else (224, 4)
    return [
        Case("small, 28x28x1", "small", 28, 1, 192, shift, 2 if options.quick else 40),
        Case("small, 32x32x3", "small", 32, 3, 192, both, 2 if options.quick else 40),
        Case(f"resnet18, {side}x{side}x3", "resnet18", side, 3, options.batch, both, steps),
        Case("one dense layer, 28x28x1", "flatten fc", 28, 1, 192, shift, 2 if options.quick else 40),
    ]


@dataclass(frozen=True)
class Ready:
    """A loader whose batches cost nothing: the same one again and again."""

    batch: Batch
    steps: int

    def __len__(self) -> int:
        return self.steps

    def epoch(self, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        return itertools.repeat(self.batch, self.steps - start)


class Bench:
    """One network with data, trained by our loop and by bare steps."""

    def __init__(self, case: Case, threads: int) -> None:
        torch.manual_seed(0)
        self.case, n = case, case.batch * case.steps
        pixels = np.random.default_rng(0).integers(0, 256, (n, case.side, case.side, case.channels), np.uint8)
        preprocess = Preprocess(case.side, case.side, case.channels)
        self.net = zoo.make(case.net, preprocess.shape, CLASSES)
        shape = (case.batch, *preprocess.shape)
        self.plan = make_plan(self.net, shape, CLASSES, requested={"threads": threads, "compile": False})
        self.recipe = Recipe(
            net=case.net, epochs=100_000, batch_size=case.batch, optimizer="nesterov", learning_rate=1e-4,
            weight_decay=5e-4, label_smoothing=0.1, ema_decay=0.0,
        )  # fmt: skip
        self.train = Loader(
            pixels, np.arange(n) % CLASSES, np.arange(n), preprocess, batch=case.batch, seed=0, augment=case.augment,
            even=True,
        )  # fmt: skip
        self.optimizer = make_optimizer(self.net, self.recipe)
        self.one = next(self.train.epoch())
        self.whole, self.alone = (self._records(source) for source in (self.train, Ready(self.one, case.steps)))

    def _records(self, source: Loader | Ready) -> Iterator[Step | Epoch | Note]:
        return loop.fit(loop.begin(self.net, self.recipe, self.plan), source, None, self.recipe, self.plan)

    def looped(self) -> float:
        """Seconds a step of the whole loop: loader, augmentation, rates, counting, records."""
        return self._loop(self.whole, last=True) / self.case.steps

    def round(self, backwards: bool) -> tuple[float, ...]:
        """Seconds a step of the bare steps, of the loop on a batch that is there already, and of the whole loop.

        All three make one pass, in turns of a few steps: as many as the loop makes between two records.
        """
        few = max(1, self.case.steps // loop.RECORDS)
        turns = -(-self.case.steps // few)
        seconds = [0.0, 0.0, 0.0]
        for turn in range(turns):
            last = turn == turns - 1
            ways = (
                lambda: self._bare(few),
                lambda last=last: self._loop(self.alone, last),
                lambda last=last: self._loop(self.whole, last),
            )
            for way in range(3)[:: -1 if backwards else 1]:
                seconds[way] += ways[way]()
        return tuple(one / self.case.steps for one in seconds)

    def _loop(self, records: Iterator[Step | Epoch | Note], last: bool) -> float:
        """Seconds to the next record, or to the end of the pass."""
        begun = time.perf_counter()
        while not isinstance(next(records), Epoch) and last:
            pass
        return time.perf_counter() - begun

    def _bare(self, steps: int) -> float:
        """Seconds of so many steps: forward pass, backward pass and the optimizer on a batch that is there already."""
        begun = time.perf_counter()
        for _ in range(steps):
            with self.plan.autocast():
                loss = F.cross_entropy(self.net(self.one.x), self.one.y, label_smoothing=0.1)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
        return time.perf_counter() - begun


def plain_loop(case: Case) -> Callable[[], float]:
    """A step as tutorials write it: default layout, float32, torch.optim.SGD, the loss read at every step."""
    torch.manual_seed(0)
    net = zoo.make(case.net, (case.channels, case.side, case.side), CLASSES).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9)
    x, y = torch.randn(case.batch, case.channels, case.side, case.side), torch.arange(case.batch) % CLASSES

    def seconds() -> float:
        begun = time.perf_counter()
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        loss.item()
        return time.perf_counter() - begun

    return seconds


def convolutions(plan: Plan, batch: int, quick: bool, *, backward: bool) -> list[Callable[[], float]]:
    """Operations a second of plain convolutions, in the plan's precision and channels-last memory.

    Forwards alone, or forwards and then both gradients.
    """

    def timed(c_in: int, c_out: int, side: int, kernel: int) -> Callable[[], float]:
        dtype = torch.bfloat16 if plan.precision == "bfloat16" else torch.float32
        x, weight = (
            torch.randn(*shape).to(dtype, memory_format=torch.channels_last).requires_grad_(backward)
            for shape in ((batch, c_in, side, side), (c_out, c_in, kernel, kernel))
        )
        operations = (6 if backward else 2) * batch * side * side * c_in * c_out * kernel * kernel
        given = torch.ones(batch, c_out, side, side, dtype=dtype).to(memory_format=torch.channels_last)
        times = 1 if quick else 10

        def rate() -> float:
            begun = time.perf_counter()
            for _ in range(times):
                out = F.conv2d(x, weight, padding=kernel // 2)
                if backward:
                    torch.autograd.grad(out, (x, weight), given)
            return times * operations / (time.perf_counter() - begun)

        return rate

    return [timed(*row) for row in CONVOLUTIONS]


def training_operations(case: Case) -> float:
    """Of one step: a forward pass, and twice that backward, but the first layer has no gradient of its input."""
    found = table(
        zoo.make(case.net, (case.channels, case.side, case.side), CLASSES), (case.channels, case.side, case.side)
    )
    first = next(row.macs for row in found.layers if row.macs)
    return 2 * case.batch * (3 * found.totals.macs - first)


def efficiency(bench: Bench, rounds: int, quick: bool) -> Iterator[str]:
    """The first part, as lines."""
    case, plan = bench.case, bench.plan
    rates, both = (convolutions(plan, case.batch, quick, backward=backward) for backward in (False, True))
    plain, operations = plain_loop(case), training_operations(case)
    shares, ratios, ours, best, trained = [], [], [], [], []
    plain()
    for number in range(rounds):
        turns: list[Callable[[], None]] = [
            lambda: ours.append(bench.looped()),
            lambda: best.append(max(rate() for rate in rates)),
            lambda: trained.append(max(rate() for rate in both)),
            lambda: ratios.append(plain()),
        ]
        for turn in turns[:: 1 if number % 2 else -1]:
            turn()
        shares.append(operations / ours[-1] / best[-1])
        ratios[-1] /= ours[-1]
    median = statistics.median
    yield f"{case.name}, batch {case.batch}, plan {plan.layout} {plan.precision}, {plan.threads} threads:"
    yield f"  our step {median(ours) * 1000:.1f} ms, {operations / median(ours) / 1e9:.0f} G operations a second"
    yield (
        f"  the best plain convolution {median(best) / 1e9:.0f} G operations a second: "
        f"our step reaches {median(shares):.2f} of it (promised {PROMISED_SHARE})"
    )
    yield (
        f"  forwards and backwards it reaches {median(trained) / 1e9:.0f} G: "
        f"our step {operations / median(ours) / median(trained):.2f} of that"
    )
    yield f"  a plain loop takes {median(ratios):.2f}x as long (promised {PROMISED_RATIO}x)"


def overhead(bench: Bench, rounds: int, quick: bool) -> tuple[list[str], str]:
    """A row of the second table, and what the loop takes by itself."""
    begun = time.perf_counter()
    bench.round(backwards=False)  # warm
    more = 0 if quick else round(SECONDS / (time.perf_counter() - begun))
    found = [bench.round(backwards=bool(number % 2)) for number in range(max(rounds, more))]
    median = statistics.median
    added = [median(row[way] / row[0] for row in found) - 1 for way in (1, 2)]
    ms = [f"{1000 * median(row[way] for row in found):.2f} ms" for way in range(3)]
    verdict = "kept" if added[0] < PROMISED_EXTRA else "not kept"
    row = [bench.case.name, bench.plan.precision, *ms, *(f"{share:+.1%}" for share in added), verdict]
    return row, f"{1e6 * median(row[1] - row[0] for row in found):.0f} microseconds a step"


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="turns of everything")
    parser.add_argument("--batch", type=int, default=16, help="pictures a step of ResNet-18")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of each operation")
    parser.add_argument("--quick", action="store_true", help="a rehearsal on tiny sizes")
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.quick:
        options.rounds, options.batch = 2, 4
    torch.set_num_threads(options.threads)
    print(f"{common.machine()}\n{common.versions('torch', 'numpy')}, {options.rounds} rounds\n")
    rows, itself = [], ""
    with kept_memory():
        for case in cases(options):
            bench = Bench(case, options.threads)
            with bench.plan.torch_settings():
                row, itself = overhead(bench, options.rounds, options.quick)
                if case.net == "resnet18":
                    print("\n".join(efficiency(bench, options.rounds, options.quick)), end="\n\n")
                rows.append(row)
    promised = f"under {PROMISED_EXTRA:.0%}"
    header = ["one step", "precision", "bare", "our loop", "and its loader", "loop adds", "both add", promised]
    print(common.table(header, rows[:-1]))
    print(f"\nWith {cases(options)[-1].name}, the loop takes {itself} by itself.")


if __name__ == "__main__":
    try:
        main()
    except common.BenchError as error:
        sys.exit(str(error))
