import base64
import hashlib
import itertools
import logging
import shutil
import time

import pytest
from tests.ingestion.servers import FakeClock, Reply, as_html, as_json, polite, serving

from loadproof.errors import ConfigError, SourceError
from loadproof.ingestion import transport
from loadproof.ingestion.session import RateLimitedSession
from loadproof.ingestion.transport import Retries

KEY = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.Zm9vYmFyYmF6"
GOOD = as_json({"success": True, "result": 1})


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def timed(clock):
    """A server that notes the fake clock at each request; ``timed.times``."""
    times = []

    def answer(_):
        times.append(clock.now_s)
        return GOOD

    with serving(answer) as server:
        server.times = times
        yield server


def gaps(times):
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def entries(tmp_path):
    return list((tmp_path / "cache").glob("*.entry"))


# Pace


def test_ten_requests_to_one_host_are_at_least_1_s_apart(timed, tmp_path, clock):
    with polite(tmp_path, clock) as session:
        for number in range(10):
            session.fetch(f"{timed.url}/{number}")
    assert len(timed.times) == 10
    assert all(1.0 <= gap < 1.01 for gap in gaps(timed.times))


def test_spacing_holds_on_a_clock_between_two_milliseconds(timed, tmp_path):
    ticking = FakeClock(tick_s=0.000_37)
    with polite(tmp_path, ticking) as session:
        starts = []
        for number in range(20):
            session.fetch(f"{timed.url}/{number}")
            starts.append(ticking.now_s)
    assert min(gaps(starts)) >= 1.0


def test_two_hosts_do_not_wait_for_each_other(timed, tmp_path, clock):
    with polite(tmp_path, clock) as session:
        session.fetch(f"{timed.url}/1")
        session.fetch(f"{timed.other_url}/1")
        assert clock.slept == []
        session.fetch(f"{timed.url}/2")
    assert sum(clock.slept) == pytest.approx(1.0, abs=0.01)


def test_an_answer_from_the_cache_waits_for_nothing(timed, tmp_path, clock):
    with polite(tmp_path, clock) as session:
        for _ in range(5):
            session.fetch(f"{timed.url}/same")
    assert (len(timed.times), clock.slept) == (1, [])


def test_the_interval_is_a_setting_of_0_25_s_here(timed, tmp_path, clock):
    with polite(tmp_path, clock, interval_s=0.25) as session:
        for number in range(4):
            session.fetch(f"{timed.url}/{number}")
    assert all(0.25 <= gap < 0.26 for gap in gaps(timed.times))


def test_the_real_clock_spaces_3_requests_over_0_2_s(timed, tmp_path):
    timed.answer = lambda _: GOOD
    with RateLimitedSession(tmp_path / "cache", interval_s=0.1) as session:
        session.trust_env = False
        began = time.monotonic()  # arrivals at the server jitter on a busy machine; the whole span cannot shrink
        for number in range(3):
            session.fetch(f"{timed.url}/{number}")
        assert time.monotonic() - began >= 0.2


# Retries


def test_three_retries_mean_four_requests_each_in_its_turn(timed, tmp_path, clock):
    timed.faults.extend([as_html("no", 500)] * 3)
    times = []
    with polite(tmp_path, clock) as session:
        sent, send = [], session.get_adapter("http://")._send_once
        session.get_adapter("http://")._send_once = lambda *a, **k: (send(*a, **k), sent.append(clock.now_s))[0]
        assert session.fetch(timed.url).json()["success"] is True
        times = sent
    assert len(timed.seen) == 4
    assert min(gaps(times)) >= 1.0
    # 0.5 s of back-off leave 0.5 s of the limiter's turn; 1 s leaves its odd millisecond; 2 s leave nothing.
    assert clock.slept == pytest.approx([0.5, 0.501, 1.0, 0.001, 2.0])


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_status_that_stays_bad_is_asked_for_4_times_and_then_returned(timed, tmp_path, status):
    timed.faults.extend([as_html("no", status)] * 9)
    with polite(tmp_path) as session:
        assert session.fetch(timed.url).status_code == status
    assert len(timed.seen) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 416])
def test_a_refusal_is_asked_for_once_even_with_retry_after(timed, tmp_path, clock, status):
    timed.faults.append(as_json({}, status, **{"Retry-After": "1"}))
    with polite(tmp_path, clock) as session:
        assert session.fetch(timed.url).status_code == status
    assert (len(timed.seen), clock.slept) == (1, [])


DATES = {"Date": "Fri, 01 Mar 2024 12:00:00 GMT", "Retry-After": "Fri, 01 Mar 2024 12:00:09 GMT"}


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "86400"}, 60.0),
        ({"Retry-After": "9" * 400}, 0.5),
        ({}, 0.5),
        ({"Retry-After": "soon"}, 0.5),
        ({"Retry-After": "-5"}, 0.5),
        ({"Retry-After": "٣"}, 0.5),
        (DATES, 9.0),
        ({**DATES, "Retry-After": "Fri, 01 Mar 2024 11:00:00 GMT"}, 0.0),
        ({**DATES, "Retry-After": "Fri, 01 Mar 2030 11:00:00 GMT"}, 60.0),
        ({"Retry-After": DATES["Retry-After"]}, 0.5),
    ],
)
def test_retry_after_is_honoured_up_to_60_s(headers, wait_s):
    response = transport.requests.Response()
    response.status_code, response.headers = 429, transport.requests.structures.CaseInsensitiveDict(headers)
    assert Retries().wait_s(0, response) == wait_s


def test_a_429_that_asks_for_7_s_is_given_7_s(timed, tmp_path, clock):
    timed.faults.append(as_html("slow down", 429).__class__(429, b"", {"Retry-After": "7"}))
    with polite(tmp_path, clock) as session:
        assert session.fetch(timed.url).ok
    assert clock.slept == [7.0]
    assert gaps([1000.0, *timed.times]) == [7.0]


@pytest.mark.parametrize("length", [True, False], ids=["with Content-Length", "JSON without a length"])
def test_a_body_cut_in_the_middle_is_asked_for_again(timed, tmp_path, length):
    timed.faults.append(Reply(200, GOOD.body, GOOD.headers, cut_at=9, length=length))
    with polite(tmp_path) as session:
        assert session.fetch(timed.url).content == GOOD.body
        assert session.fetch(timed.url).content == GOOD.body
    assert len(timed.seen) == 2


def test_a_body_that_is_always_cut_is_an_error_after_4_requests_and_never_kept(timed, tmp_path):
    timed.faults.extend([Reply(200, GOOD.body, GOOD.headers, cut_at=9)] * 9)
    with polite(tmp_path) as session, pytest.raises(SourceError, match=r"no whole answer .*run again"):
        session.fetch(timed.url)
    assert len(timed.seen) == 4
    assert entries(tmp_path) == []


def test_a_server_that_hangs_for_a_minute_is_asked_again_after_the_read_timeout_of_1_s(timed, tmp_path):
    timed.faults.append(Reply(200, b"", hang_s=60))
    started = time.monotonic()
    with polite(tmp_path, timeout_s=(5.0, 1.0)) as session:
        assert session.get(timed.url).ok  # without a timeout of its own
    assert len(timed.seen) >= 2  # a loaded machine may be late with the good answer too
    assert time.monotonic() - started < 30


def test_a_closed_port_is_tried_4_times_and_named(tmp_path, clock):
    with serving(lambda _: GOOD) as server:
        gone = server.url
    with polite(tmp_path, clock) as session, pytest.raises(SourceError, match=f"{gone}: no whole answer"):
        session.fetch(gone)
    assert [wait for wait in clock.slept if wait in (0.5, 1.0, 2.0)] == [0.5, 1.0, 2.0]


def test_a_tls_error_is_not_tried_again(timed, tmp_path, clock):
    with polite(tmp_path, clock) as session, pytest.raises(SourceError, match="SSLError"):
        session.fetch(timed.url.replace("http:", "https:"))
    assert clock.slept == []


def test_a_post_is_never_sent_twice(timed, tmp_path):
    with polite(tmp_path) as session:
        timed.faults.extend([as_html("no", 500)] * 9)
        assert session.post(timed.url, data={}).status_code == 500
    assert [seen.method for seen in timed.seen] == ["POST"]


def test_three_requests_share_one_connection(timed, tmp_path):
    with polite(tmp_path) as session:
        for number in range(3):
            session.fetch(f"{timed.url}/{number}")
    assert len({seen.client_port for seen in timed.seen}) == 1


def test_an_answer_above_the_bound_is_refused(timed, tmp_path, monkeypatch):
    monkeypatch.setattr(transport, "_LONGEST_BODY_BYTES", 10)
    with polite(tmp_path) as session, pytest.raises(SourceError, match="more than 0 MiB"):
        session.fetch(timed.url)
    assert len(timed.seen) == 1


# Cache


def test_url_and_parameters_make_the_entry_and_their_order_does_not(timed, tmp_path):
    with polite(tmp_path) as session:
        for params in (
            {"a": "1", "b": "2"},
            {"b": "2", "a": "1"},
            {"a": "1", "b": "3"},
            {"a": "1"},
            {"a": "1", "b": ""},
        ):
            session.fetch(f"{timed.url}/x", params)
        session.fetch(f"{timed.url}/y", {"a": "1"})
        session.head(f"{timed.url}/y", params={"a": "1"}, allow_redirects=True)
    assert [seen.target for seen in timed.seen] == ["/x?a=1&b=2", "/x?a=1&b=3", "/x?a=1", "/x?a=1&b=", "/y?a=1"]


def test_the_next_session_finds_what_the_last_one_kept(timed, tmp_path):
    for _ in range(2):
        with polite(tmp_path) as session:
            assert session.fetch(timed.url).json() == {"success": True, "result": 1}
    assert len(timed.seen) == 1


def test_an_entry_older_than_its_50_ms_is_asked_for_again_and_removed_at_the_end(timed, tmp_path):
    with polite(tmp_path, expire_after_s=0.05) as session:
        session.fetch(timed.url)
        time.sleep(0.06)
        session.fetch(timed.url)
        assert len(timed.seen) == 2
        time.sleep(0.06)
    assert entries(tmp_path) == []


def test_force_refresh_asks_anew_and_keeps_the_new_answer(timed, tmp_path):
    counter = itertools.count()
    timed.answer = lambda _: as_json({"n": next(counter)})
    with polite(tmp_path) as session:
        numbers = [session.fetch(timed.url, force_refresh=force).json()["n"] for force in (False, True, False)]
    assert numbers == [0, 1, 1]
    with polite(tmp_path, force_refresh=True) as session:
        assert session.fetch(timed.url).json()["n"] == 2
    with polite(tmp_path) as session:
        assert session.get(timed.url).json()["n"] == 2
        assert session.get(timed.url, force_refresh=True).json()["n"] == 3


@pytest.mark.parametrize(
    "reply",
    [
        as_json({"success": False, "error": {"message": "Access denied"}}),
        as_html("<h1>are you a robot?</h1>", 200),
        as_json({"success": "true"}),
        as_json({"no": "envelope"}),
        Reply(200, b'{"success": tru', {"Content-Type": "text/plain"}),
        Reply(200, b'{"a":' * 200_000 + b'"success"', {"Content-Type": "text/plain"}),
        as_json({"success": True}, 404),
        as_json({"success": True}, 403),
        as_json({"success": True}, 201),
        as_json({"success": True}, 500),
    ],
    ids=["success false", "HTML", "success text", "no envelope", "broken", "deep", "404", "403", "201", "500"],
)
def test_what_is_no_success_is_never_kept(timed, tmp_path, reply):
    timed.answer = lambda _: reply
    with polite(tmp_path) as session:
        for _ in range(2):
            session.fetch(f"{timed.url}/api/3/action/package_show")
    assert len(timed.seen) == (8 if reply.status == 500 else 2)
    assert entries(tmp_path) == []


def signed(text):
    """An entry whose checksum holds although no session wrote it."""
    return hashlib.sha256(text).hexdigest().encode() + b"\n" + text


def changed_body(data):
    """Say 2 instead of 1 in the kept body, which stays sound base64 and JSON."""
    body, other = base64.b64encode(GOOD.body), base64.b64encode(GOOD.body.replace(b"1", b"2"))
    assert data.count(body) == 1
    return data.replace(body, other)


DAMAGE = {
    "empty": lambda data: b"",
    "truncated": lambda data: data[: len(data) // 2],
    "another body": changed_body,
    "NULs": lambda data: b"\x00" * len(data),
    "not UTF-8": lambda data: b"\xff\xfe" * 100,
    "a pickle": lambda data: b"\x80\x04cos\nsystem\n",
    "an empty object that is signed": lambda data: signed(b"{}"),
    "a list that is signed": lambda data: signed(b"[]"),
    "wrong types that are signed": lambda data: signed(b'{"status_code": [], "headers": 3, "elapsed": "x"}'),
    "depth that is signed": lambda data: signed(b"[" * 100_000),
    "not UTF-8 that is signed": lambda data: signed(b"\xff"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_entry_is_a_miss_and_is_replaced(timed, tmp_path, name):
    with polite(tmp_path) as session:
        session.fetch(timed.url)
        (entry,) = entries(tmp_path)
        entry.write_bytes(DAMAGE[name](entry.read_bytes()))
        for _ in range(2):
            assert session.fetch(timed.url).json() == {"success": True, "result": 1}
    assert len(timed.seen) == 2


def test_a_cache_that_cannot_be_written_costs_a_warning_and_not_the_answer(timed, tmp_path, caplog):
    with polite(tmp_path) as session:
        shutil.rmtree(tmp_path / "cache")
        assert session.fetch(timed.url).ok
    assert "could not be kept" in caplog.text


def test_a_cache_folder_that_is_a_file_is_a_clear_error(tmp_path):
    (tmp_path / "cache").write_text("")
    with pytest.raises(ConfigError, match="name another"), polite(tmp_path):
        pass


def test_a_stream_of_1_mb_never_enters_the_cache_redirected_or_not(timed, tmp_path):
    big = Reply(200, b"x" * 1_000_000, {"Content-Type": "text/csv"})
    timed.answer = lambda seen: Reply(302, b"", {"Location": "/big"}) if seen.path == "/hop" else big
    with polite(tmp_path) as session:
        for path in ("/big", "/hop", "/big"):
            with session.get(timed.url + path, stream=True) as response:
                assert sum(map(len, response.iter_content(1 << 16))) == 1_000_000
    assert len(timed.seen) == 4
    assert entries(tmp_path) == []


def test_a_redirected_answer_is_not_kept_because_its_address_may_be_signed(timed, tmp_path):
    signed = "/file?X-Amz-Signature=0123456789abcdef"
    timed.answer = lambda seen: Reply(302, b"", {"Location": signed}) if seen.path == "/hop" else GOOD
    with polite(tmp_path) as session:
        for _ in range(2):
            assert session.fetch(f"{timed.url}/hop").ok
    assert len(timed.seen) == 4
    assert entries(tmp_path) == []


def test_an_endless_redirect_ends_after_6_requests(timed, tmp_path):
    timed.answer = lambda seen: Reply(302, b"", {"Location": f"{seen.path}x"})
    with polite(tmp_path) as session, pytest.raises(SourceError, match="TooManyRedirects"):
        session.fetch(f"{timed.url}/a")
    assert len(timed.seen) == 6


def test_another_version_is_another_entry_and_is_never_sent(timed, tmp_path):
    with polite(tmp_path) as session:
        for version in ("2024-01-01T00:00:00#1", "2024-01-02", "2024-01-02", None, None):
            session.fetch(f"{timed.url}/table", {"a": "1"}, version=version)
    assert [seen.target for seen in timed.seen] == ["/table?a=1"] * 4
    assert len(entries(tmp_path)) == 2


# Credentials


def traces(text):
    """A key's forms that must appear nowhere: itself, and in base64 at each of three alignments."""
    forms = [base64.b64encode(b"\0" * shift + text.encode())[4:-4] for shift in range(3)]
    return [text.encode(), *forms]


def test_the_key_goes_raw_to_its_own_host_and_to_no_other(timed, tmp_path):
    with polite(tmp_path, api_key=f"  {KEY}\n") as session:
        session.fetch(f"{timed.url}/before")
        session.send_key_to(timed.url)
        session.fetch(f"{timed.url}/own")
        session.fetch(f"{timed.other_url}/other")
        with serving(timed.answer) as other_port:
            session.fetch(f"{other_port.url}/third")
    assert "Authorization" not in other_port.seen[0].headers
    sent = {seen.path: seen.headers.get("Authorization") for seen in timed.seen}
    assert sent == {"/before": None, "/own": KEY, "/other": None}


def test_a_redirect_elsewhere_drops_the_key_and_one_back_has_it_again(timed, tmp_path):
    hops = {"/1": timed.url + "/2", "/2": timed.other_url + "/3", "/3": timed.url + "/4"}
    timed.answer = lambda seen: Reply(302, b"", {"Location": hops[seen.path]}) if seen.path in hops else GOOD
    with polite(tmp_path, api_key=KEY) as session:
        session.send_key_to(timed.url)
        response = session.fetch(f"{timed.url}/1")
    assert [seen.headers.get("Authorization") for seen in timed.seen] == [KEY, KEY, None, KEY]
    assert all("Authorization" not in each.request.headers for each in (response, *response.history))


def test_the_key_appears_in_no_log_no_entry_no_message_and_no_repr(timed, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    echo = as_json({"success": True, "result": f"you said {KEY}"})
    texts = []
    with polite(tmp_path, api_key=KEY, timeout_s=(1, 0.2)) as session:
        session.send_key_to(timed.url)
        timed.faults.extend([None, echo, as_html("no", 500), Reply(429, b"", {"Retry-After": "1"})])
        timed.faults.extend([Reply(302, b"", {"Location": timed.other_url + "/there"}), None])
        for number in range(5):
            response = session.fetch(f"{timed.url}/{number}")
            texts += [repr(response), repr(response.request.headers), str(vars(response.request))]
        texts.append(session.redact(f"CKAN says {KEY}"))
        for fault in (
            Reply(200, b"x" * 9, cut_at=2),
            Reply(200, hang_s=9),
            Reply(302, b"", {"Location": f"ftp://{KEY}/"}),
        ):
            timed.faults.extend([fault] * 4)
            with pytest.raises(SourceError) as caught:
                session.fetch(f"{timed.url}/bad")
            error = caught.value.__cause__
            texts += [str(caught.value), repr(caught.value), str(vars(error.request)) if error.request else ""]
        texts += [repr(session), str(session), repr(session.settings), repr(session.cache), repr(session._key)]
    assert sum(seen.headers.get("Authorization") == KEY for seen in timed.seen) > 10
    assert len(caplog.records) > 50
    kept = [path.read_bytes() + path.name.encode() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept
    for text in [caplog.text.encode(), *(text.encode() for text in texts), *kept]:
        assert not any(trace in text for trace in traces(KEY))


def test_what_one_is_told_without_the_key_is_not_what_its_holder_gets(timed, tmp_path):
    timed.answer = lambda seen: as_json({"told": "all" if "Authorization" in seen.headers else "little"})
    told = []
    for key in (None, KEY, "another", None, KEY):
        with polite(tmp_path, api_key=key) as session:
            session.send_key_to(timed.url)
            told.append(session.fetch(timed.url).json()["told"])
    assert told == ["little", "all", "all", "little", "all"]
    assert len(timed.seen) == 3


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "nul\0", "schlüssel"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(tmp_path, key):
    with pytest.raises(ConfigError, match="copy it again") as caught:
        RateLimitedSession(tmp_path, api_key=key)
    assert key not in str(caught.value)


def test_no_netrc_speaks_for_the_user(timed, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text(
        "machine 127.0.0.1 login me password hidden\nmachine localhost login me password x\n"
    )
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    timed.answer = lambda seen: Reply(302, b"", {"Location": timed.other_url}) if seen.path == "/a" else GOOD
    with polite(tmp_path) as session:
        session.trust_env = True
        session.fetch(f"{timed.url}/a")
    assert [seen.headers.get("Authorization") for seen in timed.seen] == [None, None]


def test_cookies_are_neither_sent_back_nor_kept(timed, tmp_path):
    timed.answer = lambda _: as_json({"n": 1}, **{"Set-Cookie": "auth_tkt=4f2a9c; Path=/"})
    with polite(tmp_path) as session:
        for path in ("/1", "/2"):
            assert "Set-Cookie" not in session.fetch(timed.url + path).headers
    assert all("Cookie" not in seen.headers for seen in timed.seen)
    assert len(entries(tmp_path)) == 2
    assert all(b"4f2a9c" not in entry.read_bytes() for entry in entries(tmp_path))


def test_each_request_names_loadproof_as_its_user_agent(timed, tmp_path):
    with polite(tmp_path) as session:
        session.fetch(timed.url)
    assert timed.seen[0].headers["User-Agent"].startswith("Mozilla/5.0 (compatible; loadproof/")


@pytest.mark.parametrize("settings", [{"interval_s": -1}, {"interval_s": float("nan")}, {"expire_after_s": 0},
                                      {"timeout_s": (0, 1)}])  # fmt: skip
def test_a_time_out_of_range_is_refused(tmp_path, settings):
    with pytest.raises(ConfigError, match="take an interval"):
        RateLimitedSession(tmp_path, **settings)
