"""What do explanations cost beside the passes that they cannot do without?

    PYTHONPATH=src python bench/explain.py [--pictures 100] [--batch 10] [--runs 3] [--masks 500] [--short]

ResNet-50, random weights, pictures of 224 x 224, channels-last memory. Grad-CAM of all pictures against as many forward
and backward passes in batches of the same size; occlusion and RISE of one picture against bare forward passes of as
many pictures. The two of a pair take turns, the first changing; printed are median seconds and the median ratio of
neighbors, by the clock and by the processor's time, which other work on the machine disturbs less. Promised: Grad-CAM
1.15, occlusion and RISE 1.1.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor, nn

from svertka import zoo
from svertka.explanation import heats
from svertka.explanation.methods.perturbation import PATCHES, _spans

SIDE = 224


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """By the clock, and of the processor."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - used


def passes(net: nn.Module, x: Tensor, batch: int) -> None:
    """Forward and backward as training does them, gradients of weights included."""
    for part in x.split(batch):
        scores = net(part)
        scores.amax(1).sum().backward()
    net.zero_grad(set_to_none=True)


@torch.inference_mode()
def forwards(net: nn.Module, count: int, batch: int) -> None:
    x = torch.randn(batch, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
    for first in range(0, count, batch):
        net(x[: min(batch, count - first)])


def compare(name: str, promise: float, ours: Callable[[], object], bare: Callable[[], object], runs: int) -> None:
    times: dict[str, list[tuple[float, float]]] = {"ours": [], "bare": []}
    work = {"ours": ours, "bare": bare}
    for run in range(runs):
        for who in list(work)[:: 1 if run % 2 else -1]:
            times[who].append(seconds(work[who]))
    pairs = list(zip(times["ours"], times["bare"], strict=True))
    clock, used = (statistics.median(a[k] / b[k] for a, b in pairs) for k in (0, 1))
    ours_s, bare_s = (statistics.median(t[0] for t in times[who]) for who in ("ours", "bare"))
    print(
        f"{name}: {ours_s:.1f} s, bare passes {bare_s:.1f} s, ratio {clock:.2f} by the clock, {used:.2f} of processor "
        f"time (promised {promise})",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=100, help="that Grad-CAM explains")
    parser.add_argument("--batch", type=int, default=10, help="pictures a pass")
    parser.add_argument("--runs", type=int, default=3, help="of each")
    parser.add_argument("--threads", type=int, default=2, help="cores")
    parser.add_argument("--masks", type=int, default=500, help="of RISE")
    parser.add_argument("--short", action="store_true", help="a rehearsal: a tenth of everything, once")
    args = parser.parse_args()
    if args.short:
        args.pictures, args.masks, args.runs = max(1, args.pictures // 10), max(1, args.masks // 10), 1
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    print(f"load {os.getloadavg()[0]:.1f}, torch {torch.__version__}, {args.threads} threads, batches of {args.batch}")
    net = zoo.net("resnet50").eval().to(memory_format=torch.channels_last)
    x = torch.randn(args.pictures, 3, SIDE, SIDE).to(memory_format=torch.channels_last)
    forwards(net, args.batch, args.batch)
    n, b = args.pictures, args.batch
    compare(f"grad-cam, {n} pictures", 1.15, lambda: heats(net, x, batch=b), lambda: passes(net, x, b), args.runs)
    one, target = x[:1], 0
    places = len(list(product(*(_spans(SIDE, round(SIDE / PATCHES)) for _ in range(2)))))
    compare(
        f"occlusion, {places} places", 1.1,
        lambda: heats(net, one, "occlusion", target=target, batch=b), lambda: forwards(net, places, b), args.runs,
    )  # fmt: skip
    compare(
        f"rise, {args.masks} masks", 1.1,
        lambda: heats(net, one, "rise", target=target, samples=args.masks, batch=b),
        lambda: forwards(net, args.masks, b), args.runs,
    )  # fmt: skip


if __name__ == "__main__":
    main()
