import datetime as dt
import hashlib
import re
import resource

import numpy as np
import pytest
from tests.ingestion.servers import Reply, as_html, as_json, polite, serving

from loadproof.errors import SourceError
from loadproof.ingestion.listing import ListedFile, _may_link, fetch_file, fetch_listed, read_listing

KEY = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.Zm9vYmFyYmF6"
BODY = np.random.default_rng(3).bytes(300_000)


def entry(day="2024-02-12", **other):
    return {"key": f"LV_FEEDER_USAGE/{day}.csv", "size": 806081571, "uploaded": "2024-03-25T12:48:48.903Z",
            "etag": "59af-97", "httpEtag": '"59af-97"', "version": "v", "storageClass": "Standard", "checksums": {},
            "Content-Type": "text/csv", "downloadLink": f"https://x.portaljs.com/LV_FEEDER_USAGE/{day}.csv",
            **other}  # fmt: skip


def listed(*entries, **other):
    return as_json({"objects": list(entries), "truncated": False, "delimitedPrefixes": [], **other})


def read(reply, tmp_path):
    with serving(lambda _: reply) as server, polite(tmp_path) as session:
        return read_listing(session, f"{server.url}/LV_FEEDER_USAGE/")


# The listing


def test_three_entries_become_three_files_by_day(tmp_path):
    listing = read(listed(entry("2024-02-14"), entry(), entry("2024-02-13", etag='"q-1"')), tmp_path)
    assert listing.files[0] == ListedFile(
        "2024-02-12.csv", dt.date(2024, 2, 12), "https://x.portaljs.com/LV_FEEDER_USAGE/2024-02-12.csv", 806081571,
        "59af-97", "2024-03-25T12:48:48.903Z",
    )  # fmt: skip
    assert [(file.day.day, file.etag) for file in listing.files] == [(12, "59af-97"), (13, "q-1"), (14, "59af-97")]
    assert listing.ignored == ()
    assert [file.day.day for file in listing.between(dt.date(2024, 2, 13), dt.date(2024, 2, 13))] == [13]
    assert len(listing.between()) == 3


HOSTILE = [
    entry(key="../../etc/2024-02-12.csv"),
    entry(key="/etc/2024-02-12.csv"),
    entry(key="LV_FEEDER_USAGE/../2024-02-12.csv"),
    entry(key="LV_FEEDER_USAGE\\2024-02-12.csv"),
    entry(key="LV_FEEDER_USAGE/2024-02-12.csv\n"),
    entry(key="LV_FEEDER_USAGE/2024-02-12.csv/../../x"),
    entry(key="LV_FEEDER_USAGE/2024-13-12.csv"),
    entry(key="LV_FEEDER_USAGE/2024-02-30.csv"),
    entry(key="LV_FEEDER_USAGE/２０２４-02-12.csv"),
    entry(key="LV_FEEDER_USAGE/README.csv"),
    entry(key=["2024-02-12.csv"]),
    entry(key=None),
    entry(size="806081571"),
    entry(size=-1),
    entry(size=1.5),
    entry(size=True),
    entry(size=10**400),
    entry(etag=""),
    entry(etag=None),
    entry(etag="a\r\nX-Evil: 1"),
    entry(downloadLink="file:///etc/passwd"),
    entry(downloadLink="ftp://x/2024-02-12.csv"),
    entry(downloadLink="//x/2024-02-12.csv"),
    entry(downloadLink="https://me:pw@x/2024-02-12.csv"),
    entry(downloadLink="https://[x"),
    entry(downloadLink=7),
    None,
    "2024-02-12.csv",
    [],
]


@pytest.mark.parametrize("bad", HOSTILE, ids=range(len(HOSTILE)))
def test_an_entry_that_is_no_daily_file_is_left_alone_and_told(bad, tmp_path, caplog):
    listing = read(listed(bad, entry("2024-02-13")), tmp_path)
    assert [file.name for file in listing.files] == ["2024-02-13.csv"]
    assert len(listing.ignored) == 1
    assert "leaves 1 of 2 entries alone" in caplog.text


def test_a_listing_over_https_links_to_no_plain_http():
    assert not _may_link("http://x/2024-02-12.csv", "https://x/")
    assert _may_link("http://x/2024-02-12.csv", "http://x/")


def test_a_day_listed_twice_is_the_newest_upload(tmp_path):
    old, new = entry(uploaded="2024-03-01T00:00:00Z", etag="old"), entry(uploaded="2024-03-02T00:00:00Z", etag="new")
    for order in ((old, new), (new, old)):
        assert [file.etag for file in read(listed(*order), tmp_path / str(order[0]["etag"])).files] == ["new"]


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (listed(entry(), truncated=True), "cut off .*days would be missing"),
        (listed(entry(), truncated=None), "cut off"),
        (listed(), "lists no files; check the address"),
        (listed(entry(key="x")), "none of 1 entries is a daily file"),
        (as_json({"objects": {"a": 1}}), "lists no files"),
        (as_json({"files": []}), "not a listing"),
        (as_json([]), "not a listing"),
        (as_json("x"), "not a listing"),
        (Reply(200, b'{"objects": ['), "not a listing"),
        (Reply(200, b"[" * 100_000), "not a listing"),
        (as_html("<h1>hello</h1>", 200), "not a listing"),
        (as_html("no", 403), "status 403 Forbidden; .*--source files"),
        (as_html("no", 503), "status 503"),
    ],
)
def test_what_is_no_whole_listing_is_an_error_and_is_not_kept(reply, says, tmp_path):
    with pytest.raises(SourceError, match=says):
        read(reply, tmp_path)
    assert list((tmp_path / "cache").glob("*.entry")) == []


def test_a_listing_is_kept_and_read_anew_when_forced(tmp_path):
    with serving(lambda _: listed(entry())) as server, polite(tmp_path) as session:
        for force in (False, False, True):
            read_listing(session, server.url, force_refresh=force)
    assert len(server.seen) == 2


# A file


class Store:
    """A server of one file: ranges, conditions and ETag as an object store has them."""

    def __init__(self):
        self.body, self.etag, self.ranges, self.cut_at = BODY, "v1-2", True, None

    def answer(self, seen):
        headers = {"ETag": f'"{self.etag}"', "Content-Type": "text/csv"}
        asked = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("Range", ""))
        same = seen.headers.get("If-Range") in (None, f'"{self.etag}"')
        cut, self.cut_at = self.cut_at, None
        if asked and same and self.ranges:
            start = int(asked[1])
            told = {"Content-Range": f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"}
            return Reply(206, self.body[start:], {**headers, **told}, cut_at=cut)
        return Reply(200, self.body, headers, cut_at=cut)


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def server(store):
    with serving(store.answer) as server:
        yield server


def fetched(server, to, tmp_path, etag="v1-2", size=300_000, **settings):
    told = []
    with polite(tmp_path, **settings) as session:
        fetch_file(session, f"{server.url}/2024-02-12.csv", to, size=size, etag=etag, progress=told.append)
    return told


def test_a_file_arrives_whole_once_and_never_in_the_cache(server, tmp_path):
    to = tmp_path / "ssen" / "2024-02-12.csv"
    told = fetched(server, to, tmp_path)
    assert hashlib.sha256(to.read_bytes()).digest() == hashlib.sha256(BODY).digest()
    assert told[-1] == 300_000
    assert fetched(server, to, tmp_path) == []
    assert len(server.seen) == 1
    assert list((tmp_path / "cache").glob("*.entry")) == []
    assert [path.name for path in to.parent.glob("[!.]*")] == ["2024-02-12.csv"]


def test_a_listed_file_is_called_by_its_day(server, tmp_path):
    file = ListedFile("2024-02-12.csv", dt.date(2024, 2, 12), f"{server.url}/other", len(BODY), "v1-2", "")
    with polite(tmp_path) as session:
        assert fetch_listed(session, file, tmp_path / "ssen") == tmp_path / "ssen" / "2024-02-12.csv"
    assert (tmp_path / "ssen" / "2024-02-12.csv").stat().st_size == 300_000


def test_a_body_cut_at_200000_bytes_goes_on_from_there_in_the_limiters_turn(server, store, tmp_path):
    store.cut_at = 200_000
    to = tmp_path / "a.csv"
    fetched(server, to, tmp_path)
    assert to.read_bytes() == BODY
    start = int(server.seen[1].headers["Range"].removeprefix("bytes=").removesuffix("-"))
    assert 100_000 < start <= 200_000
    assert server.seen[1].headers["If-Range"] == '"v1-2"'


def test_the_next_run_goes_on_where_a_killed_one_stopped(server, store, tmp_path):
    to = tmp_path / "a.csv"
    server.faults.extend([Reply(200, BODY, {"ETag": '"v1-2"'}, cut_at=150_000)])
    server.faults.extend([Reply(206, b"", {"ETag": '"v1-2"'}, cut_at=0)] * 9)
    with pytest.raises(SourceError, match="again"):
        fetched(server, to, tmp_path)
    assert not to.exists()
    assert len(server.seen) <= 5
    server.faults.clear()
    fetched(server, to, tmp_path)
    assert to.read_bytes() == BODY


def test_a_server_without_ranges_sends_it_all_again(server, store, tmp_path):
    store.cut_at, store.ranges = 200_000, False
    fetched(server, tmp_path / "a.csv", tmp_path)
    assert (tmp_path / "a.csv").read_bytes() == BODY
    assert len(server.seen) == 2


def test_a_file_republished_under_another_etag_is_fetched_anew(server, store, tmp_path):
    to = tmp_path / "a.csv"
    fetched(server, to, tmp_path)
    store.body, store.etag = BODY[::-1], "v2-2"
    fetched(server, to, tmp_path, etag="v2-2")
    assert to.read_bytes() == BODY[::-1]
    assert "Range" not in server.seen[1].headers


def test_a_file_that_changed_between_two_pieces_is_not_mixed(server, store, tmp_path):
    to = tmp_path / "a.csv"
    server.faults.append(Reply(200, BODY, {"ETag": '"v1-2"'}, cut_at=200_000))
    store.body, store.etag = BODY[::-1], "v2-2"
    fetched(server, to, tmp_path, etag=None)
    assert to.read_bytes() == BODY[::-1]


def test_a_local_file_that_was_cut_short_is_fetched_anew(server, tmp_path):
    to = tmp_path / "a.csv"
    fetched(server, to, tmp_path)
    to.write_bytes(BODY[:1000])
    fetched(server, to, tmp_path)
    assert to.read_bytes() == BODY


@pytest.mark.parametrize("wrong", [{"etag": "other-2"}, {"size": 299_999}, {"size": 300_001}])
def test_a_file_that_is_not_the_listed_one_is_an_error_and_not_in_place(server, tmp_path, wrong):
    with pytest.raises(SourceError, match=r"listed|expected|more than"):
        fetched(server, tmp_path / "a.csv", tmp_path, **wrong)
    assert not (tmp_path / "a.csv").exists()


@pytest.mark.parametrize(("status", "asked"), [(403, 1), (404, 1), (429, 4), (503, 4)])
def test_a_refused_file_is_asked_for_4_times_at_most(server, tmp_path, status, asked):
    server.faults.extend([as_html("no", status)] * 9)
    with pytest.raises(SourceError, match=str(status)):
        fetched(server, tmp_path / "a.csv", tmp_path)
    assert len(server.seen) == asked
    assert not (tmp_path / "a.csv").exists()


def test_a_full_disk_leaves_no_file_and_the_old_one_as_it_was(server, store, tmp_path):
    to = tmp_path / "a.csv"
    fetched(server, to, tmp_path)
    store.body, store.etag = BODY[::-1], "v2-2"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))  # a write beyond fails as on a full disk
    try:
        with pytest.raises(SourceError, match="free space"):
            fetched(server, to, tmp_path, etag="v2-2")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert to.read_bytes() == BODY
    fetched(server, to, tmp_path, etag="v2-2")
    assert to.read_bytes() == BODY[::-1]


def test_the_key_goes_to_its_ckan_and_not_to_the_store_it_redirects_to(store, server, tmp_path):
    hop = Reply(302, b"", {"Location": f"{server.other_url}/signed"})
    with serving(lambda _: hop) as ckan, polite(tmp_path, api_key=KEY) as session:
        session.send_key_to(ckan.url)
        fetch_file(session, f"{ckan.url}/dataset/1.csv", tmp_path / "a.csv", size=300_000)
    assert ckan.seen[0].headers["Authorization"] == KEY
    assert "Authorization" not in server.seen[0].headers
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
