"""What the process owes its shell: exit status and words of a signal, streams that are closed, full or narrow."""

import json
import os
import signal
import subprocess
import sys

import pytest

FULL = "/dev/full"
SLOW = """
import sys, time
from svertka.cli import run
import {module} as slow

def wait(*args, **options):
    print("ready", file=sys.stderr, flush=True)
    time.sleep(60)

slow.{name} = wait
sys.argv = ["svertka", *{words}]
run()
"""
PLACES = [  # where the command is when the signal comes: reading, computing, asking for weights, at the parser
    ("svertka.api.check", "check", ["check", "digits"]),
    ("svertka.data", "open_source", ["train", "digits", "--out", "run"]),
    ("svertka.api.predict", "open_model", ["predict", "run", "a.png"]),
    ("svertka.cli.app", "limit_cache", ["check", "digits"]),
    ("svertka.cli.app", "app", ["--help"]),
]


def svertka(*words, env=None, **streams):
    command = [sys.executable, "-m", "svertka", *words]
    return subprocess.run(command, env=os.environ | (env or {}), text=True, check=False, timeout=100, **streams)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(("module", "name", "words"), PLACES)
def test_a_signal_ends_any_command_with_its_status_and_one_word(tmp_path, module, name, words, number, status):
    code = SLOW.format(module=module, name=name, words=[*words, "--json"])
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr.readline() == "ready\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (status, "Interrupted.\n")
    assert json.loads(out) == {"error": "Interrupted."}


def test_ctrl_c_while_the_command_is_imported_is_a_word_too(tmp_path):
    code = (
        "import sys, signal, os\n"
        "class Finder:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'typer': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from svertka.cli import run\n"
        "run()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")


@pytest.mark.skipif(not os.path.exists(FULL), reason="needs /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("words", [["nets"], ["nets", "--json"], ["--help"], ["--version"], ["table", "lenet"]])
def test_a_full_stdout_is_a_failure_with_a_sentence(words):
    with open(FULL, "w") as full:  # noqa: PTH123
        done = svertka(*words, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == "svertka: Standard output cannot be written: no space left on device.\n"


@pytest.mark.skipif(not os.path.exists(FULL), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_stderr_ends_no_work(tmp_path):
    with open(FULL, "w") as full:  # noqa: PTH123
        done = svertka("check", "digits", "--json", stdout=subprocess.PIPE, stderr=full)
        assert done.returncode == 0
        assert json.loads(done.stdout)["readable"] == 1797
        assert svertka("check", "nowhere", stdout=subprocess.PIPE, stderr=full).returncode == 1


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&-", ">&- 2>&- <&-"])
def test_closed_streams_change_neither_status_nor_files(tmp_path, closed):
    def run(words):
        command = f"{sys.executable} -m svertka {words} {closed}"
        return subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run("check digits --html page.html").returncode == 0
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!")
    assert "files</" not in page.split("</html>")[1]  # nothing was printed into the page
    assert run("check nowhere --json").returncode == 1
    assert run("check --json").returncode == 2


@pytest.mark.parametrize("encoding", ["ascii", "cp1251", "koi8-r", "utf-8"])
def test_narrow_encodings_escape_what_they_lack(encoding):
    env = {"LC_ALL": "C", "PYTHONIOENCODING": encoding}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": encoding}
    done = svertka("check", "ромашка-😀", "--json", env=env, **pipes)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "no folder or archive" in json.loads(done.stdout)["error"]


@pytest.mark.parametrize(
    ("words", "status", "part"),
    [
        (["check", "nowhere"], 1, "nowhere"),
        (["train"], 2, "DATA"),
        (["check", "digits", "--bad"], 2, "--bad"),
        (["table", "conv(3", "--input", "3x8x8"], 2, "conv(3"),
        (["predict", "no-run", "a.png"], 1, "no-run"),
        (["no-verb"], 2, "no-verb"),
    ],
)
def test_a_failure_with_json_is_one_object_on_stdout_and_the_sentence_on_stderr(sv, words, status, part):
    found, out, err = sv(*words, "--json")
    assert found == status
    error = json.loads(out)
    assert list(error) == ["error"]
    assert part in error["error"] or part in err
    assert error["error"] in err
    assert sv(*words)[1] == ""


def test_a_fault_of_ours_is_an_object_too():
    code = (
        "import sys, svertka.api.check\n"
        "from svertka.cli import run\n"
        "svertka.api.check.check = lambda *args, **options: 1 / 0\n"
        "sys.argv = ['svertka', 'check', 'digits', '--json']\n"
        "run()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert json.loads(done.stdout) == {"error": "ZeroDivisionError: division by zero"}
