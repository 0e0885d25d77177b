"""The plan: it follows the clock, not an opinion; what cannot be had is refused; it knows what memory a step takes."""

import copy
import json
import os
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from striped import RECIPE, fresh, loaders, same, weights

from svertka import zoo
from svertka.errors import UnknownName, UsageError
from svertka.hardware import autotune, compile
from svertka.hardware import device as machine
from svertka.hardware.autotune import make_plan
from svertka.hardware.memory_estimate import COPIES, FEW, SHARE, Footprint, footprint
from svertka.hardware.options import parse_plan
from svertka.hardware.plan import Plan
from svertka.hardware.step_timer import PARTS, Timing, Trial
from svertka.notation import build
from svertka.records import Epoch
from svertka.training import checkpoint, loop

SHAPE = (8, 1, 10, 10)


def small():
    return zoo.make("small", SHAPE[1:], 2)


def clock(**seconds):
    """A timer for which a step takes one second times the factor of each word of the plan."""

    def time(plan, budget):
        factor = 1.0
        for word in (plan.layout, plan.precision, f"threads{plan.threads}"):
            factor *= seconds.get(word, 1.0)
        return Timing(factor, {"forward": 0.4, "backward": 0.5, "step": 0.1})

    return time


def plan_by(timer, **wanted):
    return make_plan(small(), SHAPE, 2, timer=timer, requested=wanted)


def test_the_plan_is_measured_kept_and_changes_nothing():
    net = small()
    before = copy.deepcopy(net.state_dict())
    plan = make_plan(net, SHAPE, 2, seconds=0.1)
    assert {"channels_last float32", "contiguous float32"} <= set(plan.measured)
    assert any("bfloat16" in name for name in plan.measured)
    assert all(t > 0 for t in plan.measured.values())
    assert plan.step == plan.measured[f"{plan.layout} {plan.precision}"]
    assert sum(plan.shares[part] for part in PARTS) == pytest.approx(1, abs=1e-3)
    again = make_plan(net, SHAPE, 2)  # from the cache: only the chosen one is timed anew, for the forecast
    same = ("layout", "precision", "reason", "measured")
    assert [getattr(again, k) for k in same] == [getattr(plan, k) for k in same]
    assert again.step != plan.step
    assert json.loads(json.dumps(plan.to_dict())) == plan.to_dict()
    assert all(torch.equal(v, net.state_dict()[k]) for k, v in before.items())


@pytest.mark.parametrize(
    ("first", "asked", "precision"), [(0.95, 2, "bfloat16"), (0.6, 1, "bfloat16"), (1.3, 1, "float32")]
)
def test_what_is_not_clear_is_measured_once_more(first, asked, precision, tmp_path, monkeypatch):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path))  # nothing is known of this machine
    seconds = {"float32": [1.0, 1.0], "bfloat16": [first, 0.7]}  # disturbed the first time
    calls = []

    def timer(plan, budget):
        number = calls.count(plan)
        calls.append(plan)
        return Timing(seconds[plan.precision][number], {})

    plan = plan_by(timer, layout="channels_last", threads=1)
    assert plan.precision == precision
    assert {calls.count(one) for one in calls} == {asked}
    assert plan.step == min(seconds[precision][:asked])


@pytest.mark.parametrize(
    ("times", "layout", "precision"),
    [
        ({"bfloat16": 1.8, "contiguous": 2.2}, "channels_last", "float32"),  # a CPU without units for bfloat16
        ({"bfloat16": 0.6, "contiguous": 2.2}, "channels_last", "bfloat16"),
        ({"bfloat16": 1.8, "contiguous": 0.7}, "contiguous", "float32"),
        ({"bfloat16": 0.5, "contiguous": 0.5}, "contiguous", "bfloat16"),
        ({"bfloat16": 0.95, "contiguous": 0.92}, "channels_last", "float32"),  # within noise the default stays
    ],
)
def test_the_clock_decides(times, layout, precision, tmp_path, monkeypatch):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path))
    plan = plan_by(clock(**times))
    assert (plan.layout, plan.precision) == (layout, precision)
    assert plan.step == pytest.approx(times.get(layout, 1) * times.get(precision, 1))
    assert "one step takes" in plan.reason


def test_the_layout_is_that_which_suits_the_precision(tmp_path, monkeypatch):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path))
    seconds = {("channels_last", "float32"): 1.0, ("contiguous", "float32"): 0.7}
    seconds |= {("channels_last", "bfloat16"): 0.3, ("contiguous", "bfloat16"): 0.5}
    plan = plan_by(lambda plan, budget: Timing(seconds[plan.layout, plan.precision], {}), threads=1)
    assert (plan.layout, plan.precision, plan.step) == ("channels_last", "bfloat16", 0.3)


def test_all_threads_or_one_a_core_as_the_clock_says(tmp_path, monkeypatch):
    monkeypatch.setattr(autotune, "cores", lambda: (4, 8))
    monkeypatch.delenv("OMP_NUM_THREADS")
    for number, (times, threads) in enumerate(
        [
            ({"threads8": 0.7, "threads4": 0.8}, 8),
            ({"threads8": 1.3, "threads4": 0.7}, 4),
            ({}, torch.get_num_threads()),
        ]
    ):
        monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path / str(number)))
        assert plan_by(clock(**times)).threads == threads
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path / "set"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the person has chosen
    assert plan_by(clock(threads8=0.1)).threads == torch.get_num_threads()


def test_what_does_not_work_is_passed_over_and_named(tmp_path, monkeypatch):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path))
    usual = clock()

    def broken(plan, budget):
        if plan.precision == "bfloat16":
            raise RuntimeError("no kernel for bfloat16\nand a long story")
        return usual(plan, budget)

    plan = plan_by(broken)
    assert plan.precision == "float32"
    assert "bfloat16 does not work here: no kernel for bfloat16" in plan.reason


@pytest.mark.slow  # not for its length: on a machine that others load, the clock tells of them
def test_real_steps_find_channels_last_for_a_plain_convolutional_network(tmp_path, monkeypatch):
    net = build("conv3-32 relu maxpool2 conv3-64 relu maxpool2 conv3-64 relu gap fc", (3, 32, 32), 10)
    found = []
    for attempt in range(4):  # neighbors that take the processor away in the wrong moment can win once, not always
        monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path / str(attempt)))
        plan = make_plan(net, (32, 3, 32, 32), 10, seconds=0.5 + attempt)
        slower = plan.measured["contiguous float32"] / plan.measured["channels_last float32"]
        found.append((plan.layout, slower))
        if plan.layout == "channels_last" and slower > 1:
            return
    pytest.fail(str(found))


def test_what_is_asked_for_is_not_measured_away(tmp_path, monkeypatch):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path))
    plan = plan_by(clock(bfloat16=0.1), layout="contiguous", precision="float32", threads=1, compile=False, pieces=2)
    assert (plan.layout, plan.precision, plan.threads, plan.pieces) == ("contiguous", "float32", 1, 2)
    assert "layout, precision, threads, pieces as asked for" in plan.reason
    assert plan_by(clock(bfloat16=0.1), layout="contiguous").precision == "bfloat16"  # the rest is still chosen


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("layout", UsageError, "key=value"),
        ("layuot=contiguous", UnknownName, "Did you mean layout"),
        ("layout=nchw", UsageError, "channels_last, contiguous"),
        ("threads=none", UsageError, "whole number"),
        ("threads=0", UsageError, "at least 1"),
        ("compile=perhaps", UsageError, "yes or no"),
    ],
)
def test_a_plan_that_cannot_be_read_is_refused(text, error, words):
    with pytest.raises(error, match=words):
        parse_plan(text)


def test_a_plan_is_read_from_text_or_a_dictionary():
    told = {"layout": "contiguous", "precision": "float32", "threads": 2, "compile": True, "pieces": 4}
    assert parse_plan("layout=contiguous, precision=float32,threads=2,compile=yes,pieces=4") == told
    assert parse_plan(told) == told
    assert parse_plan(None) == parse_plan("") == {}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("precision=tf32", "NVIDIA"),
        ("device=mps", "only cpu"),
        ("threads=100000", "processor cores"),
    ],
)
@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="a GPU can do this")
def test_what_this_machine_cannot_do_is_refused_with_a_sentence(sv, wanted, words):
    status, out, err = sv("train", "digits", "--plan", wanted)
    assert (status, out) == (2, "")
    assert words in err


def test_settings_are_given_back():
    before = torch.get_num_threads(), torch.backends.cudnn.conv.fp32_precision
    with Plan(threads=before[0] + 1, precision="tf32").torch_settings():
        assert torch.get_num_threads() == before[0] + 1
        assert torch.backends.cuda.matmul.fp32_precision == torch.backends.cudnn.conv.fp32_precision == "tf32"
    assert (torch.get_num_threads(), torch.backends.cudnn.conv.fp32_precision) == before


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_a_trial_steps_in_every_precision_and_leaves_the_network_alone(precision):
    net = small()
    before = copy.deepcopy(net.state_dict())
    trial = Trial(net, Plan(precision=precision), SHAPE, 2)
    assert trial.affordable(10.0) == SHAPE[0]
    assert trial.time(0.01, SHAPE[0]).seconds > 0
    assert all(torch.equal(v, net.state_dict()[k]) for k, v in before.items())
    assert trial.affordable(0.0) < SHAPE[0]  # too heavy for its budget: a part of the batch
    part = trial.time(0.01, 2)
    assert part.seconds > 0


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_learns_and_a_checkpoint_goes_on_to_the_same_weights(precision, tmp_path):
    plan, recipe = Plan(precision=precision), RECIPE.replace(epochs=8, clip_grad_norm=1.0)

    def begin():
        return loop.begin(copy.deepcopy(fresh(recipe).net), recipe, plan)

    state, (train, validation) = begin(), loaders(recipe, n=400)
    records = []
    for number, record in enumerate(loop.fit(state, train, validation, recipe, plan)):
        records.append(record)
        if number == 5:
            checkpoint.save(state, tmp_path)
    accuracies = [r.validation_accuracy for r in records if isinstance(r, Epoch)]
    assert max(accuracies) > 0.9
    assert (state.scaler is not None) == (precision == "float16")
    again = checkpoint.restore(begin(), tmp_path)
    list(loop.fit(again, train, validation, recipe, plan))
    assert same(weights(again), weights(state))
    if state.scaler is not None:
        assert again.scaler.state_dict() == state.scaler.state_dict()


def test_a_gradient_that_overflows_takes_no_step_and_scales_less():
    plan, recipe = Plan(precision="float16"), RECIPE.replace(epochs=1, batch_size=80)  # one step
    state, (train, validation) = loop.begin(fresh(recipe).net, recipe, plan), loaders(recipe, n=100)
    state.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**60)
    before = {k: p.detach().clone() for k, p in state.net.named_parameters()}
    list(loop.fit(state, train, validation, recipe, plan))
    assert all(torch.equal(before[k], p) for k, p in state.net.named_parameters())
    assert state.scaler.get_scale() == 2.0**59


@pytest.mark.slow
def test_a_compiled_network_learns_the_same():
    recipe, ends = RECIPE.replace(epochs=2), []
    for plan in (Plan(), Plan(compile=True)):
        state, (train, validation) = loop.begin(fresh(recipe).net, recipe, plan), loaders(recipe)
        records = list(loop.fit(state, train, validation, recipe, plan))
        ends.append((records[-1].loss, weights(state)))
    assert ends[0][0] == pytest.approx(ends[1][0], rel=1e-3)
    for key, one in ends[0][1].items():
        torch.testing.assert_close(one, ends[1][1][key], rtol=1e-2, atol=1e-3)


# --- memory ---


def test_the_footprint_is_that_of_counting_by_hand():
    net = build("conv3-8 relu flatten fc", (1, 10, 10), 2)
    found = footprint(net, Plan(layout="contiguous"), (64, 1, 10, 10))
    input_, after = 4 * 100, 4 * 8 * 100  # bytes of a picture as the convolution keeps it, and as relu and fc do
    assert found.each == input_ + after + 2 * after
    last = footprint(net, Plan(), (64, 1, 10, 10))
    assert last.each == found.each + after  # the dense layer wants another order than channels-last: a copy
    weights = 4 * (8 * 9 + 8 + 800 * 2 + 2)
    assert found.fixed == COPIES * weights
    assert found.of(64) == found.fixed + 64 * found.each


@given(st.integers(0, 10**9), st.integers(1, 10**8), st.integers(2, 512), st.integers(0, 10**11))
def test_a_batch_is_cut_as_little_as_possible_until_it_fits(fixed, each, batch, free):
    size = Footprint(fixed, each)
    pieces = size.pieces(batch, free)
    fits = size.of(-(-batch // pieces)) <= SHARE * free
    assert fits or batch // (2 * pieces) < FEW  # or it cannot be cut further
    assert pieces == 1 or size.of(-(-batch // (pieces // 2))) > SHARE * free
    assert size.pieces(batch, None) == 1


def test_a_batch_that_does_not_fit_is_cut_by_the_plan(monkeypatch, tmp_path):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path))
    size = footprint(small(), Plan(threads=torch.get_num_threads()), SHAPE)
    monkeypatch.setattr(autotune, "free_memory", lambda device: int(size.of(4) / SHARE) + 1)
    assert plan_by(clock()).pieces == 2


def test_memory_and_cores_of_a_container_are_seen(tmp_path, monkeypatch):
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("700000\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 200000\n")
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable: 400 kB\n")
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    assert machine.free_memory("cpu") == 400 * 1024
    (tmp_path / "meminfo").write_text("MemAvailable: 4000 kB\n")
    assert machine.free_memory("cpu") == 500_000
    assert machine.cores() == (1, 1)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.free_memory("cpu") == 4000 * 1024
    assert machine.cores()[1] == len(os.sched_getaffinity(0))


def test_siblings_of_a_core_count_once(tmp_path, monkeypatch):
    for cpu in range(8):
        (tmp_path / f"cpu{cpu}/topology").mkdir(parents=True)
        (tmp_path / f"cpu{cpu}/topology/thread_siblings_list").write_text(f"{cpu % 4},{cpu % 4 + 4}\n")
    monkeypatch.setattr(machine, "CPUS", tmp_path)
    monkeypatch.setattr(machine, "_allowed", lambda: list(range(8)))
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    assert machine.cores() == (4, 8)


# --- compiling ---


def test_compiling_is_tried_only_where_it_may_pay(monkeypatch, tmp_path):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path))
    tried = []

    def found(answer):
        monkeypatch.setattr(compile, "try_compiling", lambda *_: tried.append(1) or answer)
        return make_plan(small(), SHAPE, 2, timer=clock(), steps=steps)

    steps = 10  # of a second each
    assert not found(compile.Compiled(5, 0.1)).compile
    assert not tried
    steps = 2000
    plan = found(compile.Compiled(60, 0.5))
    assert plan.compile
    assert plan.step == 0.5
    assert "2.00x as fast" in plan.reason
    assert plan.measured["channels_last float32 compiled"] == 0.5
    dear = found(compile.Compiled(60, 0.98))  # gives back 40 seconds
    assert not dear.compile
    assert dear.step == 1.0
    failed = found(compile.Compiled(1, None, "no compiler"))
    assert not failed.compile
    assert "torch.compile does not work here: no compiler" in failed.reason
    assert len(tried) == 3


def test_without_a_compiler_a_trial_is_an_answer_and_a_wish_is_refused(tmp_path):
    code = (
        "import torch\n"
        "from svertka import zoo\n"
        "from svertka.errors import UsageError\n"
        "from svertka.hardware import compile\n"
        "from svertka.hardware.step_timer import Trial\n"
        "from svertka.hardware.plan import Plan\n"
        "trial = Trial(zoo.make('conv3-4 relu gap fc', (1, 10, 10), 2), Plan(), (8, 1, 10, 10), 2)\n"
        "found = compile.try_compiling(trial, 0.1, 8)\n"
        "assert found.step is None, found\n"
        "assert 'ompiler' in found.why, found\n"
        "try:\n    compile.refuse_without_compiler('cpu')\n"
        "except UsageError as why:\n    print(why)\n"
    )
    broken = {**os.environ, "CXX": "/bin/false", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=broken, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--plan compile=yes: torch.compile does not work here" in done.stdout


# --- a busy machine ---


def scripted(seconds):
    """A trial whose steps take these seconds, one after another, each in three equal parts; the last goes on."""
    trial = Trial(small(), Plan(), SHAPE, 2)
    left = list(seconds)
    trial._step = lambda batch: [(left.pop(0) if len(left) > 1 else left[0]) / 3] * 3
    return trial


@pytest.mark.parametrize("hiccup", range(4))
def test_one_hiccup_does_not_make_a_step_seem_dear(hiccup):
    quick = [0.001] * 30
    quick[hiccup] = 5.0
    trial = scripted(quick)
    batch = trial.affordable(0.01)
    assert batch == SHAPE[0]
    assert trial.time(0.01, batch).seconds == pytest.approx(0.001)


def test_a_heavy_network_is_still_tried_with_few_pictures():
    trial = scripted([5.0])
    assert trial.affordable(0.01) < SHAPE[0]


def test_compiling_must_pay_by_a_margin_within_the_run():
    found = compile.Compiled(cost=100.0, step=0.5)
    assert not found.pays(1.0, 250)  # 125 seconds for 100: it may be noise
    assert found.pays(1.0, 400)


def test_a_hiccup_does_not_make_a_short_run_compile(monkeypatch, tmp_path):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path))
    tried = []
    monkeypatch.setattr(compile, "try_compiling", lambda *_: tried.append(1) or compile.Compiled(1.0, 0.001))
    times = iter([70.0] * 12)  # all that choosing asks for, on a machine that hiccups

    def timer(plan, share):
        return Timing(next(times, 0.002), dict.fromkeys(PARTS, 1 / 3))

    make_plan(small(), SHAPE, 2, timer=timer, steps=352)
    list(times)
    plan = make_plan(small(), SHAPE, 2, timer=timer, steps=352)
    assert plan.step == 0.002
    assert len(tried) <= 1


def test_a_kept_plan_that_is_off_is_left_aside(monkeypatch, tmp_path):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(autotune, "_thread_counts", lambda usual: (2, 1))
    busy = False

    def timer(plan, share):
        if plan.threads == 1:
            return Timing(0.002, {})
        return Timing(0.02 if busy else 0.001, {})

    first = make_plan(small(), SHAPE, 2, timer=timer)
    assert first.threads == 2
    busy = True  # others take a core: two threads wait for each other
    now = make_plan(small(), SHAPE, 2, timer=timer)
    assert now.threads == 1
    assert "left aside" in now.reason
    busy = False  # what was kept is true again
    assert make_plan(small(), SHAPE, 2, timer=timer).threads == 2
