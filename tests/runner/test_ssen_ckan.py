import datetime as dt
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from tests.ingestion.servers import FakeClock, as_html, as_json, serving
from tests.runner.ssen_servers import (
    FILE_ID,
    LOOKUP,
    LOOKUP_ID,
    TABLE_ID,
    Bucket,
    Portal,
    day_csv,
    resource,
    table_rows,
)
from tests.runner.test_ingest import digests
from tests.runner.test_ssen import DAYS, readings
from typer.testing import CliRunner

from loadproof.cli import app as cli
from loadproof.cli import options
from loadproof.errors import ConfigError, SourceError
from loadproof.ingestion.sources import PACKAGE_ID
from loadproof.runner.ssen import Remote, ingest_ssen
from loadproof.store import Store

KEY = "eyJhbGciOiJIUzI1NiJ9.c2VjcmV0.Zm9vYmFyYmF6"
OTHER_ID = "dddddddd-0000-4000-8000-000000000004"
SOURCES = [f"ckan/{TABLE_ID}.csv", f"ckan/{FILE_ID}.csv"]


@pytest.fixture
def portal():
    return Portal()


@pytest.fixture
def server(portal):
    with serving(portal.answer) as server:
        yield server


def run(home, server, out="out", **settings):
    clock = FakeClock()
    remote = {"ckan_url": server.url if server else None, "candidates": (), "clock": clock, "sleep": clock.sleep}
    remote |= {name: settings.pop(name) for name in list(settings) if name in Remote.__dataclass_fields__}
    settings = {"source": "ckan", "api_key": None, "mode": "files", "max_rejected_share": 0.05, **settings}
    return ingest_ssen(home / "raw", Store(home / out / "processed"), remote=Remote(home / ".cache", **remote),
                       **settings)  # fmt: skip


def paths(seen):
    return [one.path.rpartition("/")[2] for one in seen]


# What a package lists


def test_a_table_of_8_rows_in_pages_of_3_and_a_file_of_8_become_16_readings_with_the_lookups_facts(
    tmp_path, server, portal, caplog
):
    caplog.set_level(logging.INFO)
    portal.resources += [
        resource("eeeeeeee-0000-4000-8000-000000000005", "metadata.xlsx", format="XLSX"),
        resource("eeeeeeee-0000-4000-8000-000000000006", "hidden.csv", private=True),
        resource("eeeeeeee-0000-4000-8000-000000000007", "draft.csv", state="draft"),
        {"name": "nameless.csv", "format": "CSV", "url": "https://x/y.csv"},
        resource("../../etc/passwd", "evil.csv"),
    ]
    report = run(tmp_path, server)
    assert (report.rows_written, report.rows_rejected, report.entities) == (16, 0, 2)
    assert sorted(source["name"] for source in report.sources) == sorted(SOURCES)
    assert paths(server.seen).count("datastore_search") == 3  # 3 + 3 + 2 rows of 8
    assert {seen.query["limit"] for seen in server.seen if seen.path.endswith("datastore_search")} == {"32000"}
    extras = json.loads(readings(tmp_path)["extras"][0])
    assert (extras["mpan_count"], extras["device_count"]) == (40, 15)
    assert pl.read_parquet(tmp_path / "out" / "network")["primary_substation_name"].to_list() == [
        "ALPHA",
        "ALPHA",
        None,
    ]
    assert (
        "leaves 5 of 8 resource(s) alone: metadata.xlsx (xlsx), hidden.csv (private, a draft or deleted), "
        "draft.csv (private, a draft or deleted), nameless.csv (no id), evil.csv (no id)"
    ) in caplog.text
    kept = {path.name for path in (tmp_path / ".cache" / "ssen_ckan").glob("[!.]*")}
    assert kept == {f"{TABLE_ID}.csv", f"{FILE_ID}.csv", "LV_FEEDER_LOOKUP.csv"}


def test_a_second_run_asks_for_the_package_and_dates_alone_and_reads_nothing(tmp_path, server, read):
    first = run(tmp_path, server)
    before, asked = digests(tmp_path / "out"), len(server.seen)
    read.clear()
    assert run(tmp_path, server) == first
    assert paths(server.seen[asked:]) == ["package_show", "resource_show", "resource_show"]
    assert read == []
    assert digests(tmp_path / "out") == before
    asked = len(server.seen)
    assert run(tmp_path, server, force_refresh=True) == first
    assert paths(server.seen[asked:]).count("datastore_search") == 3
    assert f"{FILE_ID}.csv" in paths(server.seen[asked:])
    assert digests(tmp_path / "out") == before


def test_a_resource_published_again_under_another_name_replaces_its_own_rows(tmp_path, server, portal, read):
    run(tmp_path, server)
    before = readings(tmp_path)
    read.clear()
    portal.tables[TABLE_ID] = table_rows(DAYS[0], 7000)
    portal.modified[TABLE_ID] = portal.resources[0]["last_modified"] = "2024-04-01T00:00:00"
    portal.resources[0]["name"] = "Usage, again"
    run(tmp_path, server)
    assert read == [SOURCES[0]]
    mine = pl.col("source") == SOURCES[0]
    assert readings(tmp_path).filter(~mine).equals(before.filter(~mine))
    assert readings(tmp_path).filter(mine)["energy_kwh"].to_list() == [7.0] * 8
    read.clear()
    portal.uploads[FILE_ID] = day_csv(DAYS[1], "8000.0", steps=3)
    portal.resources[1] |= {"last_modified": "2024-04-02T00:00:00", "name": "2024-02-13.csv, mended"}
    report = run(tmp_path, server)
    assert read == [SOURCES[1]]
    assert readings(tmp_path).filter(~mine)["energy_kwh"].to_list() == [8.0] * 6
    assert sorted(source["name"] for source in report.sources) == sorted(SOURCES)


@pytest.mark.parametrize("number", [int, float])
def test_ids_that_a_table_takes_for_numbers_get_their_zeros_back_and_are_counted(tmp_path, server, portal, caplog,
                                                                                 number):  # fmt: skip
    caplog.set_level(logging.INFO)
    portal.tables[TABLE_ID] = [
        {**row, "dataset_id": number(row["dataset_id"])} for row in table_rows(DAYS[0], 1000.0)
    ]  # fmt: skip
    report = run(tmp_path, server)
    assert (report.rows_rejected, report.entities) == (0, 2)
    assert f"{SOURCES[0]}: 8 row(s) have a dataset_id that was padded to 12 digits" in caplog.text
    assert json.loads(readings(tmp_path)["extras"][0])["id_padded"] is True


def test_days_outside_since_and_until_are_not_fetched_and_an_impossible_day_is_no_day(tmp_path, server, portal):
    portal.resources.append(resource(OTHER_ID, "2024-13-45.csv"))
    portal.uploads[OTHER_ID] = day_csv("2024-02-20")
    report = run(tmp_path, server, until=dt.date(2024, 2, 12))
    assert sorted(source["name"] for source in report.sources) == sorted([SOURCES[0], f"ckan/{OTHER_ID}.csv"])
    assert f"{FILE_ID}.csv" not in paths(server.seen)


def test_a_csv_without_any_column_of_readings_is_left_alone_and_a_damaged_one_is_reported(tmp_path, server, portal,
                                                                                           caplog):  # fmt: skip
    portal.resources.append(resource(OTHER_ID, "Data dictionary"))
    portal.uploads[OTHER_ID] = b"field,meaning\ndataset_id,the feeder\n"
    portal.uploads[FILE_ID] = day_csv(DAYS[1]).replace(b"total_consumption_active_import", b"total_import")
    report = run(tmp_path, server)
    assert report.rows_written == 8
    assert f"ckan/{OTHER_ID}.csv (Data dictionary): no column of feeder readings in it; left alone" in caplog.text
    assert [part["name"] for part in report.broken] == [SOURCES[1]]
    assert "total_consumption_active_import" in report.broken[0]["error"]


@pytest.mark.parametrize(("lost", "says"), [("file", "answered 404"), ("table", "status 404 Not Found")])
def test_a_resource_that_cannot_be_had_is_reported_and_the_other_is_in(tmp_path, server, portal, lost, says):
    if lost == "file":
        del portal.uploads[FILE_ID]
    else:
        del portal.tables[TABLE_ID]
    report = run(tmp_path, server)
    assert report.rows_written == 8
    (broken,) = report.broken
    assert broken["name"] == SOURCES[lost == "file"]
    assert says in broken["error"]
    with pytest.raises(SourceError, match=says):
        run(tmp_path, server, "strict", strict=True)


def test_a_table_that_is_loaded_anew_under_the_walk_is_walked_again(tmp_path, server, portal):
    def reload(number):
        if number == 2:
            portal.tables[TABLE_ID] = table_rows(DAYS[0], 5000, steps=3)
            portal.modified[TABLE_ID] = "2024-05-01T00:00:00"

    portal.before_search = reload
    assert run(tmp_path, server).rows_written == 14
    assert readings(tmp_path).filter(pl.col("source") == SOURCES[0])["energy_kwh"].to_list() == [5.0] * 6


@pytest.mark.parametrize(
    "url", ["", "/dataset/1.csv", "ftp://x/1.csv", "https://me:pw@x/1.csv", "https://[x", "javascript:1"]
)
def test_a_file_without_an_address_that_may_be_fetched_is_left_alone(tmp_path, server, portal, caplog, url):
    caplog.set_level(logging.INFO)
    portal.resources[1]["url"] = url or "redacted"
    assert run(tmp_path, server).rows_written == 8
    assert "2024-02-13.csv (no address that may be fetched)" in caplog.text


def test_a_name_with_line_ends_makes_one_line_in_the_log(tmp_path, server, portal, caplog):
    caplog.set_level(logging.INFO)
    portal.resources.append(resource(OTHER_ID, "a\nERROR - forged\x1b[31m", format="PDF"))
    run(tmp_path, server)
    (line,) = [record.getMessage() for record in caplog.records if "alone" in record.getMessage()]
    assert line.endswith("a ERROR - forged [31m (pdf)")


@pytest.mark.parametrize(
    ("left", "says"),
    [([2], "holds no readings; .* take --source listing"), ([], "none of its 0 resource.* check --package-id")],
)
def test_a_package_without_readings_says_where_they_are(tmp_path, server, portal, left, says):
    portal.resources = [portal.resources[number] for number in left]
    with pytest.raises(SourceError, match=says):
        run(tmp_path, server)


# Which lookup


def test_a_lookup_beside_the_files_comes_first_then_ckans_then_that_of_an_earlier_run_then_none(
    tmp_path, server, portal, caplog
):
    caplog.set_level(logging.INFO)

    def mpans(**settings):
        caplog.clear()
        run(tmp_path, **{"server": server, **settings})
        return json.loads(readings(tmp_path)["extras"][0]).get("mpan_count")

    folder = tmp_path / "raw" / "ssen"
    folder.mkdir(parents=True)
    (folder / "LV_FEEDER_LOOKUP.csv").write_text(LOOKUP.replace(",40\n", ",41\n"))
    assert mpans() == 41
    assert f"{LOOKUP_ID}.csv" not in paths(server.seen)
    assert "lookup LV_FEEDER_LOOKUP.csv: 3 rows, 2 feeders" in caplog.text
    (folder / "LV_FEEDER_LOOKUP.csv").unlink()
    assert mpans() == 40
    assert f"lookup: takes {LOOKUP_ID} (LV_FEEDER_LOOKUP.csv) of package {PACKAGE_ID}" in caplog.text
    assert "lookup fetched table: 3 rows, 2 feeders" in caplog.text
    del portal.uploads[LOOKUP_ID]
    portal.resources[2]["last_modified"] = "2024-05-01T00:00:00"
    assert mpans() == 40
    assert "answered 404" in caplog.text
    assert "takes that of an earlier run" in caplog.text
    (tmp_path / ".cache" / "ssen_ckan" / "LV_FEEDER_LOOKUP.csv").unlink()
    assert mpans() is None
    assert "lookup could not be fetched" in caplog.text
    assert "lookup: none; the ids come from dataset_id" in caplog.text


def test_a_lookup_in_the_datastore_is_walked_and_its_shortened_ids_are_padded(tmp_path, server, portal):
    head, *lines = LOOKUP.splitlines()
    rows = [dict(zip(head.split(","), line.split(","), strict=True)) for line in lines]
    portal.resources[2]["datastore_active"] = True
    portal.tables[LOOKUP_ID] = [
        {"_id": n, **row, "dataset_id": int(row["dataset_id"]), "hv_feeder_id": 2, "total_mpan_count": 40}
        for n, row in enumerate(rows)
    ]
    run(tmp_path, server)
    network = pl.read_parquet(tmp_path / "out" / "network").rows(named=True)
    assert (network[0]["hv_feeder_id"], network[0]["total_mpan_count"]) == ("002", 40)
    assert network[0]["postcodes"] == ["DD1 1AA", "DD1 1AB"]


def test_the_newest_of_several_lookups_is_taken_and_one_that_is_gone_is_passed_over(tmp_path, server, portal, caplog):
    newer = resource(OTHER_ID, "lookup, newer", last_modified="2025-01-01T00:00:00")
    portal.resources.append(newer)
    portal.uploads[OTHER_ID] = LOOKUP.replace(",40\n", ",44\n").encode()
    run(tmp_path, server)
    assert json.loads(readings(tmp_path)["extras"][0])["mpan_count"] == 44
    del portal.uploads[OTHER_ID]
    newer["last_modified"] = "2025-01-02T00:00:00"
    run(tmp_path, server)
    assert json.loads(readings(tmp_path)["extras"][0])["mpan_count"] == 40
    assert f"lookup {OTHER_ID} (lookup, newer) passed over" in caplog.text


def test_the_listings_days_get_the_lookup_of_the_package(tmp_path, server, portal):
    bucket = Bucket(d2024_02_12=day_csv("2024-02-12"))
    with serving(bucket.answer) as listing:
        report = run(tmp_path, server, source="listing", listing_url=f"{listing.url}/LV_FEEDER_USAGE/")
        assert report.rows_written == 8
        assert json.loads(readings(tmp_path)["extras"][0])["mpan_count"] == 40
        portal.answer = server.answer = lambda seen: as_html("down", 503)
        before = digests(tmp_path / "out")
        run(tmp_path, server, source="listing", listing_url=f"{listing.url}/LV_FEEDER_USAGE/")
        assert digests(tmp_path / "out") == before
    assert all("datastore" not in seen.path for seen in server.seen)


# Which site, and the key


def test_candidates_are_tried_in_order_and_one_line_says_so(tmp_path, server, caplog):
    caplog.set_level(logging.INFO)
    with serving(lambda seen: as_html("<h1>Portal</h1>", 200)) as front:
        run(tmp_path, None, candidates=(front.url, server.url), api_key=KEY)
    lines = [record.getMessage() for record in caplog.records if front.url in record.getMessage()]
    assert lines == [f"takes {server.url}: {front.url} does not answer as a CKAN (status 200)"]
    assert paths(front.seen) == ["status_show"]
    assert "Authorization" not in front.seen[0].headers
    assert {seen.headers.get("Authorization") for seen in server.seen[1:] if "action" in seen.path} == {KEY}


def test_without_any_candidate_the_run_ends_and_a_site_of_the_users_own_is_taken_alone(tmp_path, server):
    with serving(lambda seen: as_html("<h1>Portal</h1>", 200)) as front:
        with pytest.raises(SourceError, match=r"does not answer as a CKAN .*; name a CKAN with --ckan-url"):
            run(tmp_path, None, candidates=(front.url,))
        with pytest.raises(SourceError, match=r"api/3/action/package_show"):
            run(tmp_path, front, candidates=(server.url,))
    assert server.seen == []
    with pytest.raises(ConfigError, match="not an address such as"):
        run(tmp_path, None, ckan_url="data.ssen.co.uk", source="listing", listing_url=f"{server.url}/nothing/")
    assert server.seen == []


def loadproof(*words, **environment):
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "GITHUB_ACTIONS", "USE_SAMPLES")}
    return subprocess.run([sys.executable, "-m", "loadproof", *map(str, words)], capture_output=True, text=True,
                          env={**kept, **environment})  # fmt: skip


def main(monkeypatch, *words):
    """Run the command line in this process as its script does; return the exit code."""
    monkeypatch.setattr(sys, "argv", ["loadproof", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


@pytest.fixture
def at_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_key_stands_in_no_file_no_log_and_no_error_although_the_server_says_it_back(
    at_home, server, portal, monkeypatch, capfd, caplog
):
    portal.private[PACKAGE_ID] = KEY
    words = ["--verbose", "ingest", "ssen", "--source", "ckan", "--rate-limit", 0, "--ckan-url", server.url]
    done = loadproof(*words, SSEN_API_KEY=KEY)
    assert done.returncode == 0, done.stderr
    assert " - DEBUG - " in done.stderr
    assert {seen.headers.get("Authorization") for seen in server.seen} == {KEY}
    message = f"Access denied: token {KEY} of {'x' * 150}{KEY}"
    server.answer = lambda seen: as_json({"success": False, "error": {"message": message}}, 403, **{"X-Echo": KEY})
    monkeypatch.setenv("SSEN_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    assert main(monkeypatch, *words, "--force-refresh") == 1
    refused = capfd.readouterr()
    (line,) = [line for line in refused.err.splitlines() if line.startswith("error: ")]
    assert "status 403" in line
    assert "[key]" in line
    for text in (done.stderr, done.stdout, refused.err, refused.out, caplog.text):
        assert KEY[:20] not in text
    files = [path for path in at_home.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert [path for path in files if KEY[:20].encode() in path.read_bytes()] == []


def invoke(*words):
    return CliRunner().invoke(cli.app, [str(word) for word in words], catch_exceptions=False)


@pytest.mark.parametrize(
    ("flags", "environment", "dot_env", "key"),
    [
        ([], {}, {"SSEN_API_KEY": "from-file"}, "from-file"),
        ([], {"SSEN_API_KEY": "from-environment"}, {"SSEN_API_KEY": "from-file"}, "from-environment"),
        (["--api-key", "from-flag"], {"SSEN_API_KEY": "from-environment"}, {}, "from-flag"),
        ([], {"SSEN_API_KEY": ""}, {}, None),
    ],
)
def test_a_flag_wins_over_the_environment_which_wins_over_dot_env(at_home, server, monkeypatch, flags, environment,
                                                                  dot_env, key):  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    dot_env = {"SSEN_CKAN_URL": server.url, **dot_env}
    (at_home / ".env").write_text("".join(f"{name}={value}\n" for name, value in dot_env.items()))
    done = invoke("ingest", "ssen", "--no-use-samples", "--source", "ckan", "--rate-limit", 0, *flags)
    assert done.exit_code == 0, done.output
    assert {seen.headers.get("Authorization") for seen in server.seen} == {key}


def test_the_ckan_url_of_the_flag_wins_over_that_of_the_environment(at_home, server, monkeypatch):
    monkeypatch.setenv("SSEN_CKAN_URL", "http://127.0.0.1:9")
    words = ["ingest", "ssen", "--no-use-samples", "--source", "ckan", "--rate-limit", 0]
    assert invoke(*words, "--ckan-url", server.url).exit_code == 0


def test_a_resource_that_cannot_be_had_gives_exit_code_1_and_is_named(at_home, server, portal, monkeypatch, capfd):
    del portal.uploads[FILE_ID]
    words = ["ingest", "ssen", "--no-use-samples", "--source", "ckan", "--rate-limit", 0, "--ckan-url", server.url]
    assert main(monkeypatch, *words) == 1
    told = capfd.readouterr().err
    assert f"error: {SOURCES[1]}: {server.url}/download/{FILE_ID}.csv: answered 404 Not Found" in told
    assert "1 part(s) could not be read; the others are in" in told
    assert readings(at_home, "data").height == 8
    assert main(monkeypatch, *words, "--since", "2024-02-14", "--until", "2024-02-12") == 1
    assert "error: --since 2024-02-14 lies after --until 2024-02-12; swap them" in capfd.readouterr().err


def test_sample_mode_reads_the_sample_and_asks_nobody_whatever_the_source(at_home, server, monkeypatch):
    monkeypatch.setattr(options, "SAMPLES_ROOT", Path(__file__).parents[2] / "data" / "samples")
    for way in ("listing", "ckan", "files"):
        done = invoke("ingest", "ssen", "--use-samples", "--source", way, "--ckan-url", server.url)
        assert done.exit_code == 0, done.output
    summary = json.loads((at_home / "data" / "summaries" / "ingest_ssen.json").read_text())
    assert [source["name"] for source in summary["sources"]] == ["ssen_sample.csv"]
    assert summary["settings"]["lookup"].startswith("ssen_lookup_sample.csv")
    assert server.seen == []
