"""Schedules at their landmarks, and against torch's own where torch has one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from svertka.training.schedules.lr_schedule import SCHEDULES, drops, factor, rate_at


@pytest.mark.parametrize("name", SCHEDULES)
@given(steps=st.integers(1, 400), data=st.data(), warmup=st.none() | st.floats(0, 1))
def test_factor_lies_between_zero_and_one(name, steps, data, warmup):
    step = data.draw(st.integers(0, steps - 1))
    assert 0 <= factor(name, step, steps, warmup) <= 1


def optimizer():
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)


def test_cosine_equals_torch():
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer(), T_max=50)
    for step in range(50):
        assert factor("cosine", step, 50, warmup=0) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        theirs.optimizer.step()
        theirs.step()


@pytest.mark.parametrize("name", SCHEDULES)
def test_any_schedule_warms_up_in_a_straight_line_as_torch_does(name):
    made = optimizer()
    theirs = torch.optim.lr_scheduler.LinearLR(made, start_factor=1 / 25, total_iters=24)
    rates = [factor(name, step, 100, warmup=0.25) for step in range(100)]
    for step in range(25):
        assert rates[step] == pytest.approx(theirs.get_last_lr()[0])
        made.step()
        theirs.step()
    assert max(rates) == rates[24] == rates[25] == 1.0
    assert rates[25:] == sorted(rates[25:], reverse=True)
    assert rates[25:] == [factor(name, step, 75, warmup=0) for step in range(75)]


def test_onecycle_rises_to_its_peak_once_and_falls():
    rates = [factor("onecycle", s, 200) for s in range(200)]
    top = rates.index(1.0)
    assert top == 39
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 0.01


def test_step_divides_by_ten_three_times():
    values = {round(factor("step", s, 90), 6) for s in range(90)}
    assert values == {1.0, 0.1, 0.01, 0.001}


@given(st.lists(st.floats(0.01, 10), max_size=60), st.integers(1, 6))
def test_plateau_drops_when_torch_does(losses, wait):
    made = optimizer()
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(made, factor=0.1, patience=wait - 1, eps=0.0)
    for k, loss in enumerate(losses, 1):
        theirs.step(loss)
        rate = rate_at("plateau", 1.0, k, 100, wait=wait, losses=losses[:k])
        assert rate == pytest.approx(made.param_groups[0]["lr"], rel=1e-6, abs=0)


def test_plateau_counts_anew_after_each_drop():
    assert [drops([1.0] * k, wait=2) for k in range(6)] == [0, 0, 0, 1, 1, 2]
    assert drops([5, 4, 3, 2, 1], wait=1) == 0


def test_each_rescue_halves_the_rate():
    assert [rate_at("constant", 0.4, 3, 10, rescues=k) for k in range(3)] == [0.4, 0.2, 0.1]
