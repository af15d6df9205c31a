"""SSEN as it stands on the network: the listing with its daily files, and a CKAN whose resources can be downloaded."""

import datetime as dt
import hashlib
import re

from tests.ingestion.servers import Reply, StubCKAN, as_html, as_json
from tests.ingestion.test_ssen import HEADER, ssen_line

TABLE_ID = "aaaaaaaa-0000-4000-8000-000000000001"
FILE_ID = "bbbbbbbb-0000-4000-8000-000000000002"
LOOKUP_ID = "cccccccc-0000-4000-8000-000000000003"

LOOKUP = (
    "dataset_id,postcode,primary_substation_id,primary_substation_name,hv_feeder_id,hv_feeder_name,"
    "secondary_substation_id,secondary_substation_name,lv_feeder_id,lv_feeder_name,total_mpan_count\n"
    "000200200402,DD1 1AA,0002,ALPHA,002,FEEDER 2,004,DUNCRAIG ROAD,02,,40\n"
    "000200200402,DD1 1AB,0002,ALPHA,002,FEEDER 2,004,DUNCRAIG ROAD,02,,40\n"
    "000200200403,DD1 1AC,0002,ALPHA,002,FEEDER 2,004,DUNCRAIG ROAD,03,,8\n"
)
"""One feeder with readings and two postcodes, and one below the privacy floor, which never has any."""

FEEDERS = ("000200200402", "000200200502")


def _stamps(day, steps):
    midnight = dt.datetime.fromisoformat(day)
    return [(midnight + dt.timedelta(minutes=30 * step)).isoformat() for step in range(1, steps + 1)]


def day_csv(day, value="2331.0", *, feeders=FEEDERS, steps=4):
    """One day of some feeders, from its first half hour on."""
    lines = [ssen_line(feeder, f"{stamp}.000Z", value) for feeder in feeders for stamp in _stamps(day, steps)]
    return "".join([f"{HEADER}\n", *lines]).encode()


def etag_of(body):
    return f"{hashlib.md5(body).hexdigest()}-1"


def file_reply(body, seen, *, tells_etag=True, cut_at=None):
    """A file as an object store gives it: ranges on condition, ETag."""
    headers = {"Content-Type": "text/csv", **({"ETag": f'"{etag_of(body)}"'} if tells_etag else {})}
    asked = re.fullmatch(r"bytes=(\d+)-", seen.headers.get("Range", ""))
    if asked and seen.headers.get("If-Range") == f'"{etag_of(body)}"':
        start = int(asked[1])
        told = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        return Reply(206, body[start:], {**headers, **told}, cut_at=cut_at)
    return Reply(200, body, headers, cut_at=cut_at)


class Bucket:
    """The listing and its files. ``gone``: listed days that answer 404; ``cuts``: bytes after which each try breaks."""

    def __init__(self, **days):
        self.days = {day.replace("_", "-").removeprefix("d"): body for day, body in days.items()}
        self.gone, self.cuts, self.links, self.sent, self.tells_etag = set(), {}, {}, {}, True

    def answer(self, seen):
        if seen.path.endswith("/LV_FEEDER_USAGE/"):
            return as_json({"objects": [self._entry(day, seen) for day in self.days], "truncated": False})
        day = seen.path.rpartition("/")[2].removesuffix(".csv")
        if day in self.gone or day not in self.days:
            return as_html("<h1>404</h1>", 404)
        body = self.sent.get(day, self.days[day])
        return file_reply(body, seen, tells_etag=self.tells_etag, cut_at=self.cuts.get(day))

    def _entry(self, day, seen):
        link = self.links.get(day, f"http://{seen.headers['Host']}")
        return {"key": f"LV_FEEDER_USAGE/{day}.csv", "size": len(self.days[day]), "etag": etag_of(self.days[day]),
                "uploaded": "2024-03-25T12:48:48.903Z", "downloadLink": f"{link}/{day}.csv"}  # fmt: skip


def resource(resource_id, name, **other):
    """An entry of a package's ``resources``, with the keys that CKAN gives."""
    return {"id": resource_id, "name": name, "format": "CSV", "mimetype": "text/csv", "url": "", "url_type": "upload",
            "size": None, "hash": "", "created": "2024-03-01T14:01:07.645482", "state": "active",
            "last_modified": "2024-03-01T14:01:07.253873", "metadata_modified": "2024-06-07T20:53:16.423818",
            "datastore_active": False, **other}  # fmt: skip


def table_rows(day, value=1000, *, feeders=FEEDERS, steps=4):
    """Rows of a usage table as a datastore gives them: stamps without a zone, numbers as numbers."""
    return [
        {"_id": number + 1, "dataset_id": feeder, "aggregated_device_count_active": 15,
         "primary_consumption_active_import": value, "total_consumption_active_import": value,
         "aggregated_device_count_reactive": 15, "total_consumption_reactive_import": 84,
         "data_collection_log_timestamp": stamp}
        for number, (feeder, stamp) in enumerate((f, s) for f in feeders for s in _stamps(day, steps))
    ]  # fmt: skip


class Portal(StubCKAN):
    """A CKAN with uploads: a table of readings, a file of readings, a lookup, and what nobody can read."""

    def __init__(self, name="ssen_smart_meter_prod_lv_feeder", **settings):
        super().__init__(rows_max=3, **settings)
        self.name = name
        self.uploads = {FILE_ID: day_csv("2024-02-13"), LOOKUP_ID: LOOKUP.encode()}
        self.tables[TABLE_ID] = table_rows("2024-02-12")
        self.modified[TABLE_ID] = "2024-03-01T14:01:07.253873"
        self.resources = [
            resource(TABLE_ID, "Usage of a day", datastore_active=True),
            resource(FILE_ID, "2024-02-13.csv"),
            resource(LOOKUP_ID, "LV_FEEDER_LOOKUP.csv"),
        ]

    def answer(self, seen):
        match = re.fullmatch(r"/download/([0-9a-f-]+)\.csv", seen.path)
        if match:
            return file_reply(self.uploads[match[1]], seen) if match[1] in self.uploads else as_html("gone", 404)
        here = f"http://{seen.headers['Host']}/download"
        told = [{**entry, "url": entry["url"] or f"{here}/{entry['id']}.csv"} for entry in self.resources]
        self.packages[self.name] = {"name": self.name, "private": False, "resources": told}
        return super().answer(seen)
