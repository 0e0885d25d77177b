"""The commands as a person or a script meets them: sentences, exit status, one JSON object, nothing lost."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from make_pictures import QUICK, shapes
from PIL import Image


def test_train_evaluate_predict_report_on_a_folder(sv, tmp_path):
    data = shapes(tmp_path / "мои картинки", classes=("круг", "крест x"))
    before = {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in data.rglob("*.png")}
    status, out, err = sv("train", data, "--out", "run one", "--json", *QUICK)
    assert status == 0
    summary = json.loads(out)
    assert set(summary) >= {
        "run", "net", "classes", "parameters", "epochs", "seconds", "images_per_second", "validation", "test", "plan",
    }  # fmt: skip
    assert set(summary["seconds"]) == {"total", "read", "train"}
    assert set(summary["validation"]) == {"accuracy", "low", "high", "n"}
    assert summary["classes"] == ["крест x", "круг"]
    assert summary["test"] is None
    assert "epoch 2 of 2" in err
    run = tmp_path / "run one"
    for name in (
        "recipe.json",
        "manifest.json",
        "log.jsonl",
        "model/model.json",
        "model/weights.safetensors",
        "metrics.json",
    ):
        assert (run / name).is_file()
    assert "круг" in (run / "report.html").read_text(encoding="utf-8")

    status, out, _ = sv("evaluate", run, data, "--json")
    found = json.loads(out)
    assert status == 0
    assert set(found) >= {"accuracy", "low", "high", "n", "per_class", "confusion", "ece"}
    assert found["n"] == 24

    files = sorted(data.rglob("*.png"))[:3]
    status, out, _ = sv("predict", run, *files, tmp_path / "none.png", "--json", "--csv", "answers.csv")
    answers = json.loads(out)["predictions"]
    assert status == 0
    assert [a["path"] for a in answers] == [*map(str, files), str(tmp_path / "none.png")]
    assert answers[0]["ranking"][0] == [answers[0]["label"], answers[0]["probability"]]
    assert abs(sum(p for _, p in answers[0]["ranking"]) - 1) < 1e-5
    assert "no such file" in answers[3]["error"]
    assert len((tmp_path / "answers.csv").read_text(encoding="utf-8").splitlines()) == 5
    status, _, err = sv("predict", run, files[0], "--csv", "answers.csv")
    assert status == 2
    assert "never overwritten" in err

    (run / "report.html").unlink()
    status, out, _ = sv("report", run)
    assert status == 0
    assert Path(out.strip()).is_file()
    assert {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in data.rglob("*.png")} == before


def test_predict_agrees_with_the_accuracy_that_evaluate_gives(sv, tmp_path):
    data = shapes(tmp_path / "data")
    sv("train", data, "--out", "run", *QUICK)
    found = json.loads(sv("evaluate", "run", data, "--json")[1])
    answers = json.loads(sv("predict", "run", data, "--json")[1])["predictions"]
    right = sum(Path(a["path"]).parent.name == a["label"] for a in answers)
    assert right / len(answers) == pytest.approx(found["accuracy"])


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives_give_the_same_weights_as_the_folder(sv, tmp_path, kind):
    data = shapes(tmp_path / "data")
    archive = tmp_path / f"data.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for p in sorted(data.rglob("*.png")):
                file.write(p, p.relative_to(data))
    else:
        with tarfile.open(archive, "w:gz" if kind == "tar.gz" else "w") as file:
            file.add(data, "data")
    assert sv("train", data, "--out", "a", *QUICK)[0] == 0
    assert sv("train", archive, "--out", "b", *QUICK)[0] == 0
    hashes = [json.loads((tmp_path / r / "model" / "model.json").read_text())["weights"]["sha256"] for r in "ab"]
    assert hashes[0] == hashes[1]


def test_parts_that_folders_give_are_kept_and_test_is_scored_once(sv, tmp_path):
    for part, each, seed in (("train", 10, 0), ("valid", 5, 1), ("test", 6, 2)):
        shapes(tmp_path / "data" / part, each=each, seed=seed)
    summary = json.loads(sv("train", tmp_path / "data", "--out", "run", "--json", *QUICK)[1])
    assert summary["validation"]["n"] == 10
    assert summary["test"]["n"] == 12
    again = json.loads(sv("evaluate", "run", tmp_path / "data", "--json")[1])
    assert again["part"] == "test"
    assert again["accuracy"] == summary["test"]["accuracy"]


def bad_folders(tmp_path):
    """Folders that cannot be learned from, with the exit status and the words of the sentence."""
    (tmp_path / "empty").mkdir()
    shapes(tmp_path / "one class", classes=("cat",))
    (tmp_path / "texts" / "a").mkdir(parents=True)
    (tmp_path / "texts" / "a" / "x.txt").write_text("no picture")
    loose = tmp_path / "loose"
    loose.mkdir()
    Image.new("L", (8, 8)).save(loose / "x.png")
    broken = shapes(tmp_path / "broken")
    for p in (broken / "disc").iterdir():
        p.write_bytes(p.read_bytes()[:40])
    other = shapes(tmp_path / "other" / "train")
    shapes(other.parent / "val", classes=("disc", "square"))
    return [
        ("nowhere", 1, "no folder or archive"),
        ("empty", 1, "is empty"),
        ("one class", 1, "one class only"),
        ("texts", 1, "no pictures in texts, only other files"),
        ("loose", 1, "class folders"),
        ("broken", 1, "class 'disc' can be read"),
        ("other", 1, "square"),
    ]


def test_bad_folders_end_with_one_sentence_and_leave_no_run(sv, tmp_path):
    for name, expected, words in bad_folders(tmp_path):
        status, out, err = sv("train", name, "--out", "run", "--json")
        assert status == expected, (name, err)
        assert words in err, name
        assert len(err.strip().splitlines()[-1]) > 20
        assert words in json.loads(out)["error"]
        assert not (tmp_path / "run").exists(), name


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("train",), "either DATA or --resume"),
        (("train", "digits", "--net", "lenett"), "Did you mean lenet"),
        (("train", "digits", "--net", "conv3-8 relu gap fcc"), "fcc"),
        (("train", "digits", "--set", "epochs"), "key=value"),
        (("train", "digits", "--set", "learning_ratee=1"), "Did you mean learning_rate"),
        (("train", "digits", "--epochs", "0"), "epochs must lie"),
        (("train", "digits", "--epochs", "many"), "--epochs"),
        (("train", "digits", "--nett", "x"), "--nett"),
        (("frobnicate",), "frobnicate"),
        (("table", "resnet18", "--input", "224"), "3x224x224"),
        (("table", "resnet18", "--input", "3x²x3"), "3x224x224"),
        (("train", "--resume", "run", "--out", "other"), "does not take out"),
        (("train", "--resume", "run", "--repeat", "2"), "does not take --repeat"),
    ],
)
def test_wrong_usage_is_exit_status_2(sv, words, expected):
    status, out, err = sv(*words)
    assert status == 2
    assert expected in err
    assert out == ""


def test_a_run_folder_is_never_overwritten(sv, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("mine")
    status, _, err = sv("train", "digits", "--out", "run", "--epochs", "1")
    assert status == 2
    assert "never overwritten" in err
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["mine.txt"]


def test_a_model_that_is_none_or_damaged(sv, tmp_path):
    data = shapes(tmp_path / "data")
    assert "no model.json" in sv("predict", "data", "x.png")[2]
    assert "does not exist" in sv("predict", "nowhere", "x.png")[2]
    sv("train", data, "--out", "run", *QUICK)
    weights = tmp_path / "run" / "model" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    status, _, err = sv("predict", "run", data)
    assert status == 1
    assert "damaged" in err
    facts = tmp_path / "run" / "model" / "model.json"
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"format": 99}))
    assert "newer svertka" in sv("predict", "run", data)[2]


def test_classes_that_the_model_does_not_know(sv, tmp_path):
    shapes(tmp_path / "a")
    shapes(tmp_path / "b", classes=("disc", "star"))
    sv("train", "a", "--out", "run", *QUICK)
    status, _, err = sv("evaluate", "run", "b")
    assert status == 1
    assert "'star'" in err
    assert "cross, disc" in err


def test_numeric_class_names_keep_their_natural_order_and_their_names(sv, tmp_path):
    names = [str(k) for k in range(12)]
    shapes(tmp_path / "data", classes=names, each=4)
    summary = json.loads(sv("train", "data", "--out", "run", "--json", *QUICK)[1])
    assert summary["classes"] == names


def test_a_class_that_validation_lacks_still_scores_by_name(sv, tmp_path):
    shapes(tmp_path / "data" / "train", classes=("a", "b", "c"))
    shapes(tmp_path / "data" / "val", classes=("a", "c"))
    sv("train", "data", "--out", "run", *QUICK)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())["validation"]
    assert [sum(row) for row in metrics["confusion"]] == [12, 0, 12]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_usable_and_resumes_to_the_weights_of_an_undisturbed_one(tmp_path, number):
    data = shapes(tmp_path / "data", each=100)
    options = ["--epochs", "16", "--set", "batch_size=8", "--json"]
    command = [sys.executable, "-m", "svertka", "train", str(data), *options]

    def start(out):
        return subprocess.Popen(
            [*command, "--out", out], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    process = start("stopped")
    log = tmp_path / "stopped" / "log.jsonl"
    deadline = time.monotonic() + 60
    while not (log.is_file() and '"epoch"' in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert json.loads(out)["stopped"] is True
    assert "--resume" in err
    usable = subprocess.run(
        [sys.executable, "-m", "svertka", "predict", "stopped", str(data / "disc"), "--json"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(json.loads(usable.stdout)["predictions"]) == 100
    done = subprocess.run(
        [sys.executable, "-m", "svertka", "train", "--resume", "stopped", "--json"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["stopped"] is False
    whole = start("whole")
    _, err = whole.communicate(timeout=100)
    assert whole.returncode == 0, err
    hashes = [json.loads((tmp_path / r / "model/model.json").read_text())["weights"] for r in ("stopped", "whole")]
    assert hashes[0] == hashes[1]


def test_a_run_that_is_killed_again_and_again_ends_with_the_weights_of_an_undisturbed_one(tmp_path):
    data = shapes(tmp_path / "data", each=60)
    base = [sys.executable, "-m", "svertka", "train"]
    options = ["--epochs", "30", "--set", "batch_size=8", "--json"]
    command = [*base, str(data), *options, "--out", "killed"]
    rest, kills = np.random.default_rng(0), 0
    for _ in range(40):
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        log = tmp_path / "killed" / "log.jsonl"
        before = log.stat().st_size if log.is_file() else 0
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if log.is_file() and log.stat().st_size > before + 200:
                time.sleep(rest.uniform(0, 0.25))
                process.kill()
                kills += 1
                break
            time.sleep(0.005)
        _, err = process.communicate(timeout=60)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, err
        if kills == 4:
            break
        command = [*base, "--resume", "killed", "--json"]
    assert kills >= 3
    if process.returncode != 0:
        done = subprocess.run([*base, "--resume", "killed", "--json"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0 or "is finished" in done.stderr, done.stderr  # killed as it was about to end
    subprocess.run([*base, str(data), *options, "--out", "whole"], cwd=tmp_path, check=True, capture_output=True)
    hashes = [json.loads((tmp_path / r / "model/model.json").read_text())["weights"] for r in ("killed", "whole")]
    assert hashes[0] == hashes[1]
    logs = [(tmp_path / r / "log.jsonl").read_text().splitlines() for r in ("killed", "whole")]
    epochs = [[r["epoch"] for r in map(json.loads, lines) if r["kind"] == "epoch"] for lines in logs]
    assert epochs[0] == epochs[1] == list(range(1, 31))


def test_resume_refuses_what_it_cannot_do(sv, tmp_path):
    data = shapes(tmp_path / "data")
    sv("train", data, "--out", "run", *QUICK)
    assert "finished" in sv("train", "--resume", "run")[2]
    assert "not a run folder" in sv("train", "--resume", "data")[2]
    assert "does not take epochs" in sv("train", "--resume", "run", "--epochs", "9")[2]


def test_help_version_and_nets(sv):
    status, out, _ = sv("--help")
    assert status == 0
    assert all(verb in out for verb in ("train", "evaluate", "predict", "report", "nets", "table"))
    status, out, _ = sv("--version")
    assert status == 0
    assert out.startswith("svertka 0.")
    names = [row["name"] for row in json.loads(sv("nets", "--json")[1])["nets"]]
    assert {"lenet", "oneconv", "small"} <= set(names)


def test_the_end_of_a_process_keeps_status_and_output(tmp_path):
    def run(*words):
        command = [sys.executable, "-m", "svertka", *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    done = run("nets", "--json")
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["nets"]) > 50
    assert run("train", "nowhere").returncode == 1
    assert run("train").returncode == 2
    cut = subprocess.run(
        f"{sys.executable} -m svertka nets --json | head -c 10", shell=True, capture_output=True, text=True, check=True
    )
    assert cut.stderr == ""


def test_help_imports_neither_torch_nor_numpy():
    code = (
        "import sys; sys.argv = ['svertka', '--help']\n"
        "from svertka.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('torch', 'numpy', 'PIL', 'rich') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip().splitlines()[-1] == "[]"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_place_that_cannot_be_written(sv, tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    status, _, err = sv("train", "digits", "--out", "locked/run", "--epochs", "1")
    assert status == 1
    assert "cannot be made" in err


def test_a_network_by_notation_trains_and_predicts(sv, tmp_path):
    data = shapes(tmp_path / "data")
    line = "conv3-8 relu maxpool2 conv3-8 relu maxpool2 flatten fc"
    assert sv("train", data, "--out", "run", "--net", line, *QUICK)[0] == 0
    assert sv("evaluate", "run", data)[0] == 0
    found = json.loads(sv("table", "run", "--json")[1])
    assert set(found) >= {"layers", "totals"}


def test_a_network_too_deep_for_the_pictures_is_refused_before_they_are_read(sv, tmp_path):
    data = shapes(tmp_path / "data")
    status, _, err = sv("train", data, "--net", "inception_v3", "--out", "run")
    assert status == 1
    assert "inception_v3 takes inputs of 75 or more" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the names of files are text")
def test_names_that_are_no_text_pass_through_every_verb(sv, tmp_path):
    cafe, bad = os.fsdecode(b"caf\xe9"), os.fsdecode(b"bad\xe9.png")
    data = shapes(tmp_path / "data", classes=("disc", cafe))
    (data / "disc" / bad).write_bytes(b"no picture")
    (data / "disc" / os.fsdecode(b"0\xe9.png")).write_bytes((data / "disc" / "0.png").read_bytes())

    def told(*words):
        status, out, err = sv(*words)
        assert status == 0, err
        return out

    assert json.loads(told("train", data, "--out", "run", "--json", *QUICK))["classes"] == [cafe, "disc"]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert [row["path"] for row in metrics["unreadable"]] == [f"disc/{bad}"]
    assert cafe in json.loads(told("evaluate", "run", data, "--json"))["per_class"]
    assert "caf\\udce9" in told("evaluate", "run", data)
    assert json.loads(told("check", data, "--json"))["unreadable"][0]["path"] == f"disc/{bad}"
    assert "bad\\udce9.png" in told("predict", "run", data / "disc" / bad, data / cafe)
    told("predict", "run", data, "--csv", "answers.csv")
    assert "bad\\udce9.png" in (tmp_path / "answers.csv").read_text(encoding="utf-8")
    assert "caf\\udce9" in told("explain", "run", data / cafe / "0.png", "--class", cafe)
    told("report", "run")
    told("preview", data, "--pictures", "2")
