"""Training on a GPU: time to accuracy against airbench's method, and what our loop adds to a compiled ResNet-50.

    PYTHONPATH=src python bench/gpu.py [--minutes 0.5,1] [--only cifar,resnet50] [--repeat 3]
    PYTHONPATH=src python bench/gpu.py --device cpu --quick       # a rehearsal of every line without a GPU

1. The CIFAR-10 copy: `svertka train cifar10.zip --minutes M`, whole processes, and peers/airbench_cifar.py, our own
   writing of the published method, on the same pictures and device. Each has two times: of the whole process, and of
   the training alone, when pictures are on the device (the published figure is of that kind). Promised is at most 1.0x
   the peer's training time to the peer's accuracy.
2. ResNet-50 at 224 in bfloat16, channels-last, through torch.compile: our whole loop, with loader and counting, beside
   the bare compiled step of the same plan on one batch that is there already. Promised is at most 1.1x.

The two take turns; printed are medians, and medians of the ratios of a round. Figures of a rehearsal mean nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import common
import racing
from common import Race
from racing import Competitor
from svertka import zoo
from svertka.data.loading.loader import Loader
from svertka.errors import UsageError
from svertka.hardware.compile import compiled, refuse_without_compiler
from svertka.hardware.plan import Plan
from svertka.kinds.image import Preprocess
from svertka.kinds.image.augment.augment import Augment
from svertka.records import Epoch
from svertka.training import loop
from svertka.training.recipe import Recipe

PROMISED_TIME, PROMISED_STEP = 1.0, 1.1
PEER = "airbench's method"
CLASSES, STEPS = 1000, 8  # of ResNet-50; steps in one timing
QUICK_PICTURES = 60  # of each class and part
PARTS = ("cifar", "resnet50")


# --- time to accuracy ---


def line_up(folder: Path, packed: Path, scratch: Path, options: argparse.Namespace) -> list[Competitor]:
    """The peer, and ours once for each time budget."""
    device = ("--device", options.device)
    words = (*device, "--epochs", "1", "--batch", "64") if options.quick else device
    peer = racing.peer(
        sys.executable, "airbench_cifar.py", folder, *words, limit=options.limit, enough=1.0
    )  # fmt: skip

    def ours(minutes: float) -> Competitor:
        words = ("--minutes", f"{minutes:g}", "--plan", f"device={options.device}")
        return Competitor(f"svertka, {minutes:g} minutes", racing.svertka(packed, scratch, *words), ours=True)

    return [Competitor(PEER, peer), *map(ours, options.minutes)]


def trained(race: Race) -> float:
    """Seconds of training alone: the peer says so itself, svertka in what `--json` prints."""
    last = race.last
    return float(last["training"] if "training" in last else last["seconds"]["train"])


def verdict(races: dict[str, list[Race]]) -> Iterator[str]:
    """The table, and for each round the first of ours that is as accurate as the peer."""
    rows = []
    for name, runs in races.items():
        whole, alone = ([f(r) for r in runs] for f in (lambda r: r.best.seconds, trained))
        best = statistics.median(r.best.accuracy for r in runs)
        rows.append([name, f"{best:.2%}", f"{statistics.median(whole):.1f} s", f"{statistics.median(alone):.2f} s"])
    yield common.table(["the CIFAR-10 copy", "test accuracy", "whole process", "training alone"], rows)
    alone, whole = [], []
    for number, peer in enumerate(races[PEER]):
        mine = [runs[number] for name, runs in races.items() if name != PEER]
        enough = sorted((r for r in mine if r.best.accuracy >= peer.best.accuracy), key=trained)
        if not enough:
            yield f"Round {number + 1}: no run of ours reached {peer.best.accuracy:.2%}; give --minutes more."
            continue
        alone.append(trained(enough[0]) / trained(peer))
        whole.append(enough[0].best.seconds / peer.best.seconds)
    if alone:
        yield (
            f"To the peer's accuracy ours takes {statistics.median(alone):.2f}x its training time "
            f"(promised at most {PROMISED_TIME}x) and {statistics.median(whole):.2f}x its whole process."
        )


def race(options: argparse.Namespace) -> None:
    """The first part."""
    with (
        tempfile.TemporaryDirectory(prefix="svertka-bench-") as scratch,
        common.unpacked(common.archive("cifar10.zip"), QUICK_PICTURES if options.quick else None) as (folder, packed),
    ):
        races = racing.run(line_up(folder, packed, Path(scratch), options), options.repeat)
    missing = [name for name, runs in races.items() if not all(r.points for r in runs)]
    if missing:
        raise common.BenchError(f"{', '.join(missing)} showed nothing within {options.limit:g} s (--limit).")
    print("\n".join(verdict(races)), end="\n\n")
    if options.json:
        curves = {name: [asdict(one) for one in runs] for name, runs in races.items()}
        options.json.write_text(json.dumps(curves, indent=1), encoding="utf-8")


# --- what the loop adds ---


class ResNet50:
    """ResNet-50 trained by our loop and by bare steps, each with a network of its own."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.device, side, self.batch = options.device, 64 if options.quick else 224, options.batch
        n = self.batch * STEPS
        self.plan = Plan(
            options.device, precision="bfloat16", threads=torch.get_num_threads(), compile=self._compiler(),
        )  # fmt: skip
        recipe = Recipe(
            net="resnet50", epochs=100_000, batch_size=self.batch, optimizer="nesterov", learning_rate=1e-4,
            weight_decay=5e-5, label_smoothing=0.1, ema_decay=0.0,
        )  # fmt: skip
        pixels = np.random.default_rng(0).integers(0, 256, (n, side, side, 3), np.uint8)
        self.train = Loader(
            pixels, np.arange(n) % CLASSES, np.arange(n), Preprocess(side, side, 3), batch=self.batch, seed=0,
            augment=Augment(flip_horizontal=True, shift=0.1), even=True, classes=CLASSES, device=options.device,
        )  # fmt: skip
        torch.manual_seed(0)
        self.records = loop.fit(
            loop.begin(zoo.net("resnet50", classes=CLASSES), recipe, self.plan), self.train, None, recipe, self.plan
        )
        self.net = zoo.net("resnet50", classes=CLASSES)
        self.net = self.net.to(self.device, memory_format=torch.channels_last).train()
        self.outputs = compiled(self.net.outputs) if self.plan.compile else self.net.outputs
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=1e-4, momentum=0.9, nesterov=True, weight_decay=5e-5)
        self.one = next(self.train.epoch())

    def _compiler(self) -> bool:
        try:
            refuse_without_compiler(self.device)
        except UsageError as why:
            print(f"Nothing is compiled: {why}")
            return False
        return True

    def looped(self) -> float:
        """Seconds a step of the whole loop: loader, variation, rates, counting, records."""
        begun = self._now()
        while not isinstance(next(self.records), Epoch):
            pass
        return (self._now() - begun) / STEPS

    def bare(self) -> float:
        """Seconds a step: compiled forward and backward pass and the optimizer, on one batch that is there already."""
        begun = self._now()
        for _ in range(STEPS):
            with self.plan.autocast():
                logits, *_ = self.outputs(self.one.x)
                loss = F.cross_entropy(logits, self.one.y, label_smoothing=0.1)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
        return (self._now() - begun) / STEPS

    def _now(self) -> float:
        if self.device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter()


def step(options: argparse.Namespace) -> None:
    """The second part."""
    bench = ResNet50(options)
    found: dict[Callable[[], float], list[float]] = {bench.looped: [], bench.bare: []}
    with bench.plan.torch_settings():
        bench.looped(), bench.bare()  # which compile
        for number in range(options.repeat):
            for turn in [*found][:: 1 if number % 2 else -1]:
                found[turn].append(turn())
    ours, bare = found.values()
    ratio = statistics.median(a / b for a, b in zip(ours, bare, strict=True))
    rows = [
        [name, f"{1000 * statistics.median(times):.1f} ms", f"{bench.batch / statistics.median(times):.0f}"]
        for name, times in (("our loop", ours), ("the bare step", bare))
    ]
    how = f"ResNet-50, batch {bench.batch}, {bench.plan.precision}{', compiled' * bench.plan.compile}"
    print(common.table([how, "one step", "pictures a second"], rows))
    print(f"Our loop takes {ratio:.3f}x the bare step (promised at most {PROMISED_STEP}x).")
    if bench.device.startswith("cuda"):
        print(f"Tensors took {torch.cuda.max_memory_allocated() / 2**30:.1f} GiB at most, both networks together.")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--device", default="cuda", choices=("cuda", "cpu"), help="cpu is for a rehearsal")
    add("--minutes", type=lambda s: [float(m) for m in s.split(",")], default=[0.5, 1.0], metavar="M,...")
    add("--only", type=lambda s: s.split(","), default=list(PARTS), metavar="A,B", help=" ".join(PARTS))
    add("--repeat", type=int, default=3, metavar="N", help="rounds; medians are shown")
    add("--batch", type=int, default=256, help="pictures a step of ResNet-50")
    add("--limit", type=float, default=300, metavar="SECONDS", help="stop the peer after so many")
    add("--quick", action="store_true", help="a rehearsal on tiny sizes")
    add("--json", type=Path, metavar="FILE", help="write every point there")
    options = parser.parse_args()
    if options.quick:
        vars(options).update(minutes=[0.2], repeat=1, batch=4)
    return options


def main() -> None:
    options = parse()
    if unknown := set(options.only) - set(PARTS):
        raise common.BenchError(f"--only knows {', '.join(PARTS)}; not {', '.join(sorted(unknown))}.")
    if options.device == "cuda" and not torch.cuda.is_available():
        raise common.BenchError(
            f"PyTorch {torch.__version__} sees no GPU here, and this measures one; "
            "`--device cpu --quick` rehearses every line on the processor."
        )
    if options.device == "cpu" and not options.quick:
        raise common.BenchError("On a processor this is a rehearsal only: say --quick (bench/step.py measures there).")
    print(f"{common.machine()}\n{common.versions('torch', 'numpy', 'pillow')}, {options.repeat} round(s)")
    if options.device == "cuda":
        print(f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}")
    print()
    for part, work in zip(PARTS, (race, step), strict=True):
        if part in options.only:
            work(options)


if __name__ == "__main__":
    try:
        main()
    except common.BenchError as error:
        sys.exit(str(error))
