"""Our SGD is torch's to the bit: weights, velocities and what a checkpoint sees."""

import subprocess
import sys

import pytest
import torch

from svertka.training.sgd import SGD


def nets(layout=torch.channels_last):
    made = []
    for _ in range(2):
        torch.manual_seed(0)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(2, 5, 3),
            torch.nn.BatchNorm2d(5),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Linear(80, 3),
        )
        made.append(net.to(memory_format=layout))
    return made


def groups(net):
    weights = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": weights, "weight_decay": 0.01}, {"params": rest, "weight_decay": 0.0}]


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
def test_same_numbers_as_torch(momentum, nesterov):
    if nesterov and not momentum:
        pytest.skip("torch refuses Nesterov without momentum")
    ours, theirs = nets()
    a = SGD(groups(ours), lr=0.1, momentum=momentum, nesterov=nesterov)
    b = torch.optim.SGD(groups(theirs), lr=0.1, momentum=momentum, nesterov=nesterov)
    for step in range(12):
        x = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(step))
        for net, optimiser in ((ours, a), (theirs, b)):
            for group in optimiser.param_groups:
                group["lr"] = 0.1 / (step + 1)
            optimiser.zero_grad()
            net(x).square().mean().backward()
            if step % 3 == 1:
                net[0].bias.grad = None  # a parameter without a gradient keeps its place
            optimiser.step()
        assert all(torch.equal(p, q) for p, q in zip(ours.parameters(), theirs.parameters(), strict=True))
    saved, told = a.state_dict()["state"], b.state_dict()["state"]
    velocities = {i: e["momentum_buffer"] for i, e in told.items() if e.get("momentum_buffer") is not None}
    assert {i for i, e in saved.items() if e} == set(velocities)
    assert all(torch.equal(saved[i]["momentum_buffer"], v) for i, v in velocities.items())


def test_its_state_goes_into_another_and_on_to_the_same_weights():
    one, other = nets()
    a, b = (SGD(groups(net), lr=0.1, momentum=0.9, nesterov=True) for net in (one, other))

    def steps(net, optimiser, numbers):
        for k in numbers:
            optimiser.zero_grad()
            net(torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(k))).square().mean().backward()
            optimiser.step()

    steps(one, a, range(4))
    other.load_state_dict(one.state_dict())
    b.load_state_dict(a.state_dict())
    steps(one, a, range(4, 8))
    steps(other, b, range(4, 8))
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))


def test_a_short_run_never_imports_the_compiler():
    code = (
        "import sys, torch\n"
        "from svertka import zoo\n"
        "from svertka.training.loop import begin\n"
        "from svertka.training.plan import Plan\n"
        "from svertka.training.recipe import Recipe\n"
        "recipe = Recipe(optimiser='nesterov', rate=0.1, weight_decay=0.0)\n"
        "state = begin(zoo.make('small', (1, 28, 28), 10), recipe, Plan())\n"
        "state.net(torch.zeros(2, 1, 28, 28)).sum().backward()\n"
        "state.optimiser.step()\n"
        "print('torch._dynamo' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"
