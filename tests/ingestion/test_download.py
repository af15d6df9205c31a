import hashlib
import io
import json
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import requests

from loadproof.errors import SourceError
from loadproof.ingestion.download import SOURCES, Progress, download, notice, open_session
from loadproof.ingestion.fetch import fetch_file
from loadproof.ingestion.sources import RemoteFile, Source

BODY = np.random.default_rng(7).bytes(600_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
PLENTY = 10**12


class Remote:
    """What a server holds, how it behaves, and what it was asked."""

    def __init__(self):
        self.body, self.etag, self.ranges, self.cuts, self.statuses = BODY, '"v1"', True, [], []
        self.date = None
        self.headers, self.asked, self.after_cut, self.stated, self.careless = {}, [], None, None, False

    @property
    def gets(self):
        return len(self.asked)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.send_error(403)

    def do_GET(self):
        remote = self.server.remote
        remote.asked.append({name.lower(): value for name, value in self.headers.items()})
        agent = self.headers.get("User-Agent", "")
        if not agent.startswith("Mozilla/"):
            self.reply(403, b"no")
        elif remote.statuses:
            self.reply(remote.statuses.pop(0), b"later")
        else:
            self.send_file(remote)

    def send_file(self, remote):
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        start = 0
        if wanted and remote.ranges and (remote.careless or condition in (remote.etag, remote.date)):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        headers = dict(remote.headers)
        if remote.etag:
            headers["ETag"] = remote.etag
        if remote.date and not start:
            headers["Last-Modified"] = remote.date
        if start >= len(remote.body) > 0:
            self.reply(416, b"", {**headers, "Content-Range": f"bytes */{len(remote.body)}"})
            return
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(remote.body) - 1}/{len(remote.body)}"
        cut = remote.cuts.pop(0) if remote.cuts else None
        self.reply(206 if start else 200, remote.body[start:], headers, cut, remote.stated)
        if cut is not None and remote.after_cut:
            remote.after_cut()

    def reply(self, status, body, headers=None, cut=None, stated=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(stated or len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        self.wfile.flush()
        self.close_connection = cut is not None or stated is not None


class Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that hangs up in the middle is no news here."""


@pytest.fixture
def remote():
    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.remote = Remote()
    server.remote.url = f"http://127.0.0.1:{server.server_port}/file.bin"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.remote
    server.shutdown()
    server.server_close()
    thread.join()


@contextmanager
def session():
    with open_session(SOURCES["lcl"], backoff_s=0) as opened:
        yield opened


def fetch(remote, to, **kwargs):
    kwargs = {"sleep": lambda seconds: None, "free_bytes": lambda folder: PLENTY, **kwargs}
    with session() as opened:
        return list(fetch_file(opened.get, remote.url, to, **kwargs))


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_a_whole_file_arrives_in_1_request_and_tells_how_far_it_is(remote, tmp_path):
    steps = fetch(remote, tmp_path / "a.bin", size=600_000, sha256=SHA256)
    assert (tmp_path / "a.bin").read_bytes() == BODY
    assert steps == sorted(steps) and steps[-1] == 600_000 and len(steps) >= 9
    assert remote.gets == 1
    assert names(tmp_path) == [".a.bin.fetched.json", "a.bin"]


def test_a_second_run_sends_0_requests(remote, tmp_path):
    fetch(remote, tmp_path / "a.bin", size=600_000, sha256=SHA256)
    assert fetch(remote, tmp_path / "a.bin", size=600_000, sha256=SHA256) == []
    assert fetch(remote, tmp_path / "a.bin") == []
    assert remote.gets == 1


def test_force_fetches_a_2nd_time(remote, tmp_path):
    fetch(remote, tmp_path / "a.bin")
    remote.body, remote.etag = BODY[::-1], '"v2"'
    fetch(remote, tmp_path / "a.bin", force=True)
    assert (tmp_path / "a.bin").read_bytes() == BODY[::-1]


def test_a_body_cut_twice_is_continued_from_where_it_broke_off(remote, tmp_path):
    remote.cuts = [200_000, 150_000]
    fetch(remote, tmp_path / "a.bin", sha256=SHA256)
    assert (tmp_path / "a.bin").read_bytes() == BODY
    ranges = [asked.get("range") for asked in remote.asked]
    assert ranges[0] is None and len(ranges) == 3
    first, second = (int(text[6:-1]) for text in ranges[1:])
    assert 100_000 < first <= 200_000 and first < second <= 350_000
    assert [asked.get("if-range") for asked in remote.asked] == [None, '"v1"', '"v1"']


def test_after_3_retries_it_gives_up_and_the_next_run_continues(remote, tmp_path):
    remote.cuts, waits = [150_000] + [70_000] * 3, []
    with pytest.raises(SourceError, match=r"broke off after \d+ bytes, 4 times.*run the same command again"):
        fetch(remote, tmp_path / "a.bin", sleep=waits.append)
    assert waits == [1.0, 2.0, 4.0] and remote.gets == 4
    assert not (tmp_path / "a.bin").exists()
    had = (tmp_path / "a.bin.part").stat().st_size
    assert had > 250_000
    fetch(remote, tmp_path / "a.bin", sha256=SHA256)
    assert remote.asked[-1]["range"] == f"bytes={had}-"
    assert names(tmp_path) == [".a.bin.fetched.json", "a.bin"]


def test_a_run_that_stops_in_the_middle_leaves_no_file_and_is_continued(remote, tmp_path):
    with session() as opened:
        steps = fetch_file(opened.get, remote.url, tmp_path / "a.bin", free_bytes=lambda folder: PLENTY)
        assert next(steps) > 0
        steps.close()
    assert not (tmp_path / "a.bin").exists()
    fetch(remote, tmp_path / "a.bin", sha256=SHA256)
    assert remote.gets == 2 and "range" in remote.asked[1]


def test_a_server_that_ignores_ranges_is_read_from_byte_0_again(remote, tmp_path):
    remote.cuts, remote.ranges = [200_000], False
    fetch(remote, tmp_path / "a.bin", sha256=SHA256)
    assert (tmp_path / "a.bin").stat().st_size == 600_000
    assert remote.gets == 2


def test_a_file_that_changes_after_200000_bytes_is_never_mixed(remote, tmp_path):
    def publish_anew():
        remote.body, remote.etag = BODY[::-1], '"v2"'

    remote.cuts, remote.after_cut = [200_000], publish_anew
    fetch(remote, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY[::-1]
    assert json.loads((tmp_path / ".a.bin.fetched.json").read_text())["etag"] == '"v2"'


def test_a_server_that_continues_a_changed_file_all_the_same_is_not_believed(remote, tmp_path):
    def publish_anew():
        remote.body, remote.etag = BODY[::-1], '"v2"'

    remote.cuts, remote.after_cut, remote.careless = [200_000], publish_anew, True
    fetch(remote, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY[::-1] and remote.gets == 3


@pytest.mark.parametrize("etag", [None, 'W/"v1"'])
def test_bytes_of_a_file_without_a_strong_etag_or_date_are_continued_0_times(remote, tmp_path, etag):
    remote.etag, remote.cuts = etag, [200_000]
    fetch(remote, tmp_path / "a.bin", sha256=SHA256)
    assert [asked.get("range") for asked in remote.asked] == [None, None]


def test_a_date_alone_carries_a_file_over_2_cuts(remote, tmp_path):
    remote.etag, remote.date, remote.cuts = None, "Mon, 25 Mar 2024 12:48:48 GMT", [200_000, 150_000]
    fetch(remote, tmp_path / "a.bin", sha256=SHA256)
    assert [asked.get("if-range") for asked in remote.asked] == [None, remote.date, remote.date]
    assert remote.asked[2]["range"] > remote.asked[1]["range"] > "bytes=1"


def test_a_partial_answer_of_another_place_is_thrown_away(remote, tmp_path):
    remote.cuts = [200_000]
    remote.after_cut = lambda: remote.headers.update({"Content-Range": "bytes 5-599999/600000"})
    real = Handler.reply

    def reply(self, status, body, headers=None, cut=None, stated=None):
        if status == 206:
            headers["Content-Range"] = "bytes 5-599999/600000"
        real(self, status, body, headers, cut, stated)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Handler, "reply", reply)
        fetch(remote, tmp_path / "a.bin", sha256=SHA256)
    assert (tmp_path / "a.bin").read_bytes() == BODY and remote.gets == 3


def test_a_part_that_is_whole_already_ends_with_a_416(remote, tmp_path):
    (tmp_path / "a.bin.part").write_bytes(BODY)
    version = {"url": remote.url, "etag": '"v1"', "last_modified": None, "size": 600_000}
    (tmp_path / ".a.bin.part.json").write_text(json.dumps(version))
    assert fetch(remote, tmp_path / "a.bin", sha256=SHA256) == []
    assert (tmp_path / "a.bin").read_bytes() == BODY


@pytest.mark.parametrize(
    "text", ["", "{", "[1, 2]", '{"url": 1}', '"x"', '{"url": %s, "etag": 7, "last_modified": null, "size": "9"}']
)
def test_a_part_whose_version_is_unreadable_is_not_continued(remote, tmp_path, text):
    (tmp_path / "a.bin.part").write_bytes(b"x" * 1000)
    (tmp_path / ".a.bin.part.json").write_text(text.replace("%s", json.dumps(remote.url)))
    fetch(remote, tmp_path / "a.bin", sha256=SHA256)
    assert (tmp_path / "a.bin").read_bytes() == BODY and "range" not in remote.asked[0]


def test_a_wrong_sha256_is_an_error_and_leaves_0_bytes(remote, tmp_path):
    with pytest.raises(SourceError, match=f"its SHA-256 is {SHA256}, not 00"):
        fetch(remote, tmp_path / "a.bin", sha256="00" * 32)
    assert names(tmp_path) == []


def test_a_file_of_another_size_than_known_is_refused_before_its_body(remote, tmp_path):
    with pytest.raises(SourceError, match="600000 bytes where 599999 were expected"):
        fetch(remote, tmp_path / "a.bin", size=599_999)
    assert names(tmp_path) == []


def test_a_short_body_is_not_a_file(remote, tmp_path):
    remote.stated = 700_000
    with pytest.raises(SourceError, match="broke off"):
        fetch(remote, tmp_path / "a.bin", retries=0)
    assert not (tmp_path / "a.bin").exists()


def test_a_listing_of_another_etag_is_noticed_before_and_after(remote, tmp_path):
    with pytest.raises(SourceError, match="another version"):
        fetch(remote, tmp_path / "a.bin", etag="v0")
    fetch(remote, tmp_path / "a.bin", etag="v1", size=600_000)
    assert fetch(remote, tmp_path / "a.bin", etag='"v1"', size=600_000) == []
    remote.body, remote.etag = BODY[::-1], '"v2"'
    fetch(remote, tmp_path / "a.bin", etag="v2", size=600_000)
    assert (tmp_path / "a.bin").read_bytes() == BODY[::-1]


def test_a_file_truncated_on_disk_is_fetched_again(remote, tmp_path):
    fetch(remote, tmp_path / "a.bin")
    (tmp_path / "a.bin").write_bytes(BODY[:1000])
    fetch(remote, tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == BODY


def test_an_agent_of_a_library_gets_403_and_ours_does_not(remote, tmp_path):
    with session() as opened:
        opened.headers["User-Agent"] = "python-requests/2"
        with pytest.raises(SourceError, match=r"answered 403.*in a browser"):
            list(fetch_file(opened.get, remote.url, tmp_path / "a.bin"))
    assert remote.gets == 1
    fetch(remote, tmp_path / "a.bin")


def test_a_signature_in_the_address_shows_in_0_messages(remote, tmp_path):
    remote.url += "?X-Amz-Signature=s3cret"
    remote.statuses = [404]
    with pytest.raises(SourceError, match="answered 404") as refused:
        fetch(remote, tmp_path / "a.bin")
    with session() as opened, pytest.raises(SourceError, match=r"no answer \(ConnectionError\)") as absent:
        list(fetch_file(opened.get, "http://127.0.0.1:9/a?X-Amz-Signature=s3cret", tmp_path / "a.bin"))
    assert "s3cret" not in f"{refused.value}{absent.value}"


def test_2_answers_of_503_are_outlived_and_4_are_not(remote, tmp_path):
    remote.statuses = [503, 504]
    fetch(remote, tmp_path / "a.bin")
    remote.statuses = [503] * 4
    with pytest.raises(SourceError, match="answered 503"):
        fetch(remote, tmp_path / "b.bin")
    assert remote.gets == 3 + 4


def test_a_sign_in_page_is_not_taken_for_a_zip(remote, tmp_path):
    remote.headers["Content-Type"] = "text/html; charset=utf-8"
    with pytest.raises(SourceError, match="web page, often a sign-in"):
        fetch(remote, tmp_path / "a.zip")


def test_a_disk_with_1000_free_bytes_is_refused_before_the_body(remote, tmp_path):
    with pytest.raises(SourceError, match=r"0.00 GB free, but a.bin takes 0.00 GB"):
        fetch(remote, tmp_path / "a.bin", free_bytes=lambda folder: 1000)
    assert names(tmp_path) == []


def test_a_hostile_content_disposition_names_0_files(remote, tmp_path):
    remote.headers["Content-Disposition"] = 'attachment; filename="../../evil.sh"'
    fetch(remote, tmp_path / "below" / "a.bin")
    assert names(tmp_path) == ["below"]
    assert names(tmp_path / "below") == [".a.bin.fetched.json", "a.bin"]


def test_a_second_process_on_the_same_file_is_turned_away(remote, tmp_path):
    with session() as opened:
        first = fetch_file(opened.get, remote.url, tmp_path / "a.bin", free_bytes=lambda folder: PLENTY)
        next(first)
        with pytest.raises(SourceError, match="another process fetches it now"):
            fetch(remote, tmp_path / "a.bin")
        first.close()


def source_of(*files, **kwargs):
    facts = dict.fromkeys(("title", "page", "licence", "licence_url", "attribution"), "x")
    return Source(**{**facts, "folder": "made", "files": files, **kwargs})


def run(source, to, **kwargs):
    with session() as opened:
        return list(download(source, to, get=opened.get, sleep=lambda seconds: None, **kwargs))


def test_download_brings_all_files_of_a_source_and_then_0(remote, tmp_path):
    files = [RemoteFile(f"{n}.bin", remote.url, 600_000, 600_000, SHA256) for n in range(2)]
    steps = run(source_of(*files), tmp_path)
    assert steps[-1] == Progress("1.bin", 600_000, 600_000)
    assert [(tmp_path / "made" / f"{n}.bin").stat().st_size for n in range(2)] == [600_000] * 2
    assert run(source_of(*files), tmp_path) == [] and remote.gets == 2


def test_download_refuses_a_disk_too_small_for_all_files_after_0_requests(remote, tmp_path):
    files = [RemoteFile(f"{n}.bin", remote.url, 50_000_000) for n in range(2)]
    with pytest.raises(SourceError, match=r"0.12 GB free, but the files take about 0.10 GB; free space or name.*--to"):
        run(source_of(*files), tmp_path, free=lambda folder: 120_000_000)
    assert remote.gets == 0


def test_download_without_a_token_says_where_to_click_after_0_requests(tmp_path):
    with pytest.raises(SourceError, match=r"wants a sign-in.*register with CEDA.*CEDA_TOKEN"):
        run(SOURCES["weather"], tmp_path)


def zipped(*members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return packed.getvalue()


def test_1_member_is_unpacked_under_our_name_and_its_path_is_ignored(remote, tmp_path):
    remote.body = zipped(("../../ukdale.h5", b"rows"), ("../evil.sh", b"rm"))
    file = RemoteFile("ukdale.h5.zip", remote.url, len(remote.body), member="ukdale.h5")
    run(source_of(file), tmp_path)
    assert (tmp_path / "made" / "ukdale.h5").read_bytes() == b"rows"
    assert names(tmp_path) == ["made"]
    assert run(source_of(file), tmp_path) == [] and remote.gets == 1


@pytest.mark.parametrize("body", [b"not a zip", zipped(("a.h5", b"")), zipped(("x/a.h5", b""), ("y/a.h5", b""))[:-9]])
def test_a_broken_archive_is_1_clear_error_and_unpacks_nothing(remote, tmp_path, body):
    remote.body = body
    file = RemoteFile("b.zip", remote.url, len(body), member="b.h5")
    with pytest.raises(SourceError, match=r"b\.zip: "):
        run(source_of(file), tmp_path)
    assert not (tmp_path / "made" / "b.h5").exists()


def test_an_encrypted_member_is_1_clear_error_and_leaves_nothing(remote, tmp_path):
    body = bytearray(zipped(("b.h5", b"rows")))
    for at in (6, body.index(b"PK\x01\x02") + 8):  # the flag stands in the member's header and in the directory
        body[at] |= 1
    remote.body = bytes(body)
    file = RemoteFile("b.zip", remote.url, len(body), member="b.h5")
    with pytest.raises(SourceError, match=r"b\.zip: 'b\.h5' is encrypted; unpack it by hand"):
        run(source_of(file), tmp_path)
    assert names(tmp_path / "made") == [".b.zip.fetched.json", "b.zip"]


def test_the_token_goes_to_1_host_over_https_and_shows_nowhere():
    with open_session(SOURCES["weather"], token="tok-en") as opened:
        assert "tok-en" not in repr(opened.auth) + str(dict(opened.headers))
        sent = {}
        for url in (
            "https://dap.ceda.ac.uk/x",
            "http://dap.ceda.ac.uk/x",
            "https://evil.org/x",
            "https://xdap.ceda.ac.uk/",
        ):
            sent[url] = opened.prepare_request(requests.Request("GET", url)).headers.get("Authorization")
    assert [value for value in sent.values() if value] == ["Bearer tok-en"]
    assert sent["https://dap.ceda.ac.uk/x"] == "Bearer tok-en"


def test_each_of_4_sources_states_licence_page_size_and_https_addresses(tmp_path):
    assert set(SOURCES) == {"lcl", "ukdale", "ssen", "weather"}
    for source in SOURCES.values():
        text = notice(source, tmp_path)
        assert source.licence in text and source.page in text and "GB to download" in text
        assert all(file.url.startswith("https://") and "/" not in file.name for file in source.files)
    assert "0.80 GB" in notice(SOURCES["lcl"], tmp_path) and "CC BY 4.0" in notice(SOURCES["lcl"], tmp_path)
