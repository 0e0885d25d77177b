"""Schedules at their landmarks, and against torch's own where torch has one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from svertka.training.schedule import SCHEDULES, cosine, onecycle, stepwise


@pytest.mark.parametrize("name", SCHEDULES)
@given(steps=st.integers(1, 400), data=st.data())
def test_factor_lies_between_zero_and_one(name, steps, data):
    step = data.draw(st.integers(0, steps - 1))
    assert 0 <= SCHEDULES[name](step, steps) <= 1


def test_cosine_equals_torch():
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=50)
    for step in range(50):
        assert cosine(step, 50, warmup=0) == pytest.approx(theirs.get_last_lr()[0], abs=1e-9)
        optimiser.step()
        theirs.step()


def test_onecycle_rises_to_its_peak_once_and_falls():
    rates = [onecycle(s, 200) for s in range(200)]
    top = rates.index(1.0)
    assert rates[:top] == sorted(rates[:top])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert rates[-1] < 0.01


def test_stepwise_divides_by_ten_three_times():
    values = {round(stepwise(s, 90), 6) for s in range(90)}
    assert values == {1.0, 0.1, 0.01, 0.001}
