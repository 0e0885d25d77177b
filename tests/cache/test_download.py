"""Downloads against a server on this machine that misbehaves in every way we know."""

import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from svertka.cache.download import Goal, allowed, fetch_file, strict_opener
from svertka.errors import WeightsError
from svertka.zoo.weights import catalog

DATA = bytes(range(256)) * 2000  # 512,000 bytes
SHA = hashlib.sha256(DATA).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves DATA; the server's `script` says, request by request, what goes wrong."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        trouble = server.script.pop(0) if server.script else ""
        server.asked.append({**self.headers, "path": self.path, "trouble": trouble})
        kind, _, value = trouble.partition(" ")
        self.close_connection = True
        if kind == "status":
            return self.answer(int(value), b"sorry")
        if kind == "to":
            return self.answer(302, b"", Location=value)
        if kind == "deaf":
            time.sleep(float(value))
            return None
        data, tag, extra = server.data, server.tag, {}
        start = 0
        asked = self.headers.get("Range", "")
        if asked and kind != "no-ranges" and self.headers.get("If-Range") == tag:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                return self.answer(416, b"")
            shown = start + 1 if kind == "other-range" else start
            extra["Content-Range"] = f"bytes {shown}-{len(data) - 1}/{len(data)}"
        if tag:
            extra["ETag"] = tag
        body = data[start:]
        if kind == "cut":
            return self.answer(206 if start else 200, body, int(value), **extra)
        if kind == "slow":
            return self.answer(206 if start else 200, body, int(value), pause=1.0, **extra)
        if kind == "chunked":
            return self.answer(200, body, chunked=True, **extra)
        return self.answer(206 if start else 200, body, **extra)

    def answer(self, status, body, stop=None, pause=0.0, chunked=False, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:stop])
        self.wfile.flush()
        if pause:
            time.sleep(pause)

    def log_message(self, *args):
        """Nothing on the screen."""


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    server.data, server.tag, server.script, server.asked = DATA, '"one"', [], []
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def goal(server, tmp_path):
    return Goal(f"{server.url}/net-{SHA[:8]}.pth", tmp_path / "cache" / f"net-{SHA[:8]}.pth", SHA)


def get(goal, **more):
    return fetch_file(goal, **{"timeout": 5.0, "pauses": (0.0, 0.0, 0.0)} | more)


def alone(goal):
    """The file is there, whole, and nothing else beside it."""
    return goal.path.read_bytes() == DATA and list(goal.path.parent.iterdir()) == [goal.path]


def test_a_file_comes_whole_with_progress_and_is_not_asked_for_twice(server, goal):
    seen = []
    assert get(goal, progress=lambda done, total: seen.append((done, total))) == goal.path
    assert alone(goal)
    assert seen[-1] == (len(DATA), len(DATA))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert get(goal) == goal.path
    assert len(server.asked) == 1


def test_the_first_digits_of_a_digest_are_enough(goal):
    get(Goal(goal.url, goal.path, SHA[:8]))
    assert alone(goal)


def test_a_cut_connection_goes_on_where_it_stopped(server, goal):
    server.script = ["cut 100000", "cut 50000", "cut 1", "cut 0", "cut 0"]
    get(goal)
    assert alone(goal)
    assert [ask.get("Range") for ask in server.asked] == [
        None, "bytes=100000-", "bytes=150000-", "bytes=150001-", "bytes=150001-", "bytes=150001-",
    ]  # fmt: skip
    assert {ask.get("If-Range") for ask in server.asked[1:]} == {'"one"'}


def test_it_goes_on_in_the_next_run_too(server, goal):
    server.script = ["cut 100000"] + ["cut 0"] * 9
    with pytest.raises(WeightsError, match=r"\(the connection ended after 100000 of 512000 bytes\)"):
        get(goal)
    server.script, server.asked = [], []
    get(goal)
    assert server.asked[0]["Range"] == "bytes=100000-"
    assert alone(goal)


def test_it_goes_on_when_all_had_come_and_only_the_name_was_missing(server, goal):
    goal.path.parent.mkdir()
    goal.path.with_name(goal.path.name + ".part").write_bytes(DATA)
    get(goal)
    assert not server.asked
    assert alone(goal)


def test_a_server_that_ignores_ranges_sends_all_again(server, goal):
    server.script = ["cut 100000", "no-ranges"]
    get(goal)
    assert alone(goal)


def test_a_file_that_changed_meanwhile_starts_anew(server, goal):
    server.data = b"x" * 500_000
    server.script = ["cut 100000"] + ["cut 0"] * 9
    with pytest.raises(WeightsError):
        get(goal)
    server.data, server.tag, server.script = DATA, '"two"', []
    get(goal)
    assert alone(goal)


@pytest.mark.parametrize("tag", ["", 'W/"weak"'])
def test_without_a_strong_mark_of_the_content_nothing_is_pieced_together(server, goal, tag):
    server.tag = tag
    server.script = ["cut 100000"]
    get(goal)
    assert "Range" not in server.asked[1]
    assert alone(goal)


def test_another_range_than_asked_for_is_not_glued_on(server, goal):
    server.script = ["cut 100000", "other-range"]
    get(goal)
    assert alone(goal)


def test_a_part_as_long_as_the_file_that_is_not_it(server, goal):
    goal.path.parent.mkdir()
    part = goal.path.with_name(goal.path.name + ".part")
    part.write_bytes(b"y" * len(DATA))
    part.with_name(part.name + ".tag").write_text('"one"')
    get(goal)
    assert alone(goal)


def test_no_length_is_fine(server, goal):
    server.script = ["chunked"]
    totals = set()
    get(goal, progress=lambda done, total: totals.add(total))
    assert totals == {None}
    assert alone(goal)


def test_a_wrong_content_is_removed_and_told(server, goal):
    server.data = DATA[:-1] + b"!"
    found = hashlib.sha256(server.data).hexdigest()[:8]
    with pytest.raises(WeightsError, match=rf"\(its sha256 begins with {found}, not {SHA[:8]}\); it was removed"):
        get(goal)
    assert not list(goal.path.parent.iterdir())


def test_a_wrong_file_that_lies_there_already_is_told_and_kept(server, goal):
    goal.path.parent.mkdir()
    goal.path.write_bytes(b"mine")
    with pytest.raises(WeightsError, match="is not what was published; remove it"):
        get(goal)
    assert goal.path.read_bytes() == b"mine"
    assert not server.asked


@pytest.mark.parametrize(
    "target",
    [
        "https://127.0.0.1:1/x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "data:,x",
        "http://example.invalid/x",
    ],
)
def test_a_redirect_to_another_scheme_or_out_of_this_machine_is_refused(server, goal, target):
    server.script = [f"to {target}"]
    with pytest.raises(WeightsError, match="redirect"):
        get(goal)
    assert len(server.asked) == 1
    assert not goal.path.exists()


def test_a_redirect_to_what_is_no_address(server, goal):
    server.script = ["to http://["] * 9
    with pytest.raises(WeightsError, match="Invalid IPv6 URL"):
        get(goal)


def test_a_redirect_on_the_same_server_is_followed_and_a_circle_is_not(server, goal):
    server.script = [f"to {server.url}/elsewhere", "cut 100000", f"to {server.url}/elsewhere"]
    get(goal)
    assert [ask["path"] for ask in server.asked][1::2] == ["/elsewhere"] * 2
    assert server.asked[3]["Range"] == "bytes=100000-"
    goal.path.unlink()
    server.script = [f"to {server.url}/elsewhere"] * 99
    with pytest.raises(WeightsError, match="302"):
        get(goal)


def test_missing_files_and_forbidden_ones_are_not_asked_for_again(server, goal):
    for status in (403, 404, 410):
        server.script, server.asked = [f"status {status}"], []
        with pytest.raises(WeightsError, match=rf"\(the server answers {status} .*\): get http.* and put it at"):
            get(goal)
        assert len(server.asked) == 1


def test_a_server_that_is_busy_is_asked_again(server, goal):
    server.script = ["status 503", "status 429", "status 500"]
    get(goal)
    assert alone(goal)
    goal.path.unlink()
    server.script = ["status 503"] * 9
    with pytest.raises(WeightsError, match="the server answers 503"):
        get(goal)


def test_a_server_that_falls_silent_is_asked_again(server, goal):
    server.script = ["slow 100000", "deaf 1"]
    get(goal, timeout=0.3)
    assert alone(goal)
    assert [ask.get("Range") for ask in server.asked] == [None, "bytes=100000-", "bytes=100000-"]


def test_more_than_the_file_can_have_is_refused_before_and_while_it_comes(server, goal):
    small = Goal(goal.url, goal.path, SHA, largest=100_000)
    for trouble in ("", "chunked"):
        server.script = [trouble]
        with pytest.raises(WeightsError, match="sends more than the 100000 bytes that net-"):
            get(small)
        assert not list(goal.path.parent.iterdir())


def test_no_connection_is_one_sentence_with_file_and_place(goal, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(WeightsError) as error:
        get(goal)
    sentence = str(error.value)
    assert sentence == (
        f"{goal.path.name} cannot be fetched (Connection refused): "
        f"get {goal.url} on another machine or day and put it at {goal.path}."
    )


def test_a_folder_that_cannot_be_written_is_told(goal, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match="cannot be written: File exists"):
        get(goal)


@pytest.mark.parametrize("url", ["http://example.org/x", "ftp://127.0.0.1/x", "file:///x", "https:///x", "x"])
def test_other_addresses_are_not_asked_at_all(tmp_path, url):
    assert not allowed(url)
    with pytest.raises(WeightsError, match="is not asked: only https addresses are, and http on this machine"):
        get(Goal(url, tmp_path / "x", SHA))


def test_the_opener_knows_no_other_scheme():
    assert strict_opener().open("file:///etc/passwd") is None
    assert strict_opener().open("data:,x") is None


def test_several_at_once_do_not_mix(server, goal):
    server.script = ["slow 100000"] * 3
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(lambda _: get(goal), range(3))) == [goal.path] * 3
    assert alone(goal)


def test_a_row_of_the_catalog_comes_into_the_cache(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SVERTKA_CACHE", str(tmp_path))
    monkeypatch.delenv("SVERTKA_WEIGHTS", raising=False)
    row = catalog.Published(
        "net.own", "net", "torchvision", f"{server.url}/net.pth", SHA, 0.49, None, 224, 256, "bilinear",
        *catalog.RANGES["imagenet"],
    )  # fmt: skip
    assert catalog.fetch(row) == tmp_path / "weights" / "net.pth"
    assert row.goal.largest == int(1.49 * 2**20)
    elsewhere = Path(tmp_path / "weights" / "net.pth").rename(tmp_path / "net.pth")
    monkeypatch.setenv("SVERTKA_WEIGHTS", str(tmp_path))
    assert catalog.fetch(row) == elsewhere
    assert len(server.asked) == 1
