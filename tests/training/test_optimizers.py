"""Our optimizers against torch's: SGD to the bit, Adam and Muon but for rounding; and who is moved how."""

import copy
import json
import subprocess
import sys

import pytest
import torch

import svertka as sv
from svertka import Recipe, zoo
from svertka.errors import UnknownName
from svertka.keras import optimizers as keras_optimizers
from svertka.optimizers.adam import Adam
from svertka.optimizers.base import Stepper
from svertka.optimizers.muon import QUINTIC, Muon, orthogonal
from svertka.optimizers.registry import OPTIMIZERS, OptimizerRow
from svertka.optimizers.sgd import SGD
from svertka.training.optimizer_factory import grouped, make_optimizer, set_rate
from svertka.transfer.finetune import gentle


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
        for net, optimizer in ((ours, a), (theirs, b)):
            for group in optimizer.param_groups:
                group["lr"] = 0.1 / (step + 1)
            optimizer.zero_grad()
            net(x).square().mean().backward()
            if step % 3 == 1:
                net[0].bias.grad = None  # a parameter without a gradient keeps its place
            optimizer.step()
        assert all(torch.equal(p, q) for p, q in zip(ours.parameters(), theirs.parameters(), strict=True))
    saved, told = a.state_dict()["state"], b.state_dict()["state"]
    velocities = {i: e["momentum_buffer"] for i, e in told.items() if e.get("momentum_buffer") is not None}
    assert {i for i, e in saved.items() if e} == set(velocities)
    assert all(torch.equal(saved[i]["momentum_buffer"], v) for i, v in velocities.items())


def test_its_state_goes_into_another_and_on_to_the_same_weights():
    one, other = nets()
    a, b = (SGD(groups(net), lr=0.1, momentum=0.9, nesterov=True) for net in (one, other))

    def steps(net, optimizer, numbers):
        for k in numbers:
            optimizer.zero_grad()
            net(torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(k))).square().mean().backward()
            optimizer.step()

    steps(one, a, range(4))
    other.load_state_dict(one.state_dict())
    b.load_state_dict(a.state_dict())
    steps(one, a, range(4, 8))
    steps(other, b, range(4, 8))
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("optimizer", ["nesterov", "adamw", "muon"])
def test_a_short_run_never_imports_the_compiler(optimizer):
    code = (
        "import sys, torch\n"
        "from svertka import zoo\n"
        "from svertka.training.loop import begin\n"
        "from svertka.hardware.plan import Plan\n"
        "from svertka.training.recipe import Recipe\n"
        f"recipe = Recipe(optimizer={optimizer!r}, learning_rate=0.1, weight_decay=0.0, clip_grad_norm=1.0)\n"
        "state = begin(zoo.make('small', (1, 28, 28), 10), recipe, Plan())\n"
        "state.net(torch.zeros(2, 1, 28, 28)).sum().backward()\n"
        "torch.nn.utils.clip_grad_norm_(state.net.parameters(), 1.0)\n"
        "state.optimizer.step()\n"
        "print('torch._dynamo' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_adam_is_torchs(decoupled, decay):
    ours, theirs = nets()
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    rows = [[{**g, "weight_decay": decay * (g["weight_decay"] > 0)} for g in groups(net)] for net in (ours, theirs)]
    a, b = Adam(rows[0], lr=0.01, betas=(0.8, 0.99), decoupled=decoupled), kind(rows[1], lr=0.01, betas=(0.8, 0.99))
    for k in range(10):
        together(k, (ours, a), (theirs, b))
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-7)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a.state[p]["exp_avg_sq"], b.state[q]["exp_avg_sq"], rtol=1e-5, atol=1e-12)


def together(k, *pairs):
    """The same gradients for several nets, and a step of each optimizer."""
    x = torch.randn(4, 2, 6, 6, generator=torch.Generator().manual_seed(k))
    for net, optimizer in pairs:
        optimizer.zero_grad()
        net(x).square().mean().backward()
        optimizer.step()


def by_svd(matrix):
    """The definition: every singular value goes through the polynomial, five times; the vectors stay."""
    u, s, vh = torch.linalg.svd(matrix.double(), full_matrices=False)
    a, b, c = QUINTIC
    s = s / s.norm()
    for _ in range(5):
        s = a * s + b * s**3 + c * s**5
    return (u @ s.diag() @ vh).float()


@pytest.mark.parametrize("shape", [(7, 12), (12, 7), (9, 9), (64, 5)])
def test_orthogonal_keeps_the_singular_vectors_and_brings_the_values_near_one(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    found = orthogonal(matrix)
    torch.testing.assert_close(found, by_svd(matrix), rtol=1e-3, atol=1e-4)
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    assert (u.T @ found @ vh.T).diagonal().min() > 0.6
    assert (u @ vh - found).norm() < 0.3 * found.norm()  # not far from the nearest orthogonal matrix
    assert torch.linalg.svdvals(found).max() < 1.3


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="this PyTorch has no Muon")
@pytest.mark.parametrize("shape", [(6, 10), (10, 6)])
def test_muon_is_torchs_on_matrices(shape):
    first = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    p, q = torch.nn.Parameter(first.clone()), torch.nn.Parameter(first.clone())
    a = Muon(
        [{"params": [p], "weight_decay": 0.1, "orthogonal": True}],
        lr=0.02,
        momentum=0.95,
        rounds=5,
        dtype=torch.bfloat16,
    )
    b = torch.optim.Muon([q], lr=0.02, weight_decay=0.1, momentum=0.95)
    for k in range(8):
        gradient = torch.randn(shape, generator=torch.Generator().manual_seed(k + 1))
        for weight, optimizer in ((p, a), (q, b)):
            weight.grad = gradient.clone()
            optimizer.step()
    torch.testing.assert_close(p, q, rtol=1e-3, atol=2e-3)  # bfloat16: three digits of each of eight steps


def test_muon_moves_filters_as_matrices_and_the_rest_as_adamw_does():
    net = zoo.make("conv3-6 bn relu conv3-8 bn relu dw3 relu gap fc12 relu fc3", (2, 12, 12), 3)
    names = {p: name for name, p in net.named_parameters()}
    recipe = Recipe(optimizer="muon", learning_rate=0.1, weight_decay=0.01, momentum=0.9)
    rows = grouped(net, recipe)
    hidden = {names[p] for row in rows if row.get("orthogonal") for p in row["params"]}
    shapes = {name: tuple(p.shape) for name, p in net.named_parameters()}
    assert {shapes[name] for name in hidden} == {(8, 6, 3, 3), (12, 8)}
    twin = copy.deepcopy(net)
    partner = Adam(grouped(twin, recipe.replace(optimizer="adamw")), lr=0.1 * 0.05, betas=(0.9, 0.999), decoupled=True)
    muon = Muon(rows, lr=0.1, momentum=0.9, rounds=5)
    set_rate(muon, 0.1)
    x = torch.randn(4, 2, 12, 12)
    before = copy.deepcopy(dict(net.named_parameters()))
    for one, optimizer in ((net, muon), (twin, partner)):
        optimizer.zero_grad()
        one(x).square().mean().backward()
        optimizer.step()
    for name, p in net.named_parameters():
        if name not in hidden:  # one step, taken after both saw the same gradients
            torch.testing.assert_close(p, dict(twin.named_parameters())[name])
            continue
        rows = p.flatten(1)
        if p.ndim == 4:  # a norm follows: held
            length, step = before[name].norm(), by_svd(p.grad.flatten(1)).view(p.shape)
            turned = before[name] - 0.1 * length * step / step.norm()
            torch.testing.assert_close(p, turned * length / turned.norm(), rtol=1e-2, atol=1e-4)
            continue
        moved = (before[name] * (1 - 0.1 * 0.01) - p).flatten(1) / 0.1 / max(1, len(rows) / rows.shape[1]) ** 0.5
        torch.testing.assert_close(moved, by_svd(p.grad.flatten(1)), rtol=1e-2, atol=1e-3)


def test_dense_layers_too_large_to_be_made_orthogonal_are_left_to_adamw():
    with torch.device("meta"):
        net = zoo.make("vgg11", (3, 32, 32), 5)
    rows = grouped(net, Recipe(optimizer="muon", learning_rate=0.1))
    moved = {tuple(p.shape) for row in rows if row.get("orthogonal") for p in row["params"]}
    assert (512, 512, 3, 3) in moved
    assert not {(4096, 25088), (4096, 4096)} & moved


def test_in_bfloat16_muon_takes_nearly_the_same_step():
    net = zoo.make("conv3-8 bn relu conv3-16 bn relu gap fc3", (2, 12, 12), 3)
    hidden, recipe = (
        next(p for p in net.parameters() if p.shape == (16, 8, 3, 3)),
        Recipe(optimizer="muon", learning_rate=0.1),
    )
    before = hidden.detach().clone()
    net(torch.randn(4, 2, 12, 12)).square().mean().backward()
    steps = []
    for bfloat16 in (False, True):
        with torch.no_grad():
            hidden.copy_(before)
        make_optimizer(net, recipe, bfloat16=bfloat16).step()
        steps.append(hidden.detach() - before)
    assert 0 < (steps[0] - steps[1]).norm() < 0.02 * steps[0].norm()


def test_rates_fall_with_depth():
    net = zoo.make("resnet18", (3, 32, 32), 3)
    rows = grouped(net, Recipe(optimizer="nesterov", learning_rate=0.1, layer_decay=0.5, weight_decay=0.01))
    share = {p: row["share"] for row in rows for p in row["params"]}
    assert len(share) == len(list(net.parameters()))
    for parameters, expected in (
        (net.head.parameters(), 1.0),
        (net.stages[3].parameters(), 0.5),
        (net.stages[0].parameters(), 0.5**4),
        (net.stem.parameters(), 0.5**5),
    ):
        assert {share[p] for p in parameters} == {expected}
    optimizer = make_optimizer(net, Recipe(optimizer="nesterov", learning_rate=0.1, layer_decay=0.5, weight_decay=0.01))
    set_rate(optimizer, 0.2)
    rates = {p: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rates[next(net.stem.parameters())] == pytest.approx(0.2 * 0.5**5)
    assert len(grouped(net, Recipe(optimizer="nesterov", learning_rate=0.1, layer_decay=1.0))) == 2


class Signs(Stepper):
    """Steps of one length, whatever the gradient."""

    def move(self, weights, gradients, group):
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.sub_(gradient.sign(), alpha=group["lr"])


def test_one_more_optimizer_is_one_more_row(monkeypatch, tmp_path):
    row = OptimizerRow(
        lambda groups, rate, momentum, bfloat16: Signs(groups, lr=rate), 0.02, 0.0005, momentum=(0.0, "none")
    )
    monkeypatch.setitem(OPTIMIZERS, "signs", row)
    done = sv.train(
        "digits", out=tmp_path / "run", optimizer="signs", epochs=1, net="conv3-8 bn relu maxpool2 flatten fc"
    )
    recipe = json.loads((done.path / "recipe.json").read_text(encoding="utf-8"))["recipe"]
    assert recipe["optimizer"] == "signs"
    assert recipe["learning_rate"] == pytest.approx(0.02 * (recipe["batch_size"] / 256) ** 0.5, rel=1e-4)
    assert recipe["momentum"] == 0.0
    assert done.summary["validation"]["accuracy"] > 0.6
    assert gentle(Recipe(optimizer="signs"), 100)[0].learning_rate == 0.0005
    assert keras_optimizers.get("Signs").learning_rate == 0.02
    with pytest.raises(UnknownName, match="signs"):
        Recipe(optimizer="sings")
