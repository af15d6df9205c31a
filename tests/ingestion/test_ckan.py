import logging
import math
import re
from contextlib import contextmanager

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ingestion.servers import Reply, StubCKAN, as_html, as_json, polite, serving

from loadproof.errors import ConfigError, SourceError
from loadproof.ingestion.ckan import CKANClient, connect_ckan
from loadproof.ingestion.ckan_errors import CKANError, parse_answer, plain

KEY = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.Zm9vYmFyYmF6"
TABLE = "1cce1fb4-d7f4-4309-b9e3-943bd4d18618"


def rows(count, first=1):
    return [
        {"_id": number, "dataset_id": f"{number:012d}", "wh": f"{number}.0"} for number in range(first, first + count)
    ]


@pytest.fixture(params=[True, False], ids=["2.11", "2.12"])
def stub(request):
    """A CKAN of both generations with a table of 25 rows, which hands out at most 10 at a time."""
    stub = StubCKAN(links=request.param, rows_max=10)
    stub.tables[TABLE], stub.modified[TABLE] = rows(25), "2024-03-01T10:00:00.000001"
    stub.packages["feeders"] = {"id": "f", "resources": [{"id": TABLE, "size": None}], "tags": []}
    return stub


@pytest.fixture
def ckan(stub):
    with serving(stub.answer) as server:
        yield server


@pytest.fixture
def client(ckan, tmp_path):
    with polite(tmp_path) as session:
        yield CKANClient(session, ckan.url)


def walked(client, **asked):
    return [row["_id"] for page in client.datastore_records(TABLE, **asked) for row in page]


@contextmanager
def client_of(answer, tmp_path, **settings):
    """A client of a server that answers thus; ``client.server`` is the server."""
    with serving(answer) as server, polite(tmp_path, **settings) as session:
        client = CKANClient(session, server.url)
        client.server = server
        yield client


# Actions


def test_a_package_comes_with_its_1_resource_and_is_kept(client, ckan):
    for _ in range(3):
        assert [resource["id"] for resource in client.package_show("feeders")["resources"]] == [TABLE]
    assert ckan.paths() == ["package_show"]


def test_parameters_travel_as_flat_text_and_nothing_else(client, ckan):
    client.action("datastore_search", resource_id=TABLE, limit=3, filters={"dataset_id": ["1"]}, q=None, distinct=True)
    assert ckan.seen[0].query == {
        "resource_id": TABLE, "limit": "3", "filters": '{"dataset_id": ["1"]}', "distinct": "true"
    }  # fmt: skip


def refusal(reply, tmp_path, **settings):
    with serving(lambda _: reply) as server, polite(tmp_path, **settings) as session:
        client = CKANClient(session, server.url)
        with pytest.raises(CKANError) as caught:
            client.package_show("feeders")
        assert list((tmp_path / "cache").glob("*.entry")) == []
    return caught.value, len(server.seen)


def envelope(error, status):
    return as_json({"help": "h", "success": False, "error": error}, status)


@pytest.mark.parametrize(
    ("reply", "says", "requests"),
    [
        (envelope({"__type": "Not Found Error", "message": "Not found"}, 404),
         "status 404 Not Found: Not Found Error: Not found; check the id", 1),
        (envelope({"__type": "Authorization Error", "message": "Access denied"}, 403),
         "Authorization Error: Access denied; set SSEN_API_KEY to a valid token", 1),
        (envelope({"resource_id": ["Missing value"], "__type": "Validation Error"}, 409),
         "Validation Error: resource_id: Missing value; mend the parameter", 1),
        (envelope({"a": ["one", "two"], "b": "three", "__type": "Validation Error"}, 409),
         "Validation Error: a: one; two, b: three; mend", 1),
        (envelope({"message": "Bad", "__type": "Search Query Error"}, 400),
         "Search Query Error: Bad; check --ckan-url", 1),
        (as_json("Bad request - Action name not known: foo", 400),
         "status 400 Bad Request: Bad request - Action name not known: foo; check --ckan-url", 1),
        (as_json("Bad request: Action name not known: foo", 400), "Action name not known: foo; check", 1),
        (envelope({"__type": "Authorization Error", "message": "Access denied"}, 200),
         "status 200 OK: Authorization Error: Access denied; check the request", 1),
        (envelope("a text", 409), "a text; mend", 1),
        (as_json({"success": False}, 409), "success: False; mend", 1),
        (as_json({"success": True, "result": {}}, 404), "status 404", 1),
        (as_json([1, 2], 200), r"\[1, 2\]; check the request", 1),
        (as_json(None, 200), "None; check the request", 1),
        (as_html("<html><style>h1 {}</style><h1>Access restricted\n to UK for this endpoint</h1></html>", 403),
         "403 Forbidden: Access restricted to UK for this endpoint; a gateway answered, not CKAN .*--source files", 1),
        (as_html("<title>Sign in</title>", 200), "status 200 OK: Sign in; this is no CKAN: check --ckan-url", 1),
        (as_html("", 404), "nothing said; this is no CKAN", 1),
        (as_html("<h1>slow down</h1>", 429), "status 429 Too Many Requests: slow down; .*--rate-limit", 4),
        (as_html("<h1>Bad gateway</h1>", 502), "status 502 Bad Gateway: Bad gateway; try again later", 4),
        (as_json("Internal Server Error", 500), "Internal Server Error: Internal Server Error; try again later", 4),
        (envelope({"__type": "Search Index Error", "message": "Solr"}, 500), "Search Index Error: Solr; try again", 4),
        (Reply(200, b'{"success": true, "result"'), "this is no CKAN", 1),
        (Reply(200, b"[" * 100_000), "this is no CKAN", 1),
        (Reply(200, b"\x00\xff\x1b[31mred" * 3), "red.*; this is no CKAN", 1),
    ],
)  # fmt: skip
def test_each_refusal_says_what_ckan_said_and_how_to_mend_it(reply, says, requests, tmp_path):
    error, asked = refusal(reply, tmp_path)
    assert re.search(says, str(error)), str(error)
    assert asked == requests
    assert str(error).isprintable()
    assert error.status == reply.status


def test_a_refusal_that_quotes_the_key_does_not_show_it_even_at_the_cut(tmp_path):
    for lead in range(150, 215, 5):
        error, _ = refusal(as_html("x" * lead + KEY, 403), tmp_path, api_key=KEY)
        assert "eyJ" not in str(error) + error.said
    error, _ = refusal(envelope({"message": f"token {KEY} is stale", "__type": "Authorization Error"}, 403), tmp_path,
                       api_key=KEY)  # fmt: skip
    assert error.said == "Authorization Error: token [key] is stale"


def test_a_token_opens_what_is_closed_without_it(stub, ckan, tmp_path):
    stub.packages["private"], stub.private["private"] = {"resources": []}, KEY
    for key, opens in ((None, False), (KEY, True), ("wrong", False)):
        with polite(tmp_path, api_key=key) as session:
            client = CKANClient(session, ckan.url)
            if opens:
                assert client.package_show("private") == {"resources": []}
            else:
                with pytest.raises(CKANError, match="SSEN_API_KEY"):
                    client.package_show("private")


@pytest.mark.parametrize("result", [None, [], {}, {"resources": None}, {"resources": [1]}])
def test_a_package_without_a_list_of_resources_is_an_error(result, tmp_path):
    answer = as_json({"success": True, "result": result})
    with (
        client_of(lambda _: answer, tmp_path) as client,
        pytest.raises(SourceError, match=r"no list of .*--package-id"),
    ):
        client.package_show("feeders")


@pytest.mark.parametrize("name", ["../user_list", "Package_show", "", "a?b"])
def test_an_action_is_a_plain_name(client, ckan, name):
    with pytest.raises(ConfigError):
        client.action(name)
    assert ckan.seen == []


# The walk


def test_a_walk_pages_by_the_10_rows_that_came_and_not_by_the_32000_asked_for(client, ckan):
    pages = list(client.datastore_records(TABLE))
    assert [len(page) for page in pages] == [10, 10, 5]
    assert pages[0][0] == {"_id": 1, "dataset_id": "000000000001", "wh": "1.0"}
    assert [row["_id"] for page in pages for row in page] == list(range(1, 26))
    searches = [seen.query for seen in ckan.seen if seen.path.endswith("datastore_search")]
    assert [query["offset"] for query in searches] == ["0", "10", "20"]
    assert all((query["sort"], query["limit"]) == ("_id", "32000") for query in searches)
    assert [query.get("include_total") for query in searches] == [None, "false", "false"]
    assert ckan.paths()[0] == ckan.paths()[-1] == "resource_show"


@pytest.mark.parametrize(("count", "searches"), [(0, 1), (1, 1), (9, 1), (10, 2), (11, 2), (20, 3)])
def test_a_walk_of_n_rows_ends(stub, client, ckan, count, searches):
    stub.tables[TABLE] = rows(count)
    assert walked(client) == list(range(1, count + 1))
    assert ckan.paths().count("datastore_search") == searches


def test_a_second_walk_asks_only_whether_the_resource_changed(client, ckan, stub):
    walked(client)
    before = len(ckan.seen)
    assert walked(client) == list(range(1, 26))
    assert ckan.paths()[before:] == ["resource_show"] * 2
    assert walked(client, force_refresh=True) == list(range(1, 26))
    assert ckan.paths().count("datastore_search") == 6


def test_a_resource_that_changed_since_is_walked_anew(client, stub):
    walked(client)
    stub.tables[TABLE], stub.modified[TABLE] = rows(12), "2024-03-02T10:00:00"
    assert walked(client) == list(range(1, 13))


def test_a_resource_without_dates_is_never_taken_from_the_cache(client, ckan, stub):
    stub.modified[TABLE] = None
    walked(client)
    stub.tables[TABLE] = rows(3)
    assert walked(client) == [1, 2, 3]


def at_search(number, change):
    return lambda this: change() if this == number else None


def test_a_row_inserted_between_pages_is_noticed_and_walked_once_more(client, stub, ckan, caplog):
    stub.tables[TABLE] = rows(25, first=10)
    stub.before_search = at_search(2, lambda: stub.tables[TABLE].append({"_id": 1, "dataset_id": "x", "wh": "0"}))
    assert walked(client) == [1, *range(10, 35)]
    assert "_id 19 came after 19" in caplog.text
    assert ckan.paths().count("datastore_search") == 5


def test_a_row_deleted_between_pages_is_noticed_by_the_total(client, stub, caplog):
    stub.before_search = at_search(2, lambda: stub.tables[TABLE].pop(0))
    assert walked(client) == list(range(2, 26))
    assert "24 rows came of 25" in caplog.text


def test_a_reload_that_restarts_the_ids_is_noticed(client, stub, caplog):
    def reload():
        stub.tables[TABLE] = [{**row, "wh": "new"} for row in rows(30)]
        stub.modified[TABLE] = "2024-03-02T10:00:00"

    stub.before_search = at_search(3, reload)
    pages = list(client.datastore_records(TABLE))
    assert [row["_id"] for page in pages for row in page] == list(range(1, 31))
    assert {row["wh"] for page in pages for row in page} == {"new"}
    assert caplog.text.count("changed while it was read") == 1


def test_a_reload_that_only_the_dates_tell_is_noticed(client, stub, caplog):
    def reload():
        stub.tables[TABLE] = [{**row, "wh": "new"} for row in rows(25)]
        stub.modified[TABLE] = "2024-03-02T10:00:00"

    stub.before_search = at_search(2, reload)
    assert {row["wh"] for page in client.datastore_records(TABLE) for row in page} == {"new"}
    assert "its date of change moved" in caplog.text


def test_a_table_that_always_changes_is_a_clear_error_and_yields_nothing(client, stub, ckan):
    stub.before_search = lambda number: stub.tables[TABLE].append({"_id": -number, "dataset_id": "x", "wh": "0"})
    got = []
    with pytest.raises(SourceError, match=rf"table {TABLE} changed twice while it was read .*try again later"):
        got.extend(client.datastore_records(TABLE))
    assert got == []
    assert ckan.paths().count("resource_show") == 2


def test_an_estimated_total_is_not_taken_for_a_count(client, stub):
    stub.estimated = True
    assert walked(client) == list(range(1, 26))


def test_gaps_between_ids_are_no_fault(client, stub):
    stub.tables[TABLE] = [row for row in rows(60) if row["_id"] % 3]
    assert walked(client) == [number for number in range(1, 61) if number % 3]


def test_ids_that_come_as_text_are_numbers(client, stub):
    stub.tables[TABLE] = [{**row, "_id": str(row["_id"])} for row in rows(9)]
    assert walked(client) == [str(number) for number in range(1, 10)]


@pytest.mark.parametrize("row", [{"dataset_id": "1"}, {"_id": None}, {"_id": "x"}, {"_id": [1]}, {"_id": math.inf}])
def test_a_row_without_a_number_cannot_be_walked(row, tmp_path):
    answers = {"resource_show": {"last_modified": "2024"}, "datastore_search": {"records": [row], "total": 1}}

    def answer(seen):
        return as_json({"success": True, "result": answers[seen.path.rsplit("/", 1)[-1]]})

    with client_of(answer, tmp_path) as client, pytest.raises(SourceError, match="fetch its file instead"):
        list(client.datastore_records(TABLE))


@pytest.mark.parametrize("result", [None, [], {}, {"records": None}, {"records": "a,b"}, {"records": [[1, 2]]}])
def test_a_page_that_is_none_is_an_error(result, tmp_path):
    def answer(seen):
        return as_json({"success": True, "result": result if "search" in seen.path else {"last_modified": "2024"}})

    with client_of(answer, tmp_path) as client, pytest.raises(SourceError, match="without rows in 'records'"):
        list(client.datastore_records(TABLE))


def test_a_search_that_takes_too_long_goes_on_with_half_the_rows(client, stub, ckan):
    slow = stub.error(409, {"query": ["Search took too long"], "__type": "Validation Error"})
    ckan.faults.extend([None, None, slow, slow])
    assert walked(client) == list(range(1, 26))
    limits = [seen.query["limit"] for seen in ckan.seen if "limit" in seen.query]
    assert limits == ["32000", "32000", "16000", "8000", "8000"]


def test_a_search_that_always_takes_too_long_ends_at_100_rows(tmp_path, stub):
    slow = stub.error(409, {"query": ["Search took too long"], "__type": "Validation Error"})

    def answer(seen):
        return slow if "search" in seen.path else stub.answer(seen)

    with client_of(answer, tmp_path) as client, pytest.raises(CKANError, match="Search took too long"):
        list(client.datastore_records(TABLE))
    assert client.server.seen[-1].query["limit"] == "100"
    assert len(client.server.seen) == 2 + math.ceil(math.log2(320))


def test_faults_in_the_middle_of_a_walk_cost_no_row(client, ckan):
    cut = as_json({"success": True, "result": {"records": []}})
    ckan.faults.extend(
        [None, Reply(429, b""), None, as_html("oops", 503), Reply(200, cut.body, cut.headers, cut_at=20)]
    )
    assert walked(client) == list(range(1, 26))
    assert len(ckan.seen) == 5 + 3


def test_a_table_that_is_gone_is_named(client):
    with pytest.raises(CKANError, match=r'Resource "gone" was not found\.; check the id'):
        list(client.datastore_records("gone"))


def test_frames_hold_text_as_a_csv_would(client, stub):
    stub.tables[TABLE] = [
        {"_id": 1, "dataset_id": "000200200402", "wh": 3737.5, "ok": True},
        {"_id": 2, "dataset_id": None, "wh": "15.0", "ok": None},
        {"_id": 3, "dataset_id": "", "wh": 15},
    ]
    (frame,) = client.datastore_frames(TABLE)
    assert frame.schema == dict.fromkeys(["_id", "dataset_id", "wh", "ok"], pl.String())
    assert frame.rows() == [
        ("1", "000200200402", "3737.5", "true"),
        ("2", None, "15.0", None),
        ("3", "", "15", None),
    ]


@pytest.mark.parametrize("resource", [None, [], "2024", 7, {}])
@pytest.mark.parametrize("fields", [None, 7, [7, None, {"type": "text"}], [{"id": "_id"}, {"id": "a\ud800"}]])
def test_a_table_told_of_in_strange_shapes_is_a_table_all_the_same(fields, resource, tmp_path):
    page = {"records": [{"_id": 1, "a\ud800": "b\udfff"}], "total": 1, "fields": fields}

    def answer(seen):
        return as_json({"success": True, "result": page if "search" in seen.path else resource})

    with client_of(answer, tmp_path) as client:
        (frame,) = client.datastore_frames(TABLE)
    assert frame["_id"].to_list() == ["1"] and len(frame.columns) == 2


def test_half_a_character_that_only_json_can_write_is_marked(client, stub):
    stub.tables[TABLE] = [{"_id": 1, "name": "ROAD \ud800"}]
    (frame,) = client.datastore_frames(TABLE)
    assert frame["name"].to_list() == ["ROAD ?"]


def test_an_empty_table_is_one_frame_of_no_rows(client, stub):
    stub.tables[TABLE] = []
    assert [frame.height for frame in client.datastore_frames(TABLE)] == [0]


def test_a_full_disk_in_the_walk_is_a_clear_error(client, tmp_path):
    for entry in (tmp_path / "cache").iterdir():
        entry.unlink()
    (tmp_path / "cache").rmdir()
    with pytest.raises(SourceError, match="cannot be set aside"):
        list(client.datastore_records(TABLE))


# Which site


def test_a_users_url_is_taken_alone_and_is_not_probed(ckan, tmp_path):
    with polite(tmp_path) as session:
        assert connect_ckan(session, f"{ckan.url}/api/3/action/", candidates=("http://unused",)).base_url == ckan.url
    assert ckan.seen == []


def test_the_first_candidate_that_answers_is_taken_without_a_word(ckan, tmp_path, caplog):
    caplog.set_level(logging.INFO, "loadproof")
    with polite(tmp_path) as session:
        assert connect_ckan(session, candidates=(ckan.url, ckan.other_url)).base_url == ckan.url
    assert (ckan.paths(), caplog.text) == (["status_show"], "")


@pytest.mark.parametrize("portal", [as_html("<div id='__next'></div>", 200), as_html("no", 404), as_json({"a": 1}),
                                    as_html("Access restricted to UK", 403), None])  # fmt: skip
def test_where_the_portal_is_no_ckan_the_second_is_taken_in_one_log_line(ckan, tmp_path, caplog, portal):
    caplog.set_level(logging.INFO, "loadproof.ingestion.ckan")
    with serving(lambda _: portal) as front, polite(tmp_path, api_key=KEY) as session:
        first = front.url if portal else "http://127.0.0.1:9"
        client = connect_ckan(session, None, candidates=(first, ckan.url))
        client.package_show("feeders")
    assert client.base_url == ckan.url
    assert len([record for record in caplog.records if record.name == "loadproof.ingestion.ckan"]) == 1
    assert f"takes {ckan.url}: {first} does not answer" in caplog.text
    assert all("Authorization" not in seen.headers for seen in front.seen)
    assert [seen.headers.get("Authorization") for seen in ckan.seen] == [None, KEY]


def test_a_refusal_in_ckans_own_words_is_a_ckan(tmp_path):
    refusal = as_json("Bad request - Action name not known: status_show", 400)
    with serving(lambda _: refusal) as server, polite(tmp_path) as session:
        assert connect_ckan(session, candidates=(server.url,)).base_url == server.url


def test_no_candidate_is_an_error_that_names_each(tmp_path):
    says = r"404\); http://127.0.0.1:9 does not answer .*--ckan-url"
    with client_of(lambda _: as_html("no", 404), tmp_path) as client, pytest.raises(SourceError, match=says):
        connect_ckan(client._session, candidates=(client.server.url, "http://127.0.0.1:9"))


@pytest.mark.parametrize(
    "url", ["data.ssen.co.uk", "ftp://a", "http://", "http://a:b", "http://[", "http://a?b=c", "x"]
)
def test_an_address_that_is_none_is_refused(tmp_path, url):
    with polite(tmp_path) as session, pytest.raises(ConfigError, match="not an address such as https://data"):
        CKANClient(session, url)


def test_a_password_in_the_address_is_refused_and_not_repeated(tmp_path):
    with polite(tmp_path) as session, pytest.raises(ConfigError, match="leave that out") as caught:
        CKANClient(session, "https://me:hidden@data.ssen.co.uk/")
    assert "hidden" not in str(caught.value)


@given(st.binary(max_size=300))
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
def test_any_bytes_become_one_printable_line_of_at_most_203_characters(body):
    parse_answer(body)
    line = plain(body.decode(errors="replace"))
    assert line.isprintable()
    assert len(line) <= 203
