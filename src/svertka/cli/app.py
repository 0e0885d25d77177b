"""The verbs on the command line, and the one place where errors become sentences."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from svertka.cache.folders import limit_cache
from svertka.cli import augmentation, compare, networks
from svertka.cli.dry_run import rehearse
from svertka.cli.embed import embed
from svertka.cli.options import (
    DATA,
    CacheLimit,
    Data,
    GroupBy,
    Json,
    ModelArg,
    Net,
    Quiet,
    Seed,
    Settings,
    Size,
    print_json,
    say,
    say_left_out,
)
from svertka.cli.process import INTERRUPTED, TERMINATED, Terminated
from svertka.common.startup import at_ease
from svertka.common.torchrun import may_report, refuse_several, world
from svertka.errors import NotationError, SvertkaError, UsageError

if TYPE_CHECKING:
    from svertka.pipeline.context import Trained

STARTED = time.perf_counter()

app = typer.Typer(
    name="svertka",
    help="A folder of pictures becomes a classifier that you can trust, understand and ship.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """What the `svertka` command runs."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that cannot be written ends nothing
    try:
        status = app(standalone_mode=False)  # a number where the parser itself ended, as by Ctrl-C
        sys.stdout.flush()
    except SvertkaError as error:
        _fail(error)
    except (KeyboardInterrupt, typer.Abort):
        _end("Interrupted.", INTERRUPTED)
    except Terminated:
        _end("Interrupted.", TERMINATED)
    except BrokenPipeError:  # the reader of our output has gone, as in `svertka ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if not hasattr(error, "format_message"):  # not one of the parser's own: a fault of ours
            _end(traceback.format_exc(), 1, f"{type(error).__name__}: {error}")
        _end(f"svertka: {error.format_message()}", getattr(error, "exit_code", 2), error.format_message())
    if status == INTERRUPTED:
        _end("Interrupted.", INTERRUPTED)
    if status:
        sys.exit(status)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    if version:
        from svertka import __version__

        print(f"svertka {__version__}")
        raise typer.Exit
    if context.invoked_subcommand not in (None, "train"):
        refuse_several(f"`svertka {context.invoked_subcommand}`")


@app.command()
def train(
    data: Annotated[list[str] | None, typer.Argument(help=DATA)] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder to make; runs/NAME-N if not given.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run where it stopped.")] = None,
    net: Net = None,
    weights: Annotated[
        str, typer.Option(help="Start from these: auto, none, a name of `svertka weights`, files, a run.")
    ] = "auto",
    freeze: Annotated[
        str, typer.Option(help="What does not learn: auto, none, backbone, the first N stages, or names.")
    ] = "auto",
    size: Size = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training pictures.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Time that the whole run may take.")] = None,
    seed: Seed = None,
    group_by: GroupBy = None,
    manifest: Annotated[Path | None, typer.Option(help="Split as this manifest.json of an earlier run has it.")] = None,
    balance: Annotated[str | None, typer.Option(help="Rare classes count more: none, weights or sample.")] = None,
    plan: Annotated[
        str | None, typer.Option(metavar="KEY=VALUE,...", help="How to compute, instead of measuring it.")
    ] = None,
    repeat: Annotated[int | None, typer.Option(help="Train with so many seeds, for the mean and the spread.")] = None,
    folds: Annotated[int | None, typer.Option(help="Train so many times, each judged by another fold.")] = None,
    settings: Settings = None,
    find_rate: Annotated[bool, typer.Option("--find-rate", help="Only find how high a rate to learn at.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Only prove that a seed gives the same weights.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write the records for TensorBoard, too.")] = False,
    cache_limit: CacheLimit = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn labeled pictures into a classifier, with a report."""
    from svertka.training.recipe import parse_setting

    limit_cache(cache_limit)
    if bool(data) == (resume is not None):
        raise UsageError("`svertka train` takes either DATA or --resume RUN.")
    options: dict[str, Any] = {
        "net": net,
        "size": size,
        "epochs": epochs,
        "minutes": minutes,
        "seed": seed,
        "group_by": group_by,
    }
    options |= {"manifest": manifest, "balance": balance, "plan": plan}
    options |= {k: v for k, v in (("weights", weights), ("freeze", freeze)) if v != "auto"}
    overrides = {k: v for k, v in options.items() if v is not None} | dict(map(parse_setting, settings or []))
    if resume is not None and (overrides or out):
        given = ", ".join([*overrides, *(["out"] if out else [])])
        raise UsageError(f"--resume goes on with the recipe of the run; it does not take {given}.")
    if find_rate or verify:
        others = {"--repeat": repeat, "--folds": folds, "--tensorboard": tensorboard}
        rehearse(data, out, others, find=find_rate, prove=verify, as_json=as_json, quiet=quiet, **overrides)
    elif repeat is not None or folds is not None:
        overrides |= {"out": out, "tensorboard": tensorboard}
        compare.train_repeatedly(data, repeat, folds, resume, as_json=as_json, quiet=quiet, **overrides)
    else:
        overrides |= {"command": shlex.join(["svertka", *sys.argv[1:]])}
        _train_once(data, out, resume, tensorboard=tensorboard, as_json=as_json, quiet=quiet, **overrides)


def _train_once(
    data: list[str] | None, out: Path | None, resume: Path | None, *, tensorboard: bool, as_json: bool, quiet: bool,
    **overrides: Any,
) -> None:  # fmt: skip
    """A new training, or the rest of one that was stopped."""
    from svertka.cli.progress import watching

    first = world().is_main  # of the processes that torchrun started, one speaks
    with watching(quiet=quiet or not first) as watch:
        if resume is not None:
            from svertka.api.train import resume as go_on

            done = go_on(resume, tensorboard=tensorboard, watch=watch, started=STARTED)
        else:
            from svertka.api.train import train as begin

            done = begin(data or [], out=out, tensorboard=tensorboard, watch=watch, started=STARTED, **overrides)
    if first:
        _tell_trained(done, as_json)


def _tell_trained(done: Trained, as_json: bool) -> None:
    """What came out of a training; exit status 130 where it was stopped."""
    if as_json:
        print_json(done.summary)
    else:
        from svertka.cli.results import print_trained

        print_trained(done)
    if done.stopped:
        say(f"Stopped as asked. The model is usable as it is; `svertka train --resume {done.path}` goes on.")
        sys.exit(130)


@app.command()
def check(
    data: Data,
    group_by: GroupBy = None,
    html: Annotated[Path | None, typer.Option(help="Write the findings with their pictures to this file.")] = None,
    cache_limit: CacheLimit = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what is wrong with labeled pictures, before it costs you."""
    limit_cache(cache_limit)
    from svertka.api.check import check as run
    from svertka.api.check import write_page
    from svertka.cli.progress import watching

    with watching(quiet=quiet) as watch:
        found = run(data, group_by=group_by, watch=watch)
    if html is not None:
        write_page(found, html)
    if as_json:
        print_json(found.to_dict())
    else:
        from svertka.cli.check import print_checked

        print_checked(found, html)


@app.command()
def evaluate(
    model: ModelArg,
    data: Data,
    part: Annotated[str | None, typer.Option(help="train, validation, test or all.")] = None,
    robust: Annotated[bool, typer.Option(help="Also turn, blur, ... the pictures, to see when it fails.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score a model on labeled pictures."""
    from svertka.cli.progress import watching

    with watching(quiet=quiet) as watch:
        with at_ease():
            from svertka.api.evaluate import evaluate as run

        found = run(model, data, part=part, robust=robust, watch=watch)
    if as_json:
        print_json(found.to_dict())
    else:
        from svertka.cli.results import print_evaluated

        print_evaluated(found)


@app.command()
def predict(
    model: ModelArg,
    files: Annotated[list[str], typer.Argument(help="Pictures, or folders of pictures.")],
    weights: Annotated[str | None, typer.Option(help="With a network of the zoo: this file of weights.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the predictions to this file as CSV.")] = None,
    reject: Annotated[
        float | None, typer.Option(help="Accuracy wanted of the answers, such as 0.99; where it takes more, unsure.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what is in pictures."""
    from svertka.cli.results import prediction_json, print_predictions, promise, write_csv
    from svertka.records import Unreadable

    with at_ease():
        from svertka.api import predict as verb

    if csv is not None and csv.exists():
        raise UsageError(f"{csv} exists already and is never overwritten; name another file with --csv.")
    opened = verb.open_model(model, weights)
    if reject is not None:
        say(promise(verb.promised(opened, reject, model), reject))
    answers = verb.predict(opened, files, reject=reject)
    say_left_out(files)
    if csv is not None:
        write_csv(answers, csv)
    if as_json:
        print_json(prediction_json(answers))
    elif csv is None:
        print_predictions(answers)
    else:
        say(f"{len(answers):,} predictions are in {csv}.")
    if answers and all(isinstance(a, Unreadable) for a in answers):
        sys.exit(1)


@app.command()
def explain(
    model: ModelArg,
    files: Annotated[list[str], typer.Argument(help="Pictures, or folders of pictures.")],
    method: Annotated[str, typer.Option(help="grad-cam, occlusion, ...; several with commas, or all.")] = "grad-cam",
    layer: Annotated[str | None, typer.Option(help="Layer to watch; by default the last stage with places.")] = None,
    target: Annotated[
        str | None, typer.Option("--class", help="Class to explain; the most likely if not given.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the pictures; none in it is overwritten.")] = Path("explained"),
    rival: Annotated[bool, typer.Option(help="Show the strongest other class beside.")] = False,
    check: Annotated[bool, typer.Option(help="Test each explanation as well; takes many passes.")] = False,
    near: Annotated[int, typer.Option(help="Show so many training pictures that are most alike; needs the run.")] = 0,
    weights: Annotated[str | None, typer.Option(help="With a network of the zoo: this file of weights.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show where a model looks in pictures."""
    from svertka.cli.explain import explained_json, print_explained
    from svertka.cli.progress import watching
    from svertka.records import Unreadable

    with at_ease():
        from svertka.api.explain import explain as run

    with watching(quiet=quiet) as watch:
        answers = run(
            model, files, method=method, layer=layer, target=target, out=out, rival=rival, check=check, near=near,
            weights=weights, watch=watch,
        )  # fmt: skip
    say_left_out(files)
    if as_json:
        print_json(explained_json(answers))
    else:
        print_explained(answers)
    if answers and all(isinstance(a, Unreadable) for a in answers):
        sys.exit(1)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of `svertka train`.")],
    out: Annotated[Path | None, typer.Option(help="Write the page here instead of into the run folder.")] = None,
    lang: Annotated[str, typer.Option(help="Language of the page: en or ru.")] = "en",
    full: Annotated[
        bool, typer.Option("--full", help="Look longer: slow explanations, changed pictures, baselines.")
    ] = False,
    minutes: Annotated[float, typer.Option(help="That --full may take; what does not fit is left out.")] = 2.0,
    as_json: Json = False,
) -> None:
    """Write the report of a run again, from its folder."""
    with at_ease():
        from svertka.api.report import report as write

    page = write(run, out=out, lang=lang, full=full, minutes=minutes, progress=lambda part: say(f"looking: {part}"))
    if as_json:
        print_json({"report": str(page)})
    else:
        print(page)


for _verb in (
    embed,
    networks.table,
    networks.weights,
    networks.nets,
    augmentation.preview,
    augmentation.tune,
    compare.compare,
):
    app.command()(_verb)


def _fail(error: SvertkaError) -> NoReturn:
    pointer = f"\n{error.pointer()}" if isinstance(error, NotationError) else ""
    _end(f"svertka: {error}{pointer}", error.exit_status, str(error))


def _end(message: str, status: int, error: str | None = None) -> NoReturn:
    """Say why there is no result, on stderr and, with --json, as the one object on stdout."""
    if may_report():
        say(message)
        if "--json" in sys.argv:
            with contextlib.suppress(SvertkaError, OSError):  # stdout itself may be what failed
                print_json({"error": error or message})
                sys.stdout.flush()
    sys.exit(status)
