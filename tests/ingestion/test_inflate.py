import random
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from isal import isal_zlib

from loadproof.errors import SourceError
from loadproof.ingestion.inflate import open_member

DAMAGE = (zipfile.BadZipFile, isal_zlib.error, EOFError, NotImplementedError, SourceError)


@given(st.binary(max_size=5000), st.integers(0, 400), st.integers(1, 9), st.integers(1, 3000))
def test_any_text_comes_back_in_pieces_of_any_size(tmp_path_factory, seed, repeats, level, piece):
    text = seed * repeats
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        archive.writestr("before.csv", b"x" * 100)
        archive.writestr("a.csv", text)
    found = b""
    with open_member(path, "a.csv") as stream:
        while data := stream.read(piece):
            found += data
    assert found == text


def test_a_stored_member_is_read_too(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", b"1,2\n")
    with open_member(tmp_path / "a.zip", "a.csv") as stream:
        assert stream.read() == b"1,2\n"


def test_the_directory_of_an_archive_of_300_members_is_read_once_until_the_archive_changes(tmp_path, monkeypatch):
    reads = []

    class Counted(zipfile.ZipFile):
        def _RealGetContents(self):
            reads.append(self.filename)
            super()._RealGetContents()

    path = tmp_path / "a.zip"
    for text in (b"1,2\n", b"1,2,3\n"):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(300):
                archive.writestr(f"{number}.csv", text)
        monkeypatch.setattr(zipfile, "ZipFile", Counted)
        for number in range(300):
            with open_member(path, f"{number}.csv") as stream:
                assert stream.read() == text
        monkeypatch.undo()
    assert len(reads) == 2


def test_a_member_packed_by_a_method_that_is_none_of_ours_is_damage(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("a.csv", b"1,2\n")
    with pytest.raises(NotImplementedError, match="method 12"), open_member(path, "a.csv"):
        pass


def test_a_stored_member_that_is_cut_or_changed_is_told(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", b"1,2\n" * 100)
    path.write_bytes(path.read_bytes().replace(b"1,2\n", b"1,3\n", 1))
    with pytest.raises(zipfile.BadZipFile, match="checksum"), open_member(path, "a.csv") as stream:
        stream.read()


def test_no_flipped_byte_of_the_packed_text_goes_unnoticed(tmp_path):
    text = b"".join(b"MAC%06d,Std,2013-01-01 00:30:00.0000000, 0.%d \r\n" % (n, n) for n in range(2000))
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", text)
        packed = archive.getinfo("a.csv").compress_size
    whole = path.read_bytes()
    chance = random.Random(3)
    for _ in range(60):
        at = 35 + chance.randrange(packed)
        path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << chance.randrange(8))]) + whole[at + 1 :])
        with pytest.raises(DAMAGE), open_member(path, "a.csv") as stream:
            stream.read()


def test_a_member_that_lies_about_its_size_gives_no_byte_beyond_it(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", b"0" * 10_000_000)
    data = bytearray(path.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(zipfile.BadZipFile, match="checksum"), open_member(path, "a.csv") as stream:
        assert len(stream.read(20_000_000)) <= 1000
