"""Two small servers on loopback that can be told to fail: an object store that speaks enough of S3, and a web server.

Of S3: ListObjectsV2 in pages, HEAD, GET of ranges, errors in XML, and whose access key it is (the signature is not
reckoned again). API: https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

import contextlib
import hashlib
import http.server
import socket
import threading
from email.utils import formatdate
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.sax.saxutils import escape

PAGE = 2  # keys of one page of a listing: few, so that there are several


class Server(http.server.ThreadingHTTPServer):
    """Objects by "bucket/key"; use it in a `with`.

    objects: what lies where
    asked: (method, path) of every request, in order
    faults: (method, path) -> an iterator; each request takes the next: None (all goes well), ("status", 503),
        ("break", n) after n bytes, ("stall",) in the middle, ("endless",) of a length that nobody tells
    key: the access key (S3), or token (web), that must be shown; None where nothing is asked for
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, handler, key=None):
        super().__init__(("127.0.0.1", 0), handler)
        self.objects, self.asked, self.faults, self.key = {}, [], {}, key
        self.connections, self.closing = [], threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.leave()

    def leave(self):
        """Be gone, for those too who hold a connection; any number of times."""
        self.closing.set()
        self.shutdown()
        self.server_close()
        for one in self.connections:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def get_request(self):
        request, address = super().get_request()
        self.connections.append(request)
        return request, address

    def handle_error(self, request, address):
        """A client that has gone is no news."""

    def fetched(self):
        """How often the bytes of each object were asked for since the last time, and forget it."""
        asked, self.asked = self.asked, []
        return {path: asked.count(("GET", path)) for method, path in asked if method == "GET" and path in self.objects}


class Web(http.server.BaseHTTPRequestHandler):
    """GET and HEAD of whole files."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        """Say nothing."""

    def do_HEAD(self):
        self.answer()

    def do_GET(self):
        self.answer()

    def answer(self):
        parts = urlsplit(self.path)
        path = unquote(parts.path).lstrip("/")
        self.server.asked.append((self.command, path))
        fault = next(self.server.faults.get((self.command, path), iter(())), None)
        if fault and fault[0] == "status":
            self.error(fault[1], "InternalError", "We encountered an internal error.")
        elif not self.known():
            self.refuse()
        elif path in self.server.objects:
            self.send_object(self.server.objects[path], fault)
        else:
            self.send_other(path, parse_qs(parts.query))

    def known(self):
        return self.server.key is None or self.headers.get("Authorization") == f"Bearer {self.server.key}"

    def refuse(self):
        self.error(403, "Forbidden", "Forbidden")

    def send_other(self, path, query):
        self.error(404, "NotFound", "Not found")

    def error(self, status, code, message):
        self.send(status, f"{status} {message}".encode(), {"Content-Type": "text/plain"})

    def send_object(self, data, fault):
        self.send(200, data, self.about(data), fault)

    def about(self, data):
        return {
            "ETag": f'"{hashlib.md5(data).hexdigest()}"',
            "Last-Modified": formatdate(0, usegmt=True),
            "Content-Type": "text/html" if data.startswith(b"<") else "application/octet-stream",
        }

    def send(self, status, data, headers, fault=None):
        self.send_response(status)
        endless = fault is not None and fault[0] == "endless"
        length = {"Transfer-Encoding": "chunked"} if endless else {"Content-Length": len(data)}
        for name, value in {**headers, **length}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault is None:
            self.wfile.write(data)
            return
        while endless and not self.server.closing.is_set():  # until the client has had enough
            self.wfile.write(b"10000\r\n" + bytes(2**16) + b"\r\n")
        self.wfile.write(data[: fault[1] if fault[0] == "break" else len(data) // 2])
        self.wfile.flush()
        if fault[0] == "stall":
            self.server.closing.wait(60)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


class S3(Web):
    """Buckets of objects, addressed by path."""

    def known(self):
        shown = self.headers.get("Authorization", "")
        return self.server.key is None or f"Credential={self.server.key}/" in shown

    def refuse(self):
        if "Authorization" in self.headers:
            self.error(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        else:
            self.error(403, "AccessDenied", "Access Denied")

    def error(self, status, code, message):
        body = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        self.send(status, f'<?xml version="1.0" encoding="UTF-8"?>{body}'.encode(), {"Content-Type": "application/xml"})

    def send_object(self, data, fault):
        unit, _, span = self.headers.get("Range", "").partition("=")
        if unit != "bytes":
            self.send(200, data, self.about(data) | {"Accept-Ranges": "bytes"}, fault)
            return
        first, _, last = span.partition("-")
        first, last = int(first), min(int(last or len(data)), len(data) - 1)
        if first > last:
            self.error(416, "InvalidRange", "The requested range is not satisfiable")
            return
        told = {"Content-Range": f"bytes {first}-{last}/{len(data)}"}
        self.send(206, data[first : last + 1], self.about(data) | told, fault)

    def send_other(self, path, query):
        bucket, _, key = path.partition("/")
        if not any(name.startswith(f"{bucket}/") for name in self.server.objects):
            self.error(404, "NoSuchBucket", "The specified bucket does not exist")
        elif key:
            self.error(404, "NoSuchKey", "The specified key does not exist.")
        else:
            self.send_listing(bucket, {name: values[0] for name, values in query.items()})

    def send_listing(self, bucket, query):
        prefix, cut = query.get("prefix", ""), query.get("delimiter", "")
        entries = {}  # a key, or the start that several have in common -> its bytes, None for several
        for name, data in self.server.objects.items():
            key = name.removeprefix(f"{bucket}/")
            if key != name and key.startswith(prefix):
                head, mark, _ = key[len(prefix) :].partition(cut) if cut else (key, "", "")
                entries[prefix + head + mark if mark else key] = None if mark else data
        after = sorted(name for name in entries if name > query.get("continuation-token", ""))
        page = after[: min(PAGE, int(query.get("max-keys", PAGE)))]
        more = len(after) > len(page)
        found = "".join(self.entry(name, entries[name]) for name in page)
        body = (
            f"<Name>{bucket}</Name><Prefix>{quote(prefix)}</Prefix><KeyCount>{len(page)}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
            f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>"
            + (f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else "")
            + found
        )
        whole = f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{body}</ListBucketResult>'
        self.send(200, whole.encode(), {"Content-Type": "application/xml"})

    def entry(self, name, data):
        if data is None:
            return f"<CommonPrefixes><Prefix>{quote(name)}</Prefix></CommonPrefixes>"
        tag = escape(self.about(data)["ETag"])
        return (
            f"<Contents><Key>{quote(name)}</Key><LastModified>1970-01-01T00:00:00.000Z</LastModified><ETag>{tag}</ETag>"
            f"<Size>{len(data)}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )
