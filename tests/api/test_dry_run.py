"""The range of rates and the proof of exactness: on real data they say what is true, and they keep nothing."""

import json

import numpy as np
import pytest
import torch
from make_pictures import shapes
from PIL import Image

from svertka.api import tune, verify
from svertka.api.lr_range_test import drawn, find_rate, judged
from svertka.errors import TrainingError, UsageError
from svertka.pipeline.dry_run import Rehearsal
from svertka.records import silent
from svertka.training import loop

QUICK = {"batch_size": 8, "net": "conv3-4 relu maxpool2 flatten fc8 relu fc"}


@pytest.fixture
def data(tmp_path):
    return shapes(tmp_path / "data", each=60)


def test_the_range_of_rates_is_measured_on_the_real_network_and_drawn(sv, data, tmp_path):
    words = [w for k, v in QUICK.items() for w in ("--set", f"{k}={v}")]
    before = set(tmp_path.iterdir())
    status, out, err = sv("train", data, "--find-rate", "--json", *words)
    assert status == 0, err
    found = json.loads(out)
    rates = [step["rate"] for step in found["steps"]]
    assert rates == sorted(rates)
    assert np.allclose(np.diff(np.log(rates)), np.log(1e5) / 199)  # they rise exponentially, over five decades in all
    assert found["usual"] / 1000 == pytest.approx(rates[0])
    assert found["lowest"] in rates
    assert found["set"] == f"--set learning_rate={found['peak']:g}"
    assert found["peak"] == pytest.approx(found["lowest"], rel=0.05)
    assert (tmp_path / "data-rates.png").read_bytes().startswith(b"\x89PNG")
    assert set(tmp_path.iterdir()) - before == {tmp_path / "data-rates.png"}  # no run, no network
    assert "never overwritten" in sv("train", data, "--find-rate", "--out", "data-rates.png", *words)[2]


def test_a_known_curve_is_judged_without_lag():
    rates = np.geomspace(1e-4, 10, 200)
    depth = np.log10(rates / 0.1)  # a valley whose floor is at 0.1, and whose wall is steepest at 0.1 / e^(1 / 2)
    noise = 0.05 * np.random.default_rng(0).standard_normal(200)
    losses = 2.3 - 2.0 * np.exp(-(depth**2) / 0.5) + noise
    found = judged(rates.tolist(), losses.tolist(), 0.1, "at 10 all was lost")
    assert drawn(found, "a$\\nothing$ caf\udce9").startswith(b"\x89PNG")  # whatever the folder is called
    assert found.lowest == pytest.approx(0.1, rel=0.25)
    assert found.steepest == pytest.approx(0.1 * 10**-0.5, rel=0.35)
    assert found.peak == pytest.approx(found.lowest, rel=0.05)
    start = f"The loss fell fastest at {found.steepest:.2g} and was lowest at {found.lowest:.2g}; at 10 all was lost."
    assert found.reason.startswith(start)


def test_a_loss_that_is_lost_at_once_gives_no_rate(data):
    with pytest.raises(TrainingError, match="already"):
        judged([1e-3] * 3, [1.0, 2.0, 30.0], 1.0, "")
    with pytest.raises(UsageError, match="20 steps or more"):
        find_rate(data, steps=5)


def test_a_network_that_blows_up_ends_the_range_with_a_sentence(data, tmp_path):
    found = find_rate(data, steps=60, out=tmp_path / "a.png", learning_rate=50.0, optimizer="sgd", **QUICK)
    assert len(found.rates) < 60
    assert "no longer a number" in found.ended or "all that was gained" in found.ended


def test_the_proof_holds_here_and_keeps_nothing(sv, data, tmp_path):
    before = set(tmp_path.iterdir())
    status, out, err = sv("train", data, "--verify", "--json", "--set", "batch_size=8", "--set", "ema_decay=0.9")
    assert status == 0, err
    proof = json.loads(out)
    assert proof["holds"]
    assert proof["first"] == proof["again"] == proof["resumed"]
    assert proof["steps"] >= 20
    assert set(tmp_path.iterdir()) == before
    other = verify.verify(data, batch_size=8, seed=1)
    assert other.holds
    assert other.first != proof["first"]
    assert "The same seed gives the same weights here" in other.sentence


def test_the_proof_fails_where_chance_takes_part(sv, data, monkeypatch):
    step, chance = loop.step, torch.Generator().manual_seed(0)

    def shaken(state, *how):
        step(state, *how)
        with torch.no_grad():
            next(state.net.parameters()).add_(1e-7 * torch.randn((), generator=chance))

    monkeypatch.setattr(loop, "step", shaken)
    status, out, _ = sv("train", data, "--verify", "--set", "batch_size=8")
    assert status == 1
    assert "does not give the same weights here" in out


def test_questions_that_do_not_go_together_are_refused(sv, data):
    for words in (
        ["--find-rate", "--verify"], ["--verify", "--out", "x"], ["--find-rate", "--manifest", "m.json"],
        ["--find-rate", "--tensorboard"], ["--verify", "--folds", "3"], ["--find-rate", "--repeat", "2"],
    ):  # fmt: skip
        status, _, err = sv("train", data, *words)
        assert status == 2
        assert "cannot be tried with" in err


def test_rates_are_the_same_where_losses_are_read_late_as_on_a_gpu(data, tmp_path, monkeypatch):
    wanted = find_rate(data, steps=20, out=tmp_path / "a.png", **QUICK)
    monkeypatch.setattr(loop, "CHECKED_AT_ONCE", ())
    found = find_rate(data, steps=20, out=tmp_path / "b.png", **QUICK)
    assert found.losses == wanted.losses
    assert len(found.losses) == 20


def test_the_proof_holds_where_a_pass_is_one_step(tmp_path):
    proof = verify.verify(shapes(tmp_path / "few", each=5), batch_size=64)
    assert proof.holds
    assert proof.steps == 2


def copied(folder, each):
    """Pictures, each saved a second time as other bytes."""
    for path in sorted(shapes(folder, each=each).glob("*/*.png")):
        Image.open(path).save(path.with_name(f"again-{path.name}"), compress_level=0)
    return folder


def parted(manifest):
    """Pictures whose copy stands in another part."""
    parts = dict(zip(manifest.paths, manifest.parts.tolist(), strict=True))
    return [p for p in parts if "again-" not in p and parts[p] != parts[p.replace("/", "/again-")]]


def test_copies_are_on_one_side_where_a_training_is_rehearsed_or_augmentation_is_judged(tmp_path, monkeypatch):
    data, seen = copied(tmp_path / "copied", 30), []
    assert parted(Rehearsal(data, silent, **QUICK).context.data.manifest) == []

    def spy(store, manifest, *_, **__):
        seen.append(manifest)
        raise KeyboardInterrupt

    monkeypatch.setattr(tune, "_Bench", spy)
    with pytest.raises(KeyboardInterrupt):
        tune.tune(data, **QUICK)
    assert parted(seen[0]) == []
    assert len(seen[0].indices("validation")) > 0


def test_rare_classes_weigh_more_in_what_is_rehearsed_too(tmp_path):
    data = shapes(tmp_path / "data", each=12)
    for path in sorted((data / "disc").iterdir())[4:]:
        path.unlink()
    rehearsal = Rehearsal(data, silent, balance="weights", **QUICK)
    counts = np.bincount(rehearsal.context.data.labels("train"), minlength=2)
    assert rehearsal.begin().class_weights.tolist() == pytest.approx((counts.sum() / (2 * counts)).tolist())
    assert Rehearsal(data, silent, **QUICK).begin().class_weights is None
