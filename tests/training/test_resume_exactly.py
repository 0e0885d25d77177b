"""Pieces, clipping, plateaus, early stop, rescue: each does what it says, and resumes to the same bits."""

import re

import numpy as np
import pytest
import torch
from striped import PLAIN, PREPROCESS, RECIPE, fresh, loaders, same, striped, trained, weights

from svertka import Recipe, zoo
from svertka.data.loading.loader import Batch, Loader
from svertka.errors import NotFinite, RecipeError, RunError, TrainingError
from svertka.hardware.plan import Plan
from svertka.pipeline.top_models import best_passes
from svertka.records import Epoch, Note, Step
from svertka.reporting.i18n.translate import known, speaking
from svertka.training import checkpoint, divergence, loop
from svertka.training.gradient_accumulation import pieces

HOT = RECIPE.replace(optimizer="sgd", learning_rate=900.0, momentum=0.99, schedule="constant", epochs=4)
DEEP = "conv3-4 relu flatten fc64 relu fc64 relu fc"
SETTINGS = {
    "accumulate": {"accumulate": 3},
    "clip_grad_norm": {"clip_grad_norm": 0.3},
    "plateau": {"schedule": "plateau", "wait": 1, "epochs": 4},
    "warmup": {"schedule": "cosine", "warmup": 0.5},
    "patience": {"patience": 1, "epochs": 9, "learning_rate": 0.3},
    "layer_decay": {"layer_decay": 0.5},
    "muon": {"optimizer": "muon", "layer_decay": 0.7, "clip_grad_norm": 1.0},
    "adamw": {"optimizer": "adamw", "learning_rate": 0.01, "ema_decay": 0.9, "accumulate": 2},
    "grow": {"grow": 0.6, "epochs": 4},
    "lookahead": {"lookahead": 3, "ema_decay": 0.9},
    "rescue": {"optimizer": "sgd", "learning_rate": 8.0, "momentum": 0.95, "schedule": "constant", "rescue": 9,
               "epochs": 5},
    "rescue and average": {
        "optimizer": "sgd", "learning_rate": 8.0, "momentum": 0.95, "schedule": "constant", "rescue": 9, "epochs": 4,
        "ema_decay": 0.9,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SETTINGS)
def test_stopped_in_the_middle_it_goes_on_to_the_same_bits(name, tmp_path):
    recipe, net = RECIPE.replace(batch_size=12, **SETTINGS[name]), DEEP if name.startswith("rescue") else "small"
    state, (train, validation) = fresh(recipe, net), loaders(recipe)
    records = []
    for number, record in enumerate(loop.fit(state, train, validation, recipe, Plan())):
        records.append(record)
        checkpoint.save(state, tmp_path / str(number))
    if name.startswith("rescue"):
        assert state.rescues >= 1
    if name == "patience":
        assert "no better in 1 passes" in records[-1].text
    for number in range(1, len(records), len(records) // 4):
        again = checkpoint.restore(fresh(recipe.replace(seed=3), net), tmp_path / str(number))
        train, validation = loaders(recipe)
        rest = list(loop.fit(again, train, validation, recipe, Plan()))
        assert same(weights(again), weights(state)), number
        assert same(again.best_tensors, state.best_tensors)
        assert (again.history, again.best_epoch, again.rescues) == (state.history, state.best_epoch, state.rescues)
        assert [r.text for r in rest if isinstance(r, Note)] == [
            r.text for r in records[number + 1 :] if isinstance(r, Note)
        ]


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_pieces_make_the_step_of_the_whole_batch(count, balanced):
    x, y = torch.randn(16, 1, 10, 10), torch.arange(16) % 2
    y[:5] = 0
    steps = []
    for parts in (1, count):
        state = fresh(RECIPE.replace(optimizer="sgd"), PLAIN)
        state.pieces = parts
        state.class_weights = torch.tensor([0.3, 2.0]) if balanced else None
        loop.step(state, Batch(x, y, torch.arange(16)), RECIPE, Plan())
        steps.append((weights(state), state.loss_sum, state.right, state.seen))
    (whole, *counts), (other, *others) = steps
    assert counts == pytest.approx(others)
    for key, tensor in whole.items():
        torch.testing.assert_close(other[key], tensor, rtol=1e-4, atol=1e-6)
    still = weights(fresh(RECIPE, PLAIN))
    assert not any(torch.equal(whole[k], still[k]) for k in whole)  # they moved


def test_mixed_targets_in_pieces_too():
    y = torch.rand(7, 2)
    batch = Batch(torch.randn(7, 1, 10, 10), y, torch.arange(7))
    parts = list(pieces(batch, 3, torch.tensor([0.5, 4.0])))
    assert [len(b.y) for b, _ in parts] == [3, 2, 2]
    assert sum(share for _, share in parts) == pytest.approx(1)
    assert torch.equal(torch.cat([b.index for b, _ in parts]), batch.index)
    whole = torch.nn.functional.cross_entropy(batch.x.flatten(1)[:, :2], y, torch.tensor([0.5, 4.0]))
    summed = sum(
        share * torch.nn.functional.cross_entropy(b.x.flatten(1)[:, :2], b.y, torch.tensor([0.5, 4.0]))
        for b, share in parts
    )
    torch.testing.assert_close(summed, whole)


def test_a_whole_run_in_pieces_ends_where_the_whole_batches_end():
    ends = [weights(trained(RECIPE.replace(accumulate=n, batch_size=12, learning_rate=0.02), PLAIN)[0]) for n in (1, 4)]
    for key, tensor in ends[0].items():
        torch.testing.assert_close(ends[1][key], tensor, rtol=1e-3, atol=1e-5)


def test_clipped_gradients_are_no_longer_than_asked():
    recipe = RECIPE.replace(optimizer="sgd", momentum=0.0, weight_decay=0.0, learning_rate=1.0, clip_grad_norm=0.01)
    state = fresh(recipe, PLAIN)
    before = weights(state)
    loop.set_rate(state.optimizer, 1.0)
    loop.step(state, Batch(torch.randn(8, 1, 10, 10), torch.arange(8) % 2, torch.arange(8)), recipe, Plan())
    moved = torch.cat([(before[k] - v).flatten() for k, v in weights(state).items()])
    assert moved.norm().item() == pytest.approx(0.01, rel=1e-3)


def test_lookahead_is_that_of_its_definition():
    recipe = RECIPE.replace(
        optimizer="sgd", momentum=0.0, learning_rate=0.1, lookahead=2, schedule="constant", warmup=0
    )
    fast, plain = fresh(recipe, PLAIN), fresh(recipe.replace(lookahead=0), PLAIN)
    slow = weights(plain)
    for k in range(6):
        batch = Batch(torch.randn(8, 1, 10, 10), torch.arange(8) % 2, torch.arange(8))
        loop.step(fast, batch, recipe, Plan())
        loop.step(plain, batch, recipe.replace(lookahead=0), Plan())
        fast.step = plain.step = k + 1
        if k % 2:
            slow = {key: s + 0.5 * (plain.net.state_dict()[key] - s) for key, s in slow.items()}
            plain.net.load_state_dict(slow)
        for key, tensor in weights(plain).items():
            torch.testing.assert_close(fast.net.state_dict()[key], tensor)


class Hungry(torch.nn.Module):
    """A network that runs out of memory above so many pictures, as the allocators of CPU and GPU put it."""

    def __init__(self, inner, most, error):
        super().__init__()
        self.inner, self.most, self.error = inner, most, error

    def outputs(self, x):
        if self.training and len(x) > self.most:
            raise self.error
        return self.inner.outputs(x)

    def forward(self, x):
        return self.inner(x)


CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory")
GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.mark.parametrize("error", [CPU, GPU, MemoryError()])
def test_where_memory_is_short_the_batch_is_computed_in_pieces_to_the_same_result(error, tmp_path):
    recipe = RECIPE.replace(batch_size=12, learning_rate=0.02)
    plenty, _ = trained(recipe, PLAIN)
    state, (train, validation) = fresh(recipe, PLAIN), loaders(recipe)
    state.net = Hungry(state.net, 4, error)
    records = list(loop.fit(state, train, validation, recipe, Plan()))
    notes = [r.text for r in records if isinstance(r, Note)]
    assert [n.split(":")[0] for n in notes] == ["Memory was not enough for 12 pictures at once"] * 2
    assert "from step 1 on each batch is computed in 4 pieces" in notes[1]
    for key, tensor in plenty.net.state_dict().items():
        torch.testing.assert_close(state.net.inner.state_dict()[key], tensor, rtol=1e-3, atol=1e-5)
    state.net = state.net.inner
    checkpoint.save(state, tmp_path)
    assert checkpoint.restore(fresh(recipe, PLAIN), tmp_path).pieces == 4


def test_where_memory_is_short_even_for_two_pictures_it_says_so():
    recipe = RECIPE.replace(batch_size=8)
    state, (train, validation) = fresh(recipe, PLAIN), loaders(recipe)
    state.net = Hungry(state.net, 1, CPU)
    with pytest.raises(TrainingError, match=r"Memory is not enough even for 2 pictures at once.*--size"):
        list(loop.fit(state, train, validation, recipe, Plan()))
    state.net = Hungry(state.net.inner, 1, RuntimeError("shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="multiplied"):  # a fault of ours is not taken for a lack of memory
        list(loop.fit(state, train, validation, recipe, Plan()))


def test_a_loss_that_is_not_finite_stops_before_the_step_when_no_rescue_is_left():
    recipe = HOT.replace(rescue=0)
    state, (train, validation) = fresh(recipe, DEEP), loaders(recipe)
    with pytest.raises(NotFinite, match=r"at step \d+; nothing was learned from it.*--set learning_rate=300") as caught:
        list(loop.fit(state, train, validation, recipe, Plan()))
    assert all(p.isfinite().all() for p in state.net.parameters())  # the step that would spoil them was not taken
    assert set(caught.value.pictures) <= set(range(72))
    assert 0 < len(caught.value.pictures) <= 16


def test_a_picture_that_spoils_the_loss_is_named():
    pixels, labels = striped(32)
    pixels[7] = 255
    train = Loader(pixels, labels, np.arange(32), PREPROCESS, batch=8, seed=0, even=True)
    state = fresh(RECIPE, PLAIN)

    class Allergic(torch.nn.Module):
        def outputs(self, x):
            bright = x.flatten(1).amin(1, keepdim=True) > 0.9
            return (torch.where(bright, torch.nan, state_net(x)),)

    state_net, state.net = state.net, Allergic()
    with pytest.raises(NotFinite) as caught:
        list(loop.fit(state, train, None, RECIPE.replace(rescue=0), Plan()))
    assert caught.value.pictures == (7,)


def test_a_rescue_goes_back_to_the_best_pass_and_on_at_half_the_rate():
    recipe = RECIPE.replace(rescue=2, schedule="constant", epochs=5, learning_rate=0.02)
    state, (train, validation) = fresh(recipe, PLAIN), loaders(recipe)
    records, rates = [], []
    for record in loop.fit(state, train, validation, recipe, Plan()):
        records.append(record)
        if isinstance(record, Step):
            rates.append((record.step, record.rate))
        if isinstance(record, Epoch) and record.epoch == 3 and not state.rescues:
            best, best_epoch = {k: v.clone() for k, v in state.best_tensors.items()}, state.best_epoch
            with torch.no_grad():
                next(state.net.parameters()).fill_(torch.inf)  # as a step with gradients that overflow would
        if isinstance(record, Note):
            assert record.back_to == best_epoch * len(train) == state.step
            assert same(weights(state), best)
            assert not state.optimizer.state
            assert (
                f"went back to the end of pass {best_epoch} and goes on at 0.5 of the rate (rescue 1 of 2)"
                in record.text
            )
    assert sum(isinstance(r, Note) for r in records) == 1
    assert {rate for _, rate in rates} == {0.02, 0.01}
    assert len(state.history) == 5
    assert all(p.isfinite().all() for p in state.net.parameters())


def test_a_rescue_within_the_first_pass_goes_back_to_the_first_weights():
    recipe = HOT.replace(rescue=30)
    first = weights(fresh(recipe, DEEP))
    state, (train, validation) = fresh(recipe, DEEP), loaders(recipe)
    note = next(r for r in loop.fit(state, train, validation, recipe, Plan()) if isinstance(r, Note))
    assert note.back_to == 0
    assert "went back to the start" in note.text
    assert same(weights(state), first)
    with pytest.raises(NotFinite):
        trained(HOT.replace(rescue=1), DEEP)


def test_a_last_step_that_spoils_the_weights_is_no_best_pass():
    recipe = RECIPE.replace(rescue=1, epochs=2)
    state, (train, _) = fresh(recipe, PLAIN), loaders(recipe)
    notes = []
    for record in loop.fit(state, train, None, recipe, Plan()):
        notes += [record] * isinstance(record, Note)
        if isinstance(record, Step) and not notes and record.step == len(train) - 1:
            state.optimizer.step = lambda: next(state.net.parameters()).data.fill_(torch.nan)
        elif notes:
            state.optimizer.__dict__.pop("step", None)
    assert notes[0].back_to == 0
    assert all(v.isfinite().all() for v in state.best_tensors.values())


def test_training_stops_early_when_it_gets_no_better():
    recipe = RECIPE.replace(epochs=40, patience=3, learning_rate=0.3, schedule="constant")
    state, records = trained(recipe)
    epochs = [r for r in records if isinstance(r, Epoch)]
    assert len(epochs) == state.best_epoch + 3 < 40
    assert records[-1].text == f"Stopped after pass {len(epochs)} of 40: no better in 3 passes."


def test_the_rate_of_a_plateau_follows_the_record_of_validation():
    recipe = RECIPE.replace(schedule="plateau", wait=1, epochs=16, learning_rate=0.3)
    state, records = trained(recipe)
    lowest, expected = np.inf, [0.3]
    for _, loss in state.history:
        expected.append(expected[-1] * (1 if loss < lowest * (1 - 1e-4) else 0.1))
        lowest = min(lowest, loss)
    assert [r.rate for r in records if isinstance(r, Epoch)] == pytest.approx(expected[:-1])
    assert expected[-2] < 0.3


def test_the_best_passes_are_those_of_the_highest_accuracy():
    history = [(0.5, 1.0), (0.9, 0.3), (0.8, 0.2), (0.9, 0.2), (0.9, 0.2)]
    assert best_passes(history, 3) == [5, 4, 2]
    assert best_passes(history[:1], 3) == [1]


def test_more_pieces_than_the_batch_can_make_are_refused():
    with pytest.raises(RecipeError, match="A batch_size of 8 makes 4 pieces"):
        Recipe(batch_size=8, accumulate=5)
    for name, value in (
        ("clip_grad_norm", -1), ("warmup", 1.5), ("patience", -1), ("wait", 0), ("keep", 0), ("rescue", -1),
        ("layer_decay", 0),
        ("checkpoint", 0), ("accumulate", 0), ("lookahead", -1),
    ):  # fmt: skip
        with pytest.raises(RecipeError, match=f"{name} must lie between"):
            Recipe(**{name: value})


def test_a_checkpoint_of_another_version_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", 1)
    checkpoint.save(fresh(), tmp_path)
    monkeypatch.undo()
    with pytest.raises(RunError, match="another version of svertka"):
        checkpoint.restore(fresh(), tmp_path)


def test_what_a_killed_process_left_half_written_is_cleared_away(tmp_path):
    (tmp_path / ".0123456789abcdef.part").write_bytes(b"half")
    checkpoint.save(fresh(), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["state.safetensors"]


def test_whoever_asks_need_not_wait_for_the_next_twentieth_of_a_pass(monkeypatch):
    monkeypatch.setattr(loop, "RECORDS", 1)
    monkeypatch.setattr(loop, "SECONDS", 0.0)
    _, records = trained(RECIPE.replace(batch_size=8, epochs=1))
    assert [r.step for r in records if isinstance(r, Step)] == list(range(1, 9))


def test_what_the_loop_says_is_known_to_a_russian_report(monkeypatch):
    said = [r.text for r in trained(RECIPE.replace(epochs=40, patience=1, learning_rate=0.3))[1] if isinstance(r, Note)]
    state = fresh(RECIPE, PLAIN)
    state.best_tensors, state.best_epoch = weights(state), 0
    for value, best, logits in ((float("nan"), 0, torch.zeros(2, 2)), (float("inf"), 2, None)):
        state.best_epoch = best
        with pytest.raises(NotFinite) as caught:
            divergence.check_loss(value, 11, RECIPE, torch.arange(2), logits)
        note = divergence.restore_best(state, RECIPE, caught.value, per_epoch=9)
        said.append(note.text)
    for loss in (float("nan"), 1.0):
        next(state.net.parameters()).data.fill_(torch.nan)
        with pytest.raises(NotFinite) as caught:
            divergence.check_weights(state, RECIPE, loss)
        said.append(caught.value.fact)
    hungry = fresh(RECIPE, PLAIN)
    hungry.net = Hungry(hungry.net, 8, CPU)
    said += [r.text for r in loop.fit(hungry, *loaders(), RECIPE, Plan()) if isinstance(r, Note)]
    assert len(said) == 6
    with speaking("ru"):
        for sentence in said:
            answer = known(sentence)
            assert re.search("[а-я]{4}", answer), sentence
            assert not re.search(r"\b(the|loss|batch|rate|went)\b", answer), answer


def test_nets_of_the_zoo_are_grouped_by_depth_without_a_gap():
    for name in ("resnet18", "googlenet", "mobilenet_v2", "vgg11"):
        with torch.device("meta"):
            net = zoo.make(name, (3, 96, 96), 2)
        rows = loop.make_optimizer(net, RECIPE.replace(layer_decay=0.8, optimizer="muon")).param_groups
        counted = [id(p) for row in rows for p in row["params"]]
        assert sorted(counted) == sorted(id(p) for p in net.parameters())
