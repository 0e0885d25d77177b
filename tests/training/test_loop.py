"""The loop: it learns, it repeats itself bit for bit, and a checkpoint goes on to the same weights."""

import itertools
import json

import numpy as np
import pytest
import torch
from striped import PREPROCESS, RECIPE, fresh, loaders, same, weights

import svertka
from svertka import zoo
from svertka.data.loading.loader import Batch
from svertka.errors import RunError, TrainingError
from svertka.hardware.plan import Plan
from svertka.records import Epoch, Step
from svertka.training import checkpoint, class_balance, loop
from svertka.training.optimizer_factory import make_optimizer
from svertka.training.recipe import OPTIMIZERS


def test_it_learns_what_can_be_learned():
    recipe = RECIPE.replace(epochs=12)
    state, (train, validation) = fresh(recipe), loaders(recipe, n=400)
    records = list(loop.fit(state, train, validation, recipe, Plan()))
    epochs = [r for r in records if isinstance(r, Epoch)]
    assert [e.epoch for e in epochs] == list(range(1, 13))
    assert max(e.validation_accuracy for e in epochs) > 0.95
    assert epochs[-1].loss < epochs[0].loss
    best = max(range(12), key=lambda i: (epochs[i].validation_accuracy, -epochs[i].validation_loss))
    assert state.best_epoch == best + 1
    state.net.load_state_dict(state.best_tensors)
    assert loop.measure(state.net, validation)[1] == epochs[best].validation_accuracy
    assert all(map(torch.equal, loop.collect(state.net, validation), state.answers))  # kept, so not computed again


def test_the_same_seed_gives_the_same_weights_and_another_does_not():
    results = []
    for recipe in (RECIPE, RECIPE, RECIPE.replace(seed=1)):
        state, (train, validation) = fresh(recipe), loaders(recipe)
        list(loop.fit(state, train, validation, recipe, Plan()))
        results.append(weights(state))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("average", [0.0, 0.9])
def test_resuming_from_any_record_gives_the_same_weights(optimizer, average, tmp_path):
    recipe = RECIPE.replace(optimizer=optimizer, ema_decay=average, learning_rate=0.01)
    net = "conv3-4 relu maxpool2 dropout0.5 flatten fc8 relu dropout0.5 fc"
    state, (train, validation) = fresh(recipe, net), loaders(recipe)
    whole = []
    for number, _ in enumerate(loop.fit(state, train, validation, recipe, Plan())):
        checkpoint.save(state, tmp_path / str(number))
        whole.append(number)
    end, best = weights(state), dict(state.best_tensors)
    for number in (0, 2, len(whole) // 2, len(whole) - 2):
        again = checkpoint.restore(fresh(recipe.replace(seed=0), net), tmp_path / str(number))
        train, validation = loaders(recipe)
        records = list(loop.fit(again, train, validation, recipe, Plan()))
        assert len(records) == len(whole) - number - 1
        assert same(weights(again), end), number
        assert same(again.best_tensors, best), number
        assert again.best_epoch == state.best_epoch


def test_a_damaged_checkpoint_is_refused_and_a_failed_write_leaves_the_old_one(tmp_path, monkeypatch):
    state = fresh()
    path = checkpoint.save(state, tmp_path)
    whole = path.read_bytes()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(TrainingError, match="No space left"):
        checkpoint.save(state, tmp_path)
    assert path.read_bytes() == whole
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    for damaged in (whole[:100], whole[: len(whole) // 2], b"", b"\x00" * 400):
        path.write_bytes(damaged)
        with pytest.raises(RunError, match=r"state\.safetensors"):
            checkpoint.restore(fresh(), tmp_path)
    with pytest.raises(RunError, match="nothing to resume"):
        checkpoint.restore(fresh(), tmp_path / "elsewhere")


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    checkpoint.save(fresh(), tmp_path)
    with pytest.raises(RunError, match="another network"):
        checkpoint.restore(fresh(net="lenet"), tmp_path)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_decay_spares_biases_and_norms(optimizer):
    net = zoo.make("small", PREPROCESS.shape, 2)
    made = make_optimizer(net, RECIPE.replace(optimizer=optimizer))
    decayed = {id(p) for g in made.param_groups if g["weight_decay"] for p in g["params"]}
    assert decayed == {id(p) for p in net.parameters() if p.ndim > 1}
    assert sum(len(g["params"]) for g in made.param_groups) == len(list(net.parameters()))


@pytest.mark.parametrize(
    ("name", "spared"), [("convnext_tiny", ("scale",)), ("conformer_s", ("content_bias", "distance_bias"))]
)
def test_decay_spares_scales_and_biases_of_any_shape(name, spared):
    net = zoo.empty_net(name, classes=2)
    made = make_optimizer(net, RECIPE.replace(optimizer="adamw"))
    decayed = {id(p) for g in made.param_groups if g["weight_decay"] for p in g["params"]}
    left = {key.rpartition(".")[2] for key, p in net.named_parameters() if id(p) not in decayed}
    assert left == {"bias", "weight", *spared}  # weights: of norms
    assert all(p.ndim == 1 for key, p in net.named_parameters() if id(p) not in decayed and key.endswith(".weight"))


def test_sgd_with_nesterov_takes_the_step_of_its_definition():
    weight = torch.nn.Parameter(torch.tensor([[2.0]]))
    net = torch.nn.Module()
    net.weight = weight
    made = make_optimizer(net, RECIPE.replace(learning_rate=0.1, weight_decay=0.0))
    velocity, w = 0.0, 2.0
    for _ in range(3):
        made.zero_grad()
        (weight**2).sum().backward()
        made.step()
        gradient = 2 * w
        velocity = 0.9 * velocity + gradient
        w -= 0.1 * (gradient + 0.9 * velocity)
        assert weight.item() == pytest.approx(w, rel=1e-5)


def test_steps_are_reported_between_epochs():
    recipe = RECIPE.replace(batch_size=4)
    state, (train, validation) = fresh(recipe), loaders(recipe)
    records = list(loop.fit(state, train, validation, recipe, Plan()))
    steps = [r for r in records if isinstance(r, Step)]
    assert all(a.step < b.step for a, b in itertools.pairwise(steps))
    assert steps[-1].steps == state.step == 3 * len(train)


def test_auxiliary_heads_take_part_in_training_only():
    net = zoo.net("googlenet", classes=2)
    assert len(net.train().outputs(torch.randn(2, 3, 96, 96))) > 1
    assert len(net.eval().outputs(torch.randn(2, 3, 96, 96))) == 1


def test_class_weights_make_rare_classes_count_as_much():
    labels = np.array([0] * 90 + [1] * 10)
    weights = class_balance.class_weights(labels, 3)
    assert weights.tolist() == pytest.approx([100 / 180, 100 / 20, 0])
    assert (weights[labels].mean().item(), (weights[0] * 90).item()) == pytest.approx((1.0, (weights[1] * 10).item()))
    assert "all classes are equally frequent" in class_balance.sentence(labels, ("a", "b"), "weights")
    assert "'a' has 90 training pictures and 'b' 10" in class_balance.sentence(labels, ("a", "b"), "none")
    assert class_balance.sentence(labels[80:], ("a", "b"), "none") is None


@pytest.mark.parametrize("weights", [None, torch.tensor([0.5, 4.0])])
def test_the_loss_is_that_of_its_definition_with_shares_and_weights(weights):
    recipe = RECIPE.replace(optimizer="sgd", momentum=0.0, learning_rate=0.0001, label_smoothing=0.0)
    state = fresh(recipe)
    state.class_weights = weights
    x, y = torch.randn(6, 1, 10, 10), torch.rand(6, 1)
    y = torch.cat([y, 1 - y], 1)
    state.net.train()
    log = state.net(x).log_softmax(1).detach()
    loop.step(state, Batch(x, y, torch.arange(6)), recipe, Plan())
    loop.read_metrics(state, recipe)
    w = torch.ones(2) if weights is None else weights
    assert state.loss_sum / 6 == pytest.approx(-(y * w * log).sum(1).mean().item(), rel=1e-4)
    assert state.right == int((log.argmax(1) == y.argmax(1)).sum())


def test_the_passes_that_are_told_are_those_that_were_taken(tmp_path):
    """And not those that were planned, where no better one came for so long that training ended."""
    svertka.train("digits", epochs=40, patience=1, schedule="constant", out=tmp_path / "run")
    records = map(json.loads, (tmp_path / "run" / "log.jsonl").read_text().splitlines())
    taken = sum(record["kind"] == "epoch" for record in records)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["epochs"] == taken < 40
