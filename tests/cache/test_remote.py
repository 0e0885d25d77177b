"""Shards at an address, asked of real servers on loopback by the real clients: S3 by s3fs, HTTP by aiohttp."""

import io
import itertools
import json
import os
import re
import subprocess
import sys
import tarfile
import time

import numpy as np
import pytest
from make_pictures import QUICK, shapes
from object_store import S3, Server, Web
from opened import refusal

from svertka.cache import retry
from svertka.common import Message, restored
from svertka.data import open_source, reopen_source
from svertka.reporting.i18n.translate import known, speaking

ALWAYS = itertools.repeat
PARTS = ("train-00", "train-01", "train-02", "val-03")


@pytest.fixture
def shards(tmp_path):
    """Four shards of six pictures on the disk, each with 8 kB beside it that no one reads."""
    files = sorted(shapes(tmp_path / "pictures").rglob("*.png"), key=lambda file: (int(file.stem), file.parent.name))
    (tmp_path / "disk").mkdir()
    for k, part in enumerate(PARTS):
        with tarfile.open(tmp_path / "disk" / f"s-{part}.tar", "w") as archive:
            for i, file in enumerate(files[6 * k : 6 * k + 6]):
                for ending, data in (
                    ("png", file.read_bytes()),
                    ("cls", file.parent.name.encode()),
                    ("npy", bytes(8192)),
                ):
                    member = tarfile.TarInfo(f"{i:03}.{ending}")
                    member.size = len(data)
                    archive.addfile(member, io.BytesIO(data))
    return tmp_path / "disk"


@pytest.fixture
def clients(monkeypatch, tmp_path):
    """fsspec's clients with nothing of this machine's configuration, few tries, and closed at the end."""
    pytest.importorskip("aiohttp")
    config, s3fs = pytest.importorskip("fsspec.config"), pytest.importorskip("s3fs")
    from fsspec.implementations.http import HTTPFileSystem

    for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
        monkeypatch.delenv(name)
    set_up = {
        "AWS_ACCESS_KEY_ID": "right",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",  # it would be asked for credentials, and is not there
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "SVERTKA_CACHE": str(tmp_path / "cache"),
    }
    for name, value in set_up.items():
        monkeypatch.setenv(name, value)
    for kind in ("s3", "s3a", "http", "https"):
        monkeypatch.delitem(config.conf, kind, raising=False)
    monkeypatch.setattr(retry, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 2)
    yield config.conf
    s3fs.S3FileSystem.clear_instance_cache()
    HTTPFileSystem.clear_instance_cache()


@pytest.fixture
def s3(clients, shards, monkeypatch):
    """The shards in a bucket: -> (server, its address)."""
    with Server(S3, key="right") as server:
        server.objects = {f"bucket/birds/{file.name}": file.read_bytes() for file in shards.iterdir()}
        monkeypatch.setitem(clients, "s3", {"endpoint_url": server.url})
        yield server, "s3://bucket/birds"


@pytest.fixture
def web(clients, shards):
    """The shards on a web server with a page that lists them: -> (server, its address)."""
    with Server(Web) as server:
        server.objects = {f"birds/{file.name}": file.read_bytes() for file in shards.iterdir()}
        server.objects["birds/"] = "".join(f'<a href="{file.name}">x</a>' for file in shards.iterdir()).encode()
        yield server, f"{server.url}/birds"


@pytest.fixture(params=["s3", "web"])
def place(request):
    return request.getfixturevalue(request.param)


def cached(tmp_path):
    """Everything in the cache but locks."""
    return [file for file in (tmp_path / "cache").rglob("*") if file.is_file() and file.name != "lock"]


def test_shards_are_those_of_the_disk(place, shards):
    server, address = place
    there, here = open_source(f"{address}/s-*.tar"), open_source(f"{shards}/s-*.tar")
    assert server.fetched().keys() - {"birds/"} == set(server.objects) - {"birds/"}
    assert there.paths == here.paths
    assert (there.classes, there.kind) == (here.classes, here.kind)
    np.testing.assert_array_equal(there.labels, here.labels)
    np.testing.assert_array_equal(there.parts, here.parts)
    assert [there.read(i) for i in range(24)] == [here.read(i) for i in range(24)]
    named = open_source(f"{address}/s-{{{','.join(PARTS)}}}.tar")
    assert named.identity() == there.identity() == reopen_source(there.to_dict()).identity()
    assert server.fetched().keys() <= {"birds/"}  # nothing but the listing: the copies are there


def test_commands_fetch_once_and_then_need_no_server(s3, sv, tmp_path):
    server, address = s3
    command = [sys.executable, "-m", "svertka", "check", f"{address}/s-*.tar", "--json"]
    told = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"FSSPEC_S3_ENDPOINT_URL": server.url}, capture_output=True, text=True
    )
    assert (told.returncode, "Traceback" in told.stderr, "Unclosed" in told.stderr) == (0, False, False), told.stderr
    assert json.loads(told.stdout)["classes"] == {"cross": 12, "disc": 12}
    assert server.fetched() == dict.fromkeys(server.objects, 1)
    status, out, err = sv("train", f"{address}/s-*.tar", "--out", "run", "--json", *QUICK)
    assert (status, json.loads(out)["validation"]["n"]) == (0, 6), err
    assert server.fetched() == {}
    server.leave()
    named = f"{address}/s-{{{','.join(PARTS)}}}.tar"
    status, out, err = sv("train", named, "--out", "again", "--json", *QUICK)
    assert status == 0, err
    hashes = [
        json.loads((tmp_path / r / "model/model.json").read_text())["weights"]["sha256"] for r in ("run", "again")
    ]
    assert hashes[0] == hashes[1]
    note = f"{address}/s-train-00.tar and 3 more cannot be reached ("
    for told in (
        json.loads((tmp_path / "again/metrics.json").read_text(), object_hook=restored)["notes"],
        checked(sv, named),
    ):
        (sentence,) = [one for one in told if one.startswith(note)]
        assert re.search(r"\): what was fetched on 20\d\d-\d\d-\d\d is used\.$", sentence)
        with speaking("ru"):
            assert not isinstance(sentence, Message) or known(sentence).startswith("До ")


def checked(sv, where):
    """What `check` warns of."""
    return json.loads(sv("check", where, "--json")[1])["warnings"]


def test_what_changes_there_is_fetched_again(place):
    server, address = place
    assert open_source(f"{address}/s-val-03.tar").paths[0] == "000.png"
    server.fetched()
    (name,) = [name for name in server.objects if name.endswith("val-03.tar")]
    server.objects[name] = server.objects[name].replace(b"000.", b"zzz.")
    changed = bytearray(server.objects[name])
    for at in range(0, len(changed), 512):  # the checksum of each header that has another name now
        if changed[at : at + 4] == b"zzz.":
            head = changed[at : at + 512]
            head[148:156] = b" " * 8
            changed[at + 148 : at + 156] = b"%06o\0 " % sum(head)
    server.objects[name] = bytes(changed)
    assert list(open_source(f"{address}/s-val-03.tar").paths)[-1] == "zzz.png"
    assert server.fetched() == {name: 1}


@pytest.mark.parametrize(
    "fault", [[("break", 20_000)], [("break", 0), ("break", 40_000)], [("status", 503)]], ids=["once", "twice", "busy"]
)
def test_a_connection_that_breaks_off_heals(place, shards, fault, monkeypatch):
    server, address = place
    monkeypatch.setattr(retry, "PAUSES", (0.01, 0.01, 0.01))
    (name,) = [name for name in server.objects if name.endswith("train-01.tar")]
    server.faults["GET", name] = iter(fault)
    source = open_source(f"{address}/s-train-01.tar")
    here = open_source(shards / "s-train-01.tar")
    assert [source.read(i) for i in range(6)] == [here.read(i) for i in range(6)]
    assert server.fetched()[name] >= 1 + len(fault)


def test_it_heals_in_objects_of_many_blocks(s3, clients, shards, monkeypatch):
    # left to itself s3fs asks for ten blocks at a time, of 50 MB each, and one that breaks off ends it all
    server, address = s3
    monkeypatch.setitem(clients, "s3", {"endpoint_url": server.url, "default_block_size": 2**12})
    monkeypatch.setattr(retry, "PAUSES", ())  # it goes on where it ended, and does not begin anew
    monkeypatch.setattr("s3fs.S3FileSystem.retries", 5)
    server.faults["GET", "bucket/birds/s-train-01.tar"] = iter([("break", 30_000), ("break", 1000)])
    source, here = open_source(f"{address}/s-train-01.tar"), open_source(shards / "s-train-01.tar")
    assert [source.read(i) for i in range(6)] == [here.read(i) for i in range(6)]


@pytest.mark.parametrize(
    ("fault", "words"),
    [(("break", 0), "broke off"), (("status", 503), "Unavailable"), (("stall",), "")],
    ids=["broken", "busy", "silent"],
)
def test_one_that_does_not_heal_ends_with_a_sentence(place, sv, tmp_path, monkeypatch, clients, fault, words):
    server, address = place
    monkeypatch.setattr(retry, "SILENCE", 0.2)
    monkeypatch.setattr(retry, "PATIENCE", 0.0)
    if address.startswith("s3"):
        monkeypatch.setitem(clients, "s3", {"endpoint_url": server.url, "config_kwargs": {"read_timeout": 0.2}})
    (name,) = [name for name in server.objects if name.endswith("train-01.tar")]
    server.faults["GET", name] = ALWAYS(fault)
    begun = time.monotonic()
    status, out, err = sv("check", f"{address}/s-train-01.tar")
    assert time.monotonic() - begun < 20
    assert (status, out) == (1, "")
    told = " ".join(err.split())
    assert f"{address}/s-train-01.tar cannot be fetched (" in told
    assert words in told or "InternalError" in told or "internal error" in told
    assert cached(tmp_path) == []  # nothing half


def test_where_nothing_is(place, sv):
    address = place[1]
    assert refusal(f"{address}/none.tar") == f"There is nothing at {address}/none.tar."
    assert refusal(f"{address}/none-*.tar") == f"There is nothing that {address}/none-*.tar matches."
    status, out, err = sv("check", f"{address}/s-{{train-00,train-77}}.tar")
    assert (status, out) == (1, "")
    assert "There is nothing at" in err
    if address.startswith("s3"):
        assert refusal("s3://elsewhere/a.tar") == "There is nothing at s3://elsewhere/a.tar."
        assert refusal(address) == f"{address} is a folder; name the archives in it, as in {address}/*.tar."


def test_refused_credentials(place, sv, monkeypatch, clients):
    server, address = place
    server.key = "another"
    for where in (f"{address}/s-train-00.tar", f"{address}/s-*.tar"):
        told = refusal(where)
        assert told.startswith(f"{where} is refused (")
        assert ("AWS_ACCESS_KEY_ID" if address.startswith("s3") else "FSSPEC_HTTP") in told
    status, out, err = sv("train", f"{address}/s-train-00.tar", "--out", "run")
    assert (status, out) == (1, "")
    assert "is refused (" in " ".join(err.split())
    if address.startswith("s3"):
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.setitem(clients, "s3", {"endpoint_url": server.url, "use_ssl": False})  # another client
        assert "is refused (Unable to locate credentials): it asks for" in refusal(f"{address}/s-train-00.tar")
        server.key = None
        monkeypatch.setitem(clients, "s3", {"endpoint_url": server.url, "anon": True})  # as FSSPEC_S3 says it
        assert len(open_source(f"{address}/s-train-00.tar")) == 6
    else:
        monkeypatch.setitem(clients, "http", {"headers": {"Authorization": "Bearer another"}})  # as FSSPEC_HTTP says it
        assert len(open_source(f"{address}/s-train-00.tar")) == 6


def test_nobody_there(clients, monkeypatch):
    told = refusal("http://127.0.0.1:9/a.tar")
    assert told.startswith("http://127.0.0.1:9/a.tar cannot be fetched (Cannot connect to host 127.0.0.1:9")
    monkeypatch.setitem(clients, "s3", {"endpoint_url": "http://127.0.0.1:9"})
    assert refusal("s3://bucket/a.tar").startswith("s3://bucket/a.tar cannot be fetched (Could not connect to the end")


def test_what_never_ends_fills_no_disk(web, monkeypatch, tmp_path):
    server, address = web
    monkeypatch.setenv("SVERTKA_CACHE_LIMIT", "1MB")
    for method in ("HEAD", "GET"):
        server.faults[method, "birds/s-train-00.tar"] = ALWAYS(("endless",))
    assert f"{address}/s-train-00.tar: a copy takes more than" in refusal(f"{address}/s-train-00.tar")
    assert cached(tmp_path) == []


def test_a_disk_that_fills_up_is_told(web, monkeypatch, tmp_path):
    from fsspec.implementations.http import HTTPFileSystem

    def full(self, *words, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(HTTPFileSystem, "get_file", full)
    assert "remote cannot be written (No space left on device)" in refusal(f"{web[1]}/s-train-00.tar")


def test_without_the_packages_a_sentence_names_the_extra(tmp_path):
    program = """
import sys
sys.modules["s3fs"] = sys.modules["aiohttp"] = sys.modules["gcsfs"] = None
from svertka.data import open_source
from svertka.errors import DataError
for where in sys.argv[1:]:
    try:
        open_source(where)
    except DataError as why:
        print(why)
"""
    places = ["s3://bucket/a.tar", "https://host/a.tar", "s3://bucket/*.tar", "gs://bucket/a.tar"]
    done = subprocess.run([sys.executable, "-c", program, *places], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    extra = "which is not installed: pip install 'svertka[remote]'."
    assert lines[:3] == [
        f"s3://bucket/a.tar is fetched by the package s3fs, {extra}",
        f"https://host/a.tar is fetched by the package aiohttp, {extra}",
        f"s3://bucket/*.tar is fetched by the package s3fs, {extra}",
    ]
    assert lines[3].startswith("gs://bucket/a.tar is fetched by a package that is not installed (")
    assert "svertka[remote]" not in lines[3]  # gcsfs is no part of it
