"""JSON lines: whole lines, bounded files, and files that others move."""
import json
import os
from pathlib import Path

import pytest

from fastgw.record.exporters import Batch
from fastgw.record.exporters.jsonl import JsonLines
from tests.unit.record.making import record_of


def batch_of(*ids: str) -> Batch:
    return Batch([record_of(id=one, request='{"a": "\n"}') for one in ids], {}, 0)


def ids_in(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def test_each_record_is_one_line_with_every_field(tmp_path: Path) -> None:
    """A line is one JSON object with all fields, whatever line ends the payload has."""
    lines = JsonLines(tmp_path / "log.jsonl")
    lines.open()
    lines.export(batch_of("a", "b"))
    lines.close()
    assert ids_in(tmp_path / "log.jsonl") == ["a", "b"]
    document = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])
    assert list(document) == list(record_of().__struct_fields__) and document["request"] == '{"a": "\n"}'
    assert (tmp_path / "log.jsonl").stat().st_mode & 0o777 == 0o600


def test_detail_is_an_object_in_the_line(tmp_path: Path) -> None:
    """A detail stands in the line as an object, not as a string; without one there is null."""
    lines = JsonLines(tmp_path / "log.jsonl")
    lines.open()
    lines.export(Batch([record_of(detail={"metadata": {"a": "b\n"}}), record_of()], {}, 0))
    lines.close()
    documents = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [document["detail"] for document in documents] == [{"metadata": {"a": "b\n"}}, None]


def test_files_are_rotated_and_bounded(tmp_path: Path) -> None:
    """No file grows past the bound, and only `keep` older ones stay, the youngest being number 1."""
    path = tmp_path / "log.jsonl"
    lines = JsonLines(path, rotate_bytes=3000, keep=2)
    lines.open()
    for number in range(20):
        lines.export(batch_of(str(number)))
    lines.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["log.jsonl", "log.jsonl.1", "log.jsonl.2"]
    assert all(file.stat().st_size <= 3000 for file in files)
    kept = [one for file in reversed(files) for one in ids_in(file)]
    assert kept == [str(number) for number in range(20 - len(kept), 20)]


def test_file_moved_by_others_is_made_afresh(tmp_path: Path) -> None:
    """After somebody else rotates, records go to a fresh file at the path."""
    path = tmp_path / "log.jsonl"
    lines = JsonLines(path)
    lines.open()
    lines.export(batch_of("a"))
    path.rename(tmp_path / "moved")
    lines.export(batch_of("b"))
    lines.close()
    assert ids_in(tmp_path / "moved") == ["a"] and ids_in(path) == ["b"]


def test_half_a_line_costs_only_itself(tmp_path: Path) -> None:
    """What a killed process left unfinished does not spoil the next line."""
    path = tmp_path / "log.jsonl"
    path.write_text('{"id": "cut')
    lines = JsonLines(path)
    lines.open()
    lines.export(batch_of("b"))
    lines.close()
    assert json.loads(path.read_text().splitlines()[1])["id"] == "b"


def test_disk_that_fills_up_leaves_whole_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails in the middle is taken back, and the next try writes the batch once."""
    path = tmp_path / "log.jsonl"
    lines = JsonLines(path)
    lines.open()
    lines.export(batch_of("a"))
    real, calls = os.write, []

    def write(fd: int, piece: memoryview) -> int:
        calls.append(len(piece))
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return real(fd, piece[:100] if len(calls) == 1 else piece)

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(OSError, match="No space"):
        lines.export(batch_of("b"))
    assert ids_in(path) == ["a"]
    lines.export(batch_of("b"))
    lines.close()
    assert ids_in(path) == ["a", "b"]
