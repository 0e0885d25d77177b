"""What a run takes: told before, compared after; where its time went; and minutes that are kept."""

import itertools
import json
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from svertka import Recipe
from svertka.common import restored
from svertka.hardware.plan import Plan
from svertka.kinds.image import Preprocess
from svertka.pipeline.context import Context, Journal
from svertka.pipeline.forecast import limit
from svertka.pipeline.pass_control import PassControl
from svertka.records import Epoch, silent
from svertka.training.monitoring.estimate import Load, disk_bytes, end_seconds, pass_seconds, used_disk
from svertka.training.monitoring.time_profile import Clock
from svertka.training.monitoring.timed_loader import Timed
from svertka.training.schedules.epoch_budget import AIM, EARLY, LATE, MOST, Pace
from svertka.training.schedules.progressive_resizing import work

Usage = namedtuple("Usage", "total used free")


# --- the clock ---


def test_the_parts_add_up_to_the_whole(monkeypatch):
    moment = itertools.count(100.0)
    monkeypatch.setattr(time, "perf_counter", lambda: next(moment))
    clock = Clock()  # 100
    clock.now("import")  # 101
    clock.now("train")  # 102
    clock.now("end")  # 103
    clock.now("import")  # 104: again
    assert clock.table() == {"start": 1, "import": 2, "train": 1, "end": 1}


def test_an_activity_is_divided_into_what_was_timed_and_shares_of_the_rest():
    clock = Clock()
    clock.parts = {"plan": 1.0, "train": 10.0}
    clock.divide("train", {"load": 2.0, "validation": 1.0}, {"forward": 0.4, "backward": 0.4, "step": 0.2})
    assert clock.parts == pytest.approx(
        {"plan": 1.0, "load": 2.0, "validation": 1.0, "forward": 2.8, "backward": 2.8, "step": 1.4}
    )
    clock.parts = {"train": 1.0}
    clock.divide("train", {"load": 3.0}, {"forward": 1.0})  # cannot be: the whole stays the whole
    assert sum(clock.parts.values()) == pytest.approx(1.0)


class Slow:
    """A loader of three batches that takes its time."""

    batch = 7

    def __len__(self):
        return 3

    def epoch(self, epoch, start=0):
        for k in range(start, 3):
            time.sleep(0.02)
            yield epoch, k

    def __iter__(self):
        return self.epoch(0)


def test_waiting_for_batches_is_told_from_working_on_them():
    loader = Timed(Slow())
    assert (len(loader), loader.batch) == (3, 7)
    seen = []
    for batch in loader.epoch(5, start=1):
        seen.append(batch)
        time.sleep(0.05)
    assert seen == [(5, 1), (5, 2)]
    assert 0.04 <= loader.waited < 0.09
    assert 0.1 <= loader.used < 0.2
    assert loader.share == pytest.approx(loader.waited / (loader.waited + loader.used))
    assert list(loader) == [(0, 0), (0, 1), (0, 2)]


# --- the forecast ---


def test_a_pass_is_its_steps_and_its_validation():
    plan = Plan(step=0.1, shares={"forward": 0.25, "backward": 0.7, "step": 0.05})
    load = Load(steps=10, batch=20, making=0.02, validation=40, test=0)
    exact = 10 * (0.1 + 0.02) + 40 / 20 * (0.1 * 0.25 + 0.02)
    assert pass_seconds(plan, load) == pytest.approx(exact, rel=0.15)
    assert pass_seconds(plan, load) >= exact
    assert end_seconds(plan, load) > 40 / 20 * (0.1 * 0.25 + 0.02)
    half = plan.replace(precision="bfloat16")  # validation is in float32 all the same
    assert pass_seconds(half, load) > pass_seconds(plan, load)


@given(
    st.integers(1, 10**9), st.sampled_from(["nesterov", "adamw"]), st.sampled_from([0.0, 0.99]), st.integers(0, 10**6)
)
def test_the_disk_holds_model_and_checkpoint(weights, optimizer, average, scores):
    end, peak = disk_bytes(weights, Recipe(optimizer=optimizer, ema_decay=average), scores)
    copies = 1 + 2 + (2 if optimizer == "adamw" else 1) + (1 if average else 0)
    assert end >= copies * weights + 4 * scores
    assert peak - end == (copies - 1) * weights  # the next checkpoint, beside the last


def test_forecast_and_truth_stand_in_the_run_folder(sv, tmp_path):
    status, _, err = sv("train", "digits", "--epochs", "3", "--out", "run", "--set", "batch_size=256")
    assert status == 0
    line = next(line for line in err.splitlines() if line.startswith("forecast: "))
    assert "in all" in line
    assert "on disk" in line
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    found = metrics["forecast"]
    assert found["seconds"]["truth"] == pytest.approx(metrics["seconds"]["total"], abs=0.2)
    assert found["disk"]["truth"] < found["disk"]["forecast"] < 8e6
    assert 0.5 < found["memory"]["forecast"] / found["memory"]["truth"] < 1.6
    assert metrics["memory"]["peak"] >= found["memory"]["truth"]
    parts = metrics["time"]
    assert sum(parts.values()) == pytest.approx(metrics["seconds"]["total"], abs=0.1)
    assert {"plan", "load", "forward", "backward", "step", "validation", "end"} <= set(parts)
    assert metrics["limit"]["by"] in ("input", "compute")
    records = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    kinds = [r["kind"] for r in records]
    assert kinds.index("plan") < kinds.index("forecast") < kinds.index("epoch")
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert "What was forecast, and what it took" in page
    assert "steps of the optimizer" in page
    assert sv("report", "run", "--lang", "ru", "--out", "russian.html")[0] == 0
    assert "шаги оптимизатора" in (tmp_path / "russian.html").read_text(encoding="utf-8")
    assert used_disk(tmp_path / "run") > found["disk"]["truth"]  # metrics and report came after


@pytest.mark.parametrize(
    ("free", "status", "words"), [(300_000, 1, "name a folder elsewhere"), (3_400_000, 0, "may have to stop")]
)
def test_a_disk_without_room_is_told_before_the_first_step(sv, tmp_path, monkeypatch, free, status, words):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, free))
    monkeypatch.setattr("svertka.pipeline.forecast.disk_bytes", lambda *_: (3_000_000, 4_000_000))
    found, _, err = sv("train", "digits", "--epochs", "1", "--out", "run", "--set", "batch_size=256")
    assert found == status
    assert words in err
    assert ("epoch" in err) == (status == 0)


def test_a_run_that_waits_for_its_pictures_says_so_once(sv, tmp_path, monkeypatch):
    from svertka.data.loading.loader import Loader
    from svertka.pipeline import pass_control as course

    plain = Loader.epoch

    def slowly(self, *which, **how):
        for batch in plain(self, *which, **how):
            time.sleep(0.4)
            yield batch

    monkeypatch.setattr(Loader, "epoch", slowly)
    monkeypatch.setattr(course, "WORTH", 0.0)
    status, _, err = sv(
        "train", "digits", "--epochs", "2", "--out", "run", "--set", "batch_size=256", "--set", "rotate=10"
    )
    assert status == 0
    assert err.count("Training waits for its pictures") == 1
    assert "Less augmentation (here rotate; --set rotate=0)" in err
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["limit"]["by"] == "input"
    assert metrics["time"]["load"] > 10 * 0.4


# --- minutes ---


@settings(deadline=None)
@given(
    budget=st.floats(20, 3600), each=st.floats(0.05, 30), believed=st.floats(0.6, 1.6), drift=st.floats(0.8, 1.25),
    start=st.floats(0, 5), end=st.floats(0.5, 3), usual=st.integers(1, 400), grow=st.sampled_from([0.0, 0.5, 0.9]),
)  # fmt: skip
def test_whatever_a_pass_was_believed_to_take_the_minutes_are_kept(
    budget, each, believed, drift, start, end, usual, grow
):
    """A run as the clock sees it: passes of `each` seconds that slowly become slower or faster by `drift`."""
    pace = Pace(budget, usual, end, grow)
    now, done = start, 0
    passes = pace.passes(now, each * believed)
    while done < passes:
        took = each * (1 + (drift - 1) * done / max(1, passes))
        now += took * (work(grow, done, passes) - work(grow, done + 1, passes))
        done += 1
        passes = pace.again(passes, now, took, done)
        assert passes >= done
    now += end
    if each * max(1, believed, drift) < 0.02 * budget:  # passes are fine enough to steer by
        assert now <= 1.03 * budget
        if done < MOST * usual:
            assert now >= (1 - EARLY - LATE - 1 + AIM - 0.04) * budget
    assert done <= MOST * usual


def test_small_differences_change_nothing_and_one_pass_there_must_be():
    pace = Pace(100.0, 20, 2.0)
    planned = pace.passes(5.0, 1.0)
    assert planned == 90
    assert pace.again(planned, 5.0 + 10 * 1.01, 1.01, 10) == planned
    assert pace.again(planned, 5.0 + 10 * 1.3, 1.3, 10) < planned
    assert pace.again(planned, 5.0 + 10 * 0.7, 0.7, 10) > planned
    assert pace.passes(500.0, 1.0) == 1
    assert Pace(1e9, 20, 2.0).passes(5.0, 1.0) == MOST * 20


def test_smaller_pictures_that_are_to_come_are_no_delay():
    pace = Pace(100.0, 20, 2.0, grow=0.5)
    planned = pace.passes(5.0, 1.0)
    for done in (1, planned // 4, planned // 2, planned - 1):
        now = 5.0 + work(0.5, 0, planned) - work(0.5, done, planned)
        assert pace.again(planned, now, 1.0, done) == planned


def test_with_much_time_a_wider_network_learns(tmp_path, monkeypatch):
    """And that from the same start as if it had been asked for."""
    import svertka
    from svertka.pipeline import fit
    from svertka.training.defaults import from_scratch

    g = np.random.default_rng(0)
    for k in range(40):
        file = tmp_path / "data" / "ab"[k % 2] / f"{k}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(g.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(file)
    monkeypatch.setattr("svertka.kinds.image.defaults.PLENTY", 20)
    begun = []
    train = fit.fit

    def follow(planned, stop):
        begun.append({k: v.clone() for k, v in planned.loop[0].state_dict().items()})
        return train(planned, stop)

    monkeypatch.setattr(fit, "fit", follow)
    for ample, asked in ((1e9, {}), (0.0, {}), (1e9, {"net": "large"})):
        monkeypatch.setattr(from_scratch, "AMPLE", ample)
        svertka.train(tmp_path / "data", minutes=0.02, out=tmp_path / f"run{len(begun)}", **asked)
    told = [json.loads((tmp_path / f"run{k}" / "recipe.json").read_text(), object_hook=restored) for k in range(3)]
    assert [(one["recipe"]["net"], one["recipe"]["random_erasing"]) for one in told] == [
        ("medium", 0.0), ("large", 0.4), ("large", 0.0)
    ]  # fmt: skip
    assert "would fit" in told[1]["reasons"]["net"]
    assert all(torch.equal(value, begun[2][key]) for key, value in begun[1].items())


def test_after_training_went_back_only_passes_that_count_are_timed():
    clock = SimpleNamespace(elapsed=0.0, now=lambda _: None)
    journal = Journal(None, silent, ["A pass takes 5.0 seconds here: 18 of them fit the time, not 20."])
    context = Context(journal, None, None, Recipe(epochs=20, minutes=1.75), {}, clock, "")
    control = PassControl(context, Plan(), None, None, pace=Pace(105.0, 20, 0.0), limit={})

    def ended(number):
        clock.elapsed += 5.0
        return control.on_epoch_end(Epoch(number, 20, 0.1, 0.9, 0.1, 0.9, 0.1, 10, clock.elapsed, True))

    control.start()
    assert not ended(1)
    assert not ended(2)
    control.on_restore()  # to the start: ten of 105 seconds are lost
    assert ended(1)
    assert context.recipe.epochs == 20
    assert control.context.recipe.epochs == 1 + int((AIM * 105 - 15) / 5)  # of five seconds each, as before


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [18, 30])
def test_a_run_of_stated_minutes_ends_in_them(tmp_path, seconds):
    """Whole processes, from their start to their end."""
    command = [
        sys.executable,
        "-m",
        "svertka",
        "train",
        "digits",
        "--minutes",
        str(seconds / 60),
        "--out",
        "run",
        "--quiet",
    ]
    begun = time.monotonic()
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    took = time.monotonic() - begun
    told = json.loads((tmp_path / "run/recipe.json").read_text())["recipe"]
    log = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert len([r for r in log if r["kind"] == "epoch"]) == told["epochs"]
    assert took <= 1.05 * seconds
    assert took >= 0.85 * seconds or told["epochs"] == MOST * 31


@pytest.mark.parametrize(("side", "told"), [(96, "--size below 96"), (8, None)])
def test_smaller_pictures_are_only_advised_where_there_are_any(side, told):
    context = SimpleNamespace(preprocess=Preprocess(side, side, 3))
    advice = limit(SimpleNamespace(share=0.03), SimpleNamespace(device="cpu"), context)["advice"]
    assert ("--size" in advice) == (told is not None)
    assert (told or "--net") in advice
