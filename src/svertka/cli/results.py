"""Results on stdout: tables for people, through rich; plain when stdout is a file."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svertka.cli.options import plain, rich_console
from svertka.errors import SvertkaError, UsageError
from svertka.records import Prediction, Unreadable

if TYPE_CHECKING:
    from svertka.api.evaluate import Evaluated
    from svertka.evaluation.selective_prediction import Point
    from svertka.pipeline.context import Trained
    from svertka.zoo import Variant
    from svertka.zoo.weights.catalog import Published


def print_trained(done: Trained) -> None:
    """The outcome of a training in a few lines."""
    s = done.summary
    console = rich_console()
    for part in ("validation", "test"):
        if s[part] is not None:
            console.print(
                f"[bold]{_share(s[part]['accuracy'], s[part]['n'])}[/] right on {_interval(s[part])}  [dim]{part}[/]"
            )
    if gain := s.get("gain"):
        console.print(
            f"{100 * gain['difference']:+.1f} points against a plain linear head, 95 % interval "
            f"{100 * gain['low']:+.1f} to {100 * gain['high']:+.1f}  [dim]validation[/]",
            highlight=False,
        )
    times = s["seconds"]
    console.print(
        f"{s['net']}, {s['parameters']:,} parameters, {len(s['classes'])} classes; {times['total']:.1f} s in all, "
        f"{times['read']:.1f} of them reading, {times['train']:.1f} learning "
        f"at {s['images_per_second']:,.0f} pictures a second",
        highlight=False,
    )
    console.print(
        f"run     {done.path}\nreport  {done.path / 'report.html'}", markup=False, highlight=False, soft_wrap=True
    )


def print_evaluated(found: Evaluated) -> None:
    """Accuracy with its interval, then class by class."""
    from rich.table import Table

    result = found.to_dict()
    console = rich_console()
    which = "all pictures" if found.part == "all" else f"the {found.part} part"
    console.print(f"[bold]{_share(result['accuracy'], result['n'])}[/] right on {_interval(result)}  [dim]{which}[/]")
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("class", overflow="fold")
    for title in ("pictures", "recall", "95 % interval", "precision"):
        table.add_column(title, justify="right")
    for name, row in result["per_class"].items():
        if row["support"]:
            interval = f"{row['low']:.1%} to {row['high']:.1%}"
            table.add_row(
                plain(name), f"{row['support']:,}", _percent(row["recall"]), interval, _percent(row["precision"])
            )
    console.print(table)
    means = {"balanced accuracy": result["balanced"], **{f"macro {k}": result["macro"][k] for k in ("precision", "f1")}}
    means |= {f"truth among the first {k}": v | {"value": v["accuracy"]} for k, v in result["top"].items()}
    scores = (f"{name} {v['value']:.1%} ({v['low']:.1%} to {v['high']:.1%})" for name, v in means.items())
    console.print("  ".join(scores))
    console.print(f"{result['calibration']['sentence']} Expected calibration error: {result['ece']:.3f}.")
    if result["resolution"]["sentence"]:
        console.print(result["resolution"]["sentence"])
    for sentence in failing_sentences(result):
        console.print(f"- {sentence}", markup=False)
    _print_unreadable(found.unreadable)


def failing_sentences(result: dict[str, Any]) -> list[str]:
    """Where a model fails, as far as `evaluate` has seen, in sentences."""
    found, sentences = result["failing"], []
    pairs = [f"{p['truth']!r} for {p['guess']!r} ({p['count']:,})" for p in found["confused"][:3]]
    if pairs:
        sentences.append(f"Most often it takes {', '.join(pairs)}.")
    sentences += [s["sentence"] for s in found["slices"]["shown"] if s["sentence"]][:4]
    if found["suspects"]["count"]:
        first = found["suspects"]["shown"][0]
        sentences.append(
            f"{found['suspects']['count']:,} labels look wrong, first of all {first['path']}: labeled "
            f"{first['label']!r}, taken for {first['guess']!r}. On pictures that it learned from this means little."
        )
    sentences += [kind["sentence"] for kind in result.get("robustness", {}).get("kinds", {}).values()]
    return sentences


def print_predictions(answers: Sequence[Prediction | Unreadable]) -> None:
    """One line a file: the label, its probability, and what came next."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(overflow="fold")
    table.add_column(justify="right")
    table.add_column(style="bold", overflow="fold")
    table.add_column(style="dim", overflow="fold")
    for answer in answers:
        if isinstance(answer, Unreadable):
            table.add_row(plain(answer.path), "", plain(f"cannot be read: {answer.reason}"), "")
        else:
            rest = ", ".join(f"{name} {p:.1%}" for name, p in answer.ranking[1:4] if p >= 0.0005)
            label, rest = ("unsure", f"{answer.label}, {rest}".strip(", ")) if answer.unsure else (answer.label, rest)
            table.add_row(plain(answer.path), f"{answer.probability:.1%}", plain(label), plain(rest))
    rich_console().print(table)


def print_nets(rows: Iterable[Variant]) -> None:
    """The networks, a line each."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("network", "input", "least", "paper"):
        table.add_column(title, justify="right" if title in ("input", "least") else "left", overflow="fold")
    for row in rows:
        size = f"{row.channels}x" + "x".join([str(row.size)] * row.dims)
        table.add_row(row.name, size, str(row.least), plain(row.source))
    rich_console().print(table)


def print_weights(rows: Iterable[Published]) -> None:
    """The published weights, a line each."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("weights", "top-1", "MiB", "input", "file"):  # 80 columns hold them; a name begins with its network
        table.add_column(title, justify="right" if title in ("top-1", "MiB", "input") else "left", overflow="fold")
    for row in rows:
        top1 = f"{row.top1:.2f}" if row.top1 is not None else ""
        size = f"{row.mebibytes:.1f}" if row.mebibytes is not None else ""
        table.add_row(row.name, top1, size, str(row.size), plain(row.file))
    rich_console().print(table)


def prediction_json(answers: Iterable[Prediction | Unreadable]) -> dict[str, Any]:
    """The surface of `predict --json`."""
    return {"predictions": [_answer(a) for a in answers]}


def write_csv(answers: Iterable[Prediction | Unreadable], path: Path) -> None:
    """path, label, probability, error: a line a file, in UTF-8; an unsure answer has no label and says so last."""
    try:
        with path.open("x", newline="", encoding="utf-8", errors="backslashreplace") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "label", "probability", "error"])
            for a in answers:
                if isinstance(a, Unreadable):
                    writer.writerow([a.path, "", "", a.reason])
                else:
                    label, error = ("", "unsure") if a.unsure else (a.label, "")
                    writer.writerow([a.path, label, f"{a.probability:.6f}", error])
    except OSError as why:
        raise SvertkaError(f"{path} cannot be written: {(why.strerror or str(why)).lower()}.") from why


def promise(point: Point, accuracy: float) -> str:
    """What `--reject` comes to, in a sentence."""
    return (
        f"Below a confidence of {point.threshold:.3g} the answer is unsure: on the validation pictures "
        f"{point.coverage:.1%} are answered, {point.accuracy:.1%} of those right, and {accuracy:.6g} is promised."
    )


def parse_shape(text: str) -> tuple[int, ...]:
    """`3x224x224` -> (3, 224, 224).

    Raises:
        UsageError: not two or three whole numbers above zero, joined by x.
    """
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) not in (2, 3) or not all(p.isdecimal() and int(p) > 0 for p in parts):
        raise UsageError(f"--input takes channels and sizes such as 3x224x224 or 1x8000; received {text!r}.")
    return tuple(map(int, parts))


def write_text(path: Path, text: str) -> None:
    """Write a new file; one that is there is never overwritten."""
    try:
        with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists already and is never overwritten; name another file.") from None
    except OSError as why:
        raise SvertkaError(f"{path} cannot be written: {(why.strerror or str(why)).lower()}.") from why


def _answer(answer: Prediction | Unreadable) -> dict[str, Any]:
    if isinstance(answer, Unreadable):
        return {"path": answer.path, "error": answer.reason}
    return {
        "path": answer.path,
        "label": None if answer.unsure else answer.label,
        "probability": answer.probability,
        "ranking": [list(pair) for pair in answer.ranking],
        **({"unsure": True} if answer.unsure else {}),
    }


def _print_unreadable(bad: Sequence[Unreadable], most: int = 5) -> None:
    console = rich_console(stderr=True)
    for u in bad[:most]:
        console.print(f"not read: {u.path}: {u.reason}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    if len(bad) > most:
        console.print(f"... and {len(bad) - most:,} more files that cannot be read", style="yellow")


def _interval(found: dict[str, Any]) -> str:
    n, low, high = found["n"], _share(found["low"], found["n"]), _share(found["high"], found["n"])
    return f"{n:,} pictures (95 % interval {low} to {high})"


def _share(share: float, n: int) -> str:
    decimals = 0 if n < 50 else 1 if n < 2000 else 2  # as many as n pictures can tell apart
    return f"{math.floor(share * 100 * 10**decimals + 0.5) / 10**decimals:.{decimals}f} %"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"
