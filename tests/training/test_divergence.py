"""Trouble in real runs: a lost loss, a full disk, a lost cache, a killed process. One sentence, nothing lost."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from make_pictures import shapes

from svertka import resume, train
from svertka.common import restored
from svertka.data.sources.source import name_of
from svertka.errors import RunError, TrainingError
from svertka.pipeline import checkpointing
from svertka.records import Epoch, Note, PlanChosen, Step
from svertka.runs.run_folder import Run

PLAN = {"layout": "channels_last", "precision": "float32", "threads": 1}  # the cache forgets it in one of the tests
SETTINGS = {"batch_size": 8, "epochs": 6, "seed": 3, "ema_decay": 0.9, "plan": PLAN}


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpointing, "SHARE", 1e9)  # a checkpoint after every pass
    return shapes(tmp_path / "data", each=40)


def weights(run):
    """The hash of a finished run's weights, which metrics.json and the model agree on."""
    told = json.loads((Path(run) / "metrics.json").read_text())["weights"]
    assert told == json.loads((Path(run) / "model" / "model.json").read_text())["weights"]["sha256"]
    return told


def test_a_full_disk_leaves_the_last_checkpoint_whole_and_the_run_goes_on_to_the_same_bits(data, monkeypatch):
    train(data, out="whole", **SETTINGS)
    calls, really = [], os.fsync

    def full(number):
        calls.append(number)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        really(number)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        TrainingError, match=r"cannot be written to full.checkpoint: .*No space left.*before it is whole"
    ):
        train(data, out="full", **SETTINGS)
    assert [p.name for p in Path("full/checkpoint").iterdir()] == ["state.safetensors"]
    resume("full")
    assert weights("full") == weights("whole")
    epochs = [json.loads(line) for line in Path("full/log.jsonl").read_text().splitlines()]
    assert [r["epoch"] for r in epochs if r["kind"] == "epoch"] == [1, 2, 3, 4, 5, 6]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of that kind")
def test_a_disk_that_takes_no_more_ends_with_one_sentence(data, tmp_path):
    command = [sys.executable, "-m", "svertka", "train"]
    options = ["--net", "flatten fc600 relu fc", "--epochs", "3", "--set", "batch_size=8", "--quiet", "--json"]
    subprocess.run([*command, data, *options, "--out", "whole"], cwd=tmp_path, check=True, capture_output=True)

    def no_large_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))

    done = subprocess.run(
        [*command, data, *options, "--out", "full"],
        cwd=tmp_path, capture_output=True, text=True, check=False, preexec_fn=no_large_files,
    )  # fmt: skip
    assert done.returncode == 1
    assert "disk" in json.loads(done.stdout)["error"] or "written" in json.loads(done.stdout)["error"]
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "full").rglob(".state*"))
    subprocess.run([*command, "--resume", "full", "--json"], cwd=tmp_path, check=True, capture_output=True)
    assert weights(tmp_path / "full") == weights(tmp_path / "whole")


def test_a_cache_that_is_lost_while_training_changes_nothing(data):
    train(data, out="whole", **SETTINGS)

    def lose(event):
        if isinstance(event, Epoch) and event.epoch == 2:
            shutil.rmtree(os.environ["SVERTKA_CACHE"])

    train(data, out="lost", watch=lose, **SETTINGS)
    assert weights("lost") == weights("whole")

    def lose_and_stop(event):
        lose(event)
        if isinstance(event, Epoch) and event.epoch == 3:
            os.kill(os.getpid(), signal.SIGINT)

    assert train(data, out="stopped", watch=lose_and_stop, **SETTINGS).stopped
    resume("stopped")
    assert weights("stopped") == weights("whole")


def test_a_lost_loss_names_the_files_and_a_rescue_is_told_in_the_report(data):
    hot = {**SETTINGS, "optimizer": "sgd", "learning_rate": 900.0, "momentum": 0.99, "schedule": "constant",
           "net": "conv3-4 relu flatten fc64 relu fc64 relu fc"}  # fmt: skip
    with pytest.raises(TrainingError, match=r"at step \d+; .* It was computed from (cross|disc)/\d+\.png"):
        train(data, out="hot", rescue=0, **hot)
    events = []
    train(data, out="saved", rescue=30, watch=events.append, **hot)
    notes = [event.text for event in events if isinstance(event, Note)]
    told = [s for s in notes if "Training went back to the start and goes on at 0.5 of the rate" in s]
    assert len(told) == 1
    metrics = json.loads(Path("saved/metrics.json").read_text(), object_hook=restored)
    assert told[0] in metrics["notes"]
    assert metrics["rescues"] >= 1
    assert "went back to the start" in Path("saved/report.html").read_text(encoding="utf-8")
    records = [json.loads(line) for line in Path("saved/log.jsonl").read_text().splitlines()]
    assert [r["epoch"] for r in records if r["kind"] == "epoch"] == [1, 2, 3, 4, 5, 6]  # what was given up is taken out


def test_what_was_said_before_a_stop_is_still_said_after_the_resume(data):
    (data / "disc" / "no\u2028tes.txt").write_text("not a picture")  # to `splitlines`, the name of a file is two lines

    def stop(event):
        if isinstance(event, Epoch) and event.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)

    train(data, out="run", watch=stop, **SETTINGS)
    before = json.loads(Path("run/metrics.json").read_text(), object_hook=restored)["notes"]
    resume("run")
    assert json.loads(Path("run/metrics.json").read_text(), object_hook=restored)["notes"] == before
    assert any("1 other file was left aside" in note for note in before)


def test_killed_before_the_first_checkpoint_it_begins_again_and_tells_nothing_twice(data):
    def die(event):
        if isinstance(event, Step) and event.step == 3:
            raise KeyboardInterrupt  # nothing of the state is saved, as where the process is killed

    train(data, out="whole", **SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        train(data, out="run", watch=die, **SETTINGS)
    assert not Path("run/checkpoint").exists()
    resume("run")
    assert weights("run") == weights("whole")
    steps, notes = ([r for r in logged("run") if r["kind"] == kind] for kind in ("step", "note"))
    assert [r["step"] for r in steps] == [r["step"] for r in logged("whole") if r["kind"] == "step"]
    assert len({r["text"] for r in notes}) == len(notes)


def test_what_ends_before_there_is_anything_to_resume_leaves_no_run(data):
    def die(event):
        if isinstance(event, PlanChosen):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(data, out="run", watch=die, **SETTINGS)
    assert not Path("run").exists()


def test_a_run_from_the_folder_at_hand_has_its_name(tmp_path, monkeypatch):
    (tmp_path / "roses" / "red.zip").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "roses" / "red.zip")
    assert [name_of(where) for where in (".", "./", "..", "../", "../..", "../red.zip")] == [
        "red", "red", "roses", "roses", tmp_path.name, "red",
    ]  # fmt: skip
    assert Run.create(None, ".hidden").path == Path("runs/hidden-1")


def logged(run):
    lines = (Path(run) / "log.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line, object_hook=restored) for line in lines if line]


def test_a_log_that_was_cut_within_a_letter_is_read_up_to_there(tmp_path):
    run = Run(tmp_path)
    for text in ("ёж", "a\u2028b\x85c", "ёж"):
        run.log({"kind": "note", "text": text})
    with (tmp_path / "log.jsonl").open("ab") as file:
        file.write('{"kind": "note", "text": "ё'.encode()[:-1])
    assert run.notes() == ["ёж", "a\u2028b\x85c"]
    run.strike(lambda record: record.text == "ёж")
    assert [r["text"] for r in logged(tmp_path)] == ["a\u2028b\x85c"]


def test_a_run_that_is_being_trained_is_left_alone(data):
    def stop(event):
        if isinstance(event, Epoch):
            with pytest.raises(RunError, match="run is being trained by another process"):
                resume("run")
            os.kill(os.getpid(), signal.SIGINT)

    assert train(data, out="run", watch=stop, **SETTINGS).stopped
    assert not resume("run").stopped
    assert [p.name for p in Path("run").iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("lost", ["plan", "reasons", "network", "recipe", "preprocess", "data", "command"])
def test_a_recipe_without_what_a_resume_needs_is_damaged(data, sv, lost):
    train(
        data,
        out="run",
        watch=lambda event: isinstance(event, Epoch) and os.kill(os.getpid(), signal.SIGINT),
        **SETTINGS,
    )
    told = json.loads(Path("run/recipe.json").read_text())
    del told[lost]
    Path("run/recipe.json").write_text(json.dumps(told))
    status, out, err = sv("train", "--resume", "run")
    assert (status, out) == (1, "")
    assert "recipe.json is damaged" in err


def test_the_best_passes_are_kept_as_models(data, sv):
    train(data, out="run", **{**SETTINGS, "keep": 3})
    metrics = json.loads(Path("run/metrics.json").read_text())
    assert [row["accuracy"] for row in metrics["best"]] == sorted(
        (r["accuracy"] for r in metrics["best"]), reverse=True
    )
    assert metrics["best"][0]["pass"] == metrics["best_epoch"]
    assert {f"run/{row['model']}" for row in metrics["best"]} == {str(p) for p in Path("run/best").iterdir()}
    log = [json.loads(line) for line in Path("run/log.jsonl").read_text().splitlines()]
    scores = {r["epoch"]: r["validation_accuracy"] for r in log if r["kind"] == "epoch"}
    for row in metrics["best"]:
        assert scores[row["pass"]] == row["accuracy"]
        status, out, err = sv("evaluate", Path("run") / row["model"], data, "--json")
        assert status == 0, err
        assert json.loads(out)["n"] == 80


@pytest.mark.slow
def test_a_run_killed_twenty_times_also_while_it_saves_ends_with_the_weights_of_an_undisturbed_one(tmp_path):
    data = shapes(tmp_path / "data", each=60)
    base = [sys.executable, "-m", "svertka", "train"]
    options = [
        "--epochs",
        "150",
        "--set",
        "batch_size=8",
        "--set",
        "checkpoint=0.001",
        "--set",
        "ema_decay=0.99",
        "--json",
        "-q",
    ]
    chance, kills, saving, done = np.random.default_rng(0), 0, 0, None
    command = [*base, data, *options, "--out", "killed"]
    for turn in range(60):
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        log, folder = tmp_path / "killed" / "log.jsonl", tmp_path / "killed" / "checkpoint"
        before, wait = log.stat().st_size if log.is_file() else 0, chance.uniform(0, 0.4)
        while process.poll() is None and not (log.is_file() and log.stat().st_size > before + 200):
            time.sleep(0.002)
        until = time.monotonic() + wait
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.001)
        while turn % 2 and process.poll() is None and not list(folder.glob(".state*")):
            pass  # every other time: as soon as a checkpoint is being written
        saving += bool(list(folder.glob(".state*")))
        process.kill()
        _, err = process.communicate(timeout=60)
        done = process.returncode == 0
        assert done or process.returncode == -signal.SIGKILL, err
        if done:
            break
        kills += 1
        command = [*base, "--resume", "killed", "--json", "-q"]
        if kills == 24:
            break
    assert kills >= 20
    assert saving >= 3
    if not done:
        subprocess.run([*base, "--resume", "killed", "--json"], cwd=tmp_path, check=True, capture_output=True)
    subprocess.run([*base, data, *options, "--out", "whole"], cwd=tmp_path, check=True, capture_output=True)
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
