from __future__ import annotations

import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from annotator.exchange import archives
from annotator.exchange.archives import ArchiveError, unpacked


def pack(file: Path, members: Mapping[str, str | bytes]) -> Path:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


def unpack(folder: Path, members: Mapping[str, str | bytes], *, max_bytes: int = 10**9) -> tuple[dict[str, str], int]:
    """What comes out, by name, and how many files are of no use."""
    pack(folder / "000000", members)
    names, n_other_files = unpacked(folder, [("000000", "export.zip")], max_bytes=max_bytes)
    assert not (folder / "000000").exists()
    return {name: (folder / file).read_text() for file, name in names}, n_other_files


def test_files_come_out_under_their_names_without_a_folder_around_all(tmp_path: Path) -> None:
    members = {"corpus/a.txt": "A", "corpus/ward/a.ann": "W", "corpus/annotation.conf": "", "corpus/.x.txt": "hidden"}
    assert unpack(tmp_path, members) == ({"a.txt": "A", "ward/a.ann": "W"}, 2)


def test_names_that_climb_out_stay_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    members = {"../../up.txt": "up", "/etc/passwd.txt": "root", "c:\\w\\n.txt": "w"}
    found, _ = unpack(tmp_path / "spool", members)
    assert sorted(found) == ["c:/w/n.txt", "etc/passwd.txt", "up.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["spool"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "spool").iterdir()} == {0o600}


def test_links_are_left_out(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("a.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "0", "w") as archive:
        archive.writestr(link, "/etc/hostname")
        archive.writestr("b.txt", "B")
    names, n_other_files = unpacked(tmp_path, [("0", "x.zip")], max_bytes=100)
    assert ([name for _, name in names], n_other_files) == (["b.txt"], 1)


def test_a_bomb_is_stopped_before_it_is_unpacked(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="unpacks to more than 200 times its size"):
        unpack(tmp_path, {"a.txt": b"\0" * 30_000_000})
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 12_000_000


def test_an_upload_holds_no_more_than_it_may(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="holds more than an upload may have"):
        unpack(tmp_path, {"a.txt": "A" * 60, "b.txt": "B" * 60}, max_bytes=100)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", 2)
    with pytest.raises(ArchiveError, match="has 3 files, at most 2 are read"):
        unpack(tmp_path, {"a.txt": "", "b.txt": "", "c.txt": ""})


def test_what_is_no_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(ArchiveError, match=r"notes\.zip is no zip archive that can be read"):
        unpacked(tmp_path, [("0", "notes.zip")], max_bytes=100)


def test_an_inception_project_gives_what_people_said(tmp_path: Path) -> None:
    inner = pack(tmp_path / "inner", {"anna.xmi": "<a/>", "TypeSystem.xml": "<t/>"}).read_bytes()
    (tmp_path / "inner").unlink()
    members: dict[str, str | bytes] = {
        "exportedproject.json": "{}",
        "source/n-1.txt": "text",
        "annotation/n-1.txt/anna.zip": inner,
        "annotation/n-1.txt/INITIAL_CAS.xmi": "<i/>",
        "curation/n-1.txt/CURATION_USER.xmi": "<c/>",
    }
    found, _ = unpack(tmp_path, members)
    assert sorted(found) == [
        "annotation/n-1.txt/INITIAL_CAS.xmi",
        "annotation/n-1.txt/anna/TypeSystem.xml",
        "annotation/n-1.txt/anna/anna.xmi",
        "curation/n-1.txt/CURATION_USER.xmi",
    ]


def test_an_inception_project_without_xmi_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="secondary format UIMA CAS XMI"):
        unpack(tmp_path, {"exportedproject.json": "{}", "annotation_ser/n-1.txt/anna.ser": "x"})


def test_an_archive_in_an_archive_in_an_archive_is_left_alone(tmp_path: Path) -> None:
    deepest = pack(tmp_path / "x", {"a.txt": "A"}).read_bytes()
    inner = pack(tmp_path / "x", {"deep.zip": deepest, "b.txt": "B"}).read_bytes()
    (tmp_path / "x").unlink()
    found, n_other_files = unpack(tmp_path, {"inner.zip": inner})
    assert (found, n_other_files) == ({"inner/b.txt": "B"}, 1)
