"""One training in several processes, under torchrun itself, is the training of one process."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from make_pictures import shapes
from safetensors.torch import load_file

import svertka as sv
from svertka import zoo
from svertka.common import restored, torchrun
from svertka.common.torchrun import World, world
from svertka.data import Loader
from svertka.errors import TrainingError, UsageError
from svertka.kinds.image import Preprocess
from svertka.models import outline
from svertka.reporting.i18n.translate import known, speaking
from svertka.training.distributed import Group

PLAN = "precision=float32,layout=channels_last,threads=1"
# the step is the gradient, so that rounding stays what it is; Muon divides by singular values, which makes much of it
EXACT = ("--plan", PLAN, "--set", "optimizer=sgd", "--set", "learning_rate=0.01", "--json")
PLAIN = ("--net", "conv3-4 relu maxpool2 flatten fc")  # without norms, which over a few pictures magnify as well
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}  # of weights after some steps: floats are summed in another order
LONGEST = 300  # seconds that anything here may take on a busy machine; on a quiet one all take less than 15


def command(processes, *words):
    if processes == 1:
        return [sys.executable, "-m", "svertka", *map(str, words)]
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [*launcher, "-m", "svertka", *map(str, words)]


def started(processes, *words, where):
    return subprocess.Popen(
        command(processes, *words), cwd=where, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(agent, *statuses):
    """-> (stdout, stderr) of a command that ends with one of the statuses; one that hangs is ended, and fails."""
    try:
        out, err = agent.communicate(timeout=LONGEST)
    except subprocess.TimeoutExpired:
        left = workers(agent)
        for pid in (agent.pid, *left.values()):
            os.kill(pid, signal.SIGKILL)
        pytest.fail(f"{agent.args} hung for {LONGEST} s with processes {sorted(left)}: {agent.communicate()[1]}")
    assert agent.returncode in statuses, err
    return out, err


def ran(processes, *words, where, status=0):
    """Exit status as expected; -> (stdout, stderr)."""
    return ended(started(processes, *words, where=where), status)


def weights(run):
    return load_file(run / "model" / "weights.safetensors")


def records(run, kind="epoch"):
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line, object_hook=restored) for line in lines]
    return [r for r in found if r["kind"] == kind]


def said(err):
    """What svertka itself said: one sentence an error, whatever torchrun adds."""
    return [line for line in err.splitlines() if line.startswith("svertka: ")]


def workers(agent):
    """The processes that torchrun has started, by rank."""
    found = {}
    for pid in Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split():
        facts = dict(f.split("=", 1) for f in Path(f"/proc/{pid}/environ").read_text().split("\0") if "=" in f)
        if "RANK" in facts:
            found[int(facts["RANK"])] = int(pid)
    return found


def wait_for(run, passes, agent):
    """Until the log holds so many passes."""
    log, deadline = run / "log.jsonl", time.monotonic() + LONGEST
    while not (log.is_file() and log.read_text(encoding="utf-8").count('"kind": "epoch"') >= passes):
        if agent.poll() is not None or time.monotonic() > deadline:
            ended(agent)  # of no status: fails with what was said
        time.sleep(0.02)


# --- what one process knows ---


def test_the_world_is_what_torchrun_says(monkeypatch):
    assert world() == World()
    assert world().alone
    told = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "1"}
    for name, value in {**told, "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    assert world() == World(3, 4, 1, 2, 1)
    assert not world().is_main
    monkeypatch.setenv("RANK", "4")
    with pytest.raises(UsageError, match="contradicts itself"):
        world()
    monkeypatch.setenv("RANK", "x")
    with pytest.raises(UsageError, match="damaged"):
        world()


def test_waiting_ends_with_a_sentence(monkeypatch):
    from datetime import timedelta

    store = torch.distributed.HashStore()
    monkeypatch.setattr(torchrun, "key_value_store", lambda: store)
    monkeypatch.setattr(torchrun, "world", lambda: World(0, 2, 0, 2))
    with pytest.raises(TrainingError, match=r"Waited 0\.2 seconds for another process to read the pictures"):
        torchrun.wait_for("pictures", "to read the pictures", timedelta(seconds=0.2))
    torchrun.publish("pictures", {"here": 1})
    assert torchrun.wait_for("pictures", "to read the pictures") == {"here": 1}


@pytest.mark.parametrize("size", [2, 3, 5])
def test_shares_of_all_processes_are_each_batch_once(size):
    g = np.random.default_rng(0)
    pixels, labels, index = g.integers(0, 256, (30, 4, 4, 1), np.uint8), np.arange(30) % 3, np.arange(2, 29)
    for batch, seed in ((4, 0), (7, 0), (27, 0), (5, None)):
        whole, *shares = (
            Loader(pixels, labels, index, Preprocess(4, 4, 1), batch=batch, seed=seed, rank=rank, size=count)
            for rank, count in [(0, 1), *((rank, size) for rank in range(size))]
        )
        if seed is None:
            rows = torch.cat([b.index for share in shares for b in share])
            assert rows.tolist() == index.tolist()
            continue
        assert all(len(share) == len(whole) for share in shares)
        for one, *parts in zip(whole.epoch(3), *(share.epoch(3) for share in shares), strict=True):
            for field in ("x", "y", "index"):
                assert torch.equal(torch.cat([getattr(p, field) for p in parts]), getattr(one, field))


@pytest.mark.parametrize("what", ["find_rate", "verify", "repeat", "folds", "tune", "compile"])
def test_what_is_for_one_process_is_refused(monkeypatch, what):
    for name, value in torchrun.NUMBERS.items():
        monkeypatch.setenv(value, {"rank": "0", "size": "2", "local_rank": "0", "local_size": "2"}[name])
    for name in torchrun.ADDRESS:
        monkeypatch.setenv(name, "1")
    call = {
        "find_rate": lambda: sv.find_rate("nowhere"),
        "verify": lambda: sv.verify("nowhere"),
        "repeat": lambda: sv.repeat("nowhere", 2),
        "folds": lambda: sv.repeat("nowhere", folds=2),
        "tune": lambda: sv.tune("nowhere"),
        "compile": lambda: sv.train("nowhere", plan="compile=yes"),
    }[what]
    with pytest.raises(UsageError, match=f"{what.replace('_', '-')}.* is for one process.* has started 2"):
        call()


# --- under torchrun ---


def agree(worker, processes, where):
    """A program of these tests under torchrun, of which each process says in the end that all was as it should be."""
    program = str(Path(__file__).parents[1].joinpath("support", worker))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    done = subprocess.run([*launcher, program], cwd=where, capture_output=True, text=True, check=False, timeout=LONGEST)
    assert done.stdout.split() == ["agreed"] * processes, done.stderr


def test_gradients_losses_and_wishes_are_those_of_all(tmp_path):
    agree("processes_worker.py", 3, tmp_path)


@pytest.mark.parametrize("after", [0, 6])
def test_where_memory_is_short_in_one_process_all_end_with_its_sentence(tmp_path, after):
    shapes(tmp_path / "data", each=20)
    program = str(Path(__file__).parents[1].joinpath("support", "processes_memory.py"))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", program]
    words = ["train", "data", "--out", "run", "--epochs", "8", *EXACT, "--set", "batch_size=16"]
    done = subprocess.run(
        [*launcher, *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=LONGEST,
        env={**os.environ, "SVERTKA_TEST_MOST": "2", "SVERTKA_TEST_AFTER": str(after)},
    )  # fmt: skip
    assert done.returncode
    (sentence,) = said(done.stderr)
    assert re.search(r"Memory is not enough for [78] pictures in one of 2 processes", sentence)
    assert ("--resume" in sentence) == bool(after)


def test_norms_over_several_gpus_are_the_usual_ones_again_after_training():
    net = zoo.make("small", (3, 16, 16), 4).train()
    frozen = next(m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)).eval()
    wanted, group = outline(net), Group(World(0, 2, 0, 2))
    group.sync_batch_norms(net)
    joint = [m for m in net.modules() if isinstance(m, torch.nn.SyncBatchNorm)]
    assert joint
    assert frozen in net.modules()
    joint[0].running_mean.fill_(3.0)
    with torch.no_grad():
        joint[0].weight.fill_(2.0)
    answers = net.eval()(torch.ones(1, 3, 16, 16))
    group.unwrap()
    assert outline(net) == wanted
    assert torch.equal(net.eval()(torch.ones(1, 3, 16, 16)), answers)


def assert_learns_the_same(tmp_path, processes, *options, each=20):
    shapes(tmp_path / "data", each=each)
    options = ("--epochs", "2", *options, *EXACT)
    ran(1, "train", "data", "--out", "one", *options, where=tmp_path)
    out, err = ran(processes, "train", "data", "--out", "many", *options, where=tmp_path)
    summary = json.loads(out)  # one object, by one process
    assert err.count("epoch 2 of 2") == 1
    one, many = records(tmp_path / "one"), records(tmp_path / "many")
    assert [r["images"] for r in many] == [r["images"] for r in one]
    for field in ("loss", "accuracy", "validation_loss", "validation_accuracy"):
        assert [r[field] for r in many] == pytest.approx([r[field] for r in one], rel=1e-5, abs=1e-5), field
    torch.testing.assert_close(weights(tmp_path / "many"), weights(tmp_path / "one"), **TOLERANCE)
    assert summary["validation"]["n"] == json.loads((tmp_path / "one/metrics.json").read_text())["validation"]["n"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data", "many", "one"]
    assert (tmp_path / "many" / "report.html").is_file()


def test_two_processes_learn_what_one_learns(tmp_path):
    assert_learns_the_same(tmp_path, 2, *PLAIN, "--set", "batch_size=16")


def test_frozen_norms_learn_the_same_and_others_are_warned_of(tmp_path, tmp_path_factory):
    earlier = tmp_path_factory.mktemp("earlier")
    shapes(earlier / "data")
    ran(1, "train", "data", "--out", "old", "--net", "resnet20", "--epochs", "1", where=earlier)
    weights_of_old = ("--weights", earlier / "old", "--freeze", "stem,stages", "--set", "batch_size=16")
    assert_learns_the_same(tmp_path, 2, *weights_of_old)
    assert not any("batch norms of each process" in r["text"] for r in records(tmp_path / "many", "note"))
    ran(2, "train", "data", "--out", "norms", "--epochs", "1", *EXACT, "--set", "batch_size=16", where=tmp_path)
    (note,) = [r["text"] for r in records(tmp_path / "norms", "note") if "batch norms" in r["text"]]
    assert "depends on the number of processes" in note
    with speaking("ru"):
        assert known(note).startswith("На процессорах")


def test_a_batch_that_is_too_small_to_be_shared_is_refused(tmp_path):
    shapes(tmp_path / "data", each=20)
    _, err = ran(3, "train", "data", *PLAIN, "--set", "batch_size=2", "--epochs", "1", where=tmp_path, status=1)
    (sentence,) = said(err)
    assert "A batch of 2 cannot be shared by 3 processes" in sentence


@pytest.mark.slow
def test_stages_that_learn_on_are_learned_by_all(tmp_path, tmp_path_factory):
    earlier = tmp_path_factory.mktemp("earlier")
    shapes(earlier / "data")
    plain = ("--net", "conv3-4 relu maxpool2 conv3-8 relu maxpool2 conv3-8 relu gap fc", "--epochs", "1")
    ran(1, "train", "data", "--out", "old", *plain, where=earlier)
    assert_learns_the_same(tmp_path, 2, "--weights", earlier / "old", "--freeze", "1", "--set", "batch_size=16")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        (*PLAIN, "--set", "batch_size=16", "--set", "accumulate=2", "--set", "ema_decay=0.9"),
        (*PLAIN, "--set", "batch_size=7", "--balance", "weights"),
        (*PLAIN, "--set", "batch_size=17", "--set", "mixup=0.3", "--balance", "sample"),
    ],
    ids=["pieces", "unequal shares", "mixed"],
)
def test_three_processes_learn_what_one_learns(tmp_path, options):
    assert_learns_the_same(tmp_path, 3, *options)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("train", "nowhere"), "There is no folder or archive nowhere."),
        (("train", "nowhere", "--find-rate"), "--find-rate is for one process, but torchrun has started 2"),
    ],
)
def test_an_error_is_one_sentence(tmp_path, words, sentence):
    _, err = ran(2, *words, where=tmp_path, status=1)
    assert len(said(err)) == 1, err
    assert sentence in said(err)[0]
    assert "Traceback" not in err.partition("torch/distributed")[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_or_helps_all_alike(tmp_path):
    shapes(tmp_path / "data")
    options = (
        *PLAIN,
        "--epochs",
        "8",
        "--set",
        "batch_size=8",
        "--plan",
        PLAN,
        "--set",
        "optimizer=sgd",
        "--set",
        "learning_rate=1000",
    )
    _, err = ran(2, "train", "data", "--out", "run", *options, "--set", "rescue=1", where=tmp_path, status=1)
    assert len(said(err)) == 1, err
    assert "no longer finite" in said(err)[0] or "The loss became" in said(err)[0]
    assert len([r for r in records(tmp_path / "run", "note") if "rescue 1 of 1" in r["text"]]) == 1


@pytest.mark.slow
def test_a_run_goes_on_with_any_number_of_processes(tmp_path):
    shapes(tmp_path / "data", each=40)
    options = (*PLAIN, "--epochs", "60", "--set", "batch_size=4", *EXACT)
    ran(1, "train", "data", "--out", "whole", *options, where=tmp_path)
    stopped, words = tmp_path / "stopped", ("train", "data", "--out", "stopped", *options)
    for processes in (2, 1):
        known = len(records(stopped)) if stopped.exists() else 0
        agent = started(processes, *words, where=tmp_path)
        wait_for(stopped, known + 1, agent)
        rank, number = (1, signal.SIGTERM) if processes == 2 else (0, signal.SIGINT)
        os.kill(workers(agent)[rank] if processes > 1 else agent.pid, number)
        out, err = ended(agent, 1, 130)
        assert out, err
        assert json.loads(out)["stopped"] is True
        words = ("train", "--resume", "stopped", "--json")
    out, _ = ran(3, *words, where=tmp_path)
    assert json.loads(out)["stopped"] is False
    one, many = records(tmp_path / "whole"), records(stopped)
    assert [r["epoch"] for r in many] == list(range(1, 61))
    assert [r["loss"] for r in many] == pytest.approx([r["loss"] for r in one], rel=1e-4, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_where_one_process_is_killed_all_end_and_the_run_can_go_on(tmp_path, rank):
    shapes(tmp_path / "data", each=40)
    options = ("--epochs", "12", "--set", "batch_size=8", "--set", "checkpoint=0.001", *EXACT)
    agent = started(3, "train", "data", "--out", "run", *options, where=tmp_path)
    wait_for(tmp_path / "run", 1, agent)
    os.kill(workers(agent)[rank], signal.SIGKILL)
    _, err = ended(agent, 1)
    assert len(said(err)) <= 1
    out, _ = ran(1, "train", "--resume", "run", "--json", where=tmp_path)
    assert json.loads(out)["stopped"] is False
