"""Ways to break the small files that lie beside a source's data; each leaves the bad file's place with sound rows."""

import os
from pathlib import Path

from tests.hostile.good_files import Sort


def sound(sort: Sort, path: Path) -> None:
    path.write_bytes(sort.text(sort.lines()))


def households_of_other_columns(sort: Sort, path: Path) -> None:
    sound(sort, path)
    path.with_name("informations_households.csv").write_text("home,tariff\nMAC000002,Std\n")


def households_that_are_ragged(sort: Sort, path: Path) -> None:
    sound(sort, path)
    text = "LCLid,stdorToU,Acorn,Acorn_grouped\nMAC000002,Std,ACORN-A,Affluent,more,and more\n"
    path.with_name("informations_households.csv").write_text(text)


def households_that_are_a_pipe(sort: Sort, path: Path) -> None:
    sound(sort, path)
    os.mkfifo(path.with_name("informations_households.csv"))


def lookup_of_zero_bytes(sort: Sort, path: Path) -> None:
    sound(sort, path)
    path.with_name("LV_FEEDER_LOOKUP.csv").write_bytes(b"")


def lookup_of_other_columns(sort: Sort, path: Path) -> None:
    sound(sort, path)
    path.with_name("LV_FEEDER_LOOKUP.csv").write_text("feeder,postcode\n000200200402,DD2 4SB\n")


def labels_of_no_text(sort: Sort, path: Path) -> None:
    sound(sort, path)
    path.with_name("labels.dat").write_bytes(b"8 kettle\n9 \xff\xfe\xfd\n")


def labels_that_are_a_pipe(sort: Sort, path: Path) -> None:
    sound(sort, path)
    os.mkfifo(path.with_name("labels.dat"))


def labels_without_numbers(sort: Sort, path: Path) -> None:
    sound(sort, path)
    path.with_name("labels.dat").write_text("kettle 8\n9 fridge\n")


def metadata_that_would_make_objects(sort: Sort, path: Path) -> None:
    sound(sort, path)
    folder = path.parents[1] / "metadata"
    folder.mkdir()
    (folder / "building2.yaml").write_text("!!python/object/apply:os.system ['touch planted']\n")


def text_after_the_end(sort: Sort, path: Path) -> None:
    path.write_bytes(sort.text(sort.lines()) + b"2013-02-05 00:00:00,5260\n")


def unit_that_nobody_knows(sort: Sort, path: Path) -> None:
    path.write_bytes(sort.text(sort.lines()).replace(b"a quantity,knots", b"a quantity,furlongs a fortnight"))


def station_of_other_digits(sort: Sort, path: Path) -> None:
    path.write_bytes(sort.text(sort.lines()).replace(b"midas_station_id,G,00723", "midas_station_id,G,²³".encode()))
