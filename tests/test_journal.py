"""What a stopped run has finished is there, and nothing else is taken for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bncheck.errors import BadInput
from bncheck.journal import Journal

ABOUT = {"layer": "layers.py", "n": (2, 16), "eps": 1e-5}
RECORDS: list[dict[str, object]] = [{"k": 1, "value": 0.1}, {"k": 2, "value": None}, {"k": 3, "said": "σ"}]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "run.jsonl"
    with Journal(str(file), ABOUT) as journal:
        assert journal.records == []
        for record in RECORDS:
            journal.append(record)
    return file


def test_records_come_back(path: Path) -> None:
    with Journal(str(path), ABOUT) as journal:
        assert journal.records == RECORDS
        journal.append({"k": 4})
    with Journal(str(path), ABOUT) as journal:
        assert journal.records == [*RECORDS, {"k": 4}]


def test_a_file_cut_anywhere_is_read_up_to_there(path: Path) -> None:
    whole = path.read_bytes()
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        with Journal(str(path), ABOUT) as journal:
            found = journal.records
            journal.append({"k": 9})
        assert found == RECORDS[: max(0, whole[:size].count(b"\n") - 1)]
        lines = [json.loads(line) for line in path.read_bytes().splitlines()]
        assert lines[1:] == [*found, {"k": 9}]


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({**ABOUT, "layer": "other.py"}, 'with layer "layers.py" and not "other.py"'),
        ({**ABOUT, "n": (2,)}, "with n [2, 16] and not [2]"),
        ({**ABOUT, "seed": 3}, "with seed null and not 3"),
    ],
)
def test_another_run_is_refused_and_left_alone(path: Path, about: dict[str, object], said: str) -> None:
    whole = path.read_bytes() + b'{"half'
    path.write_bytes(whole)
    with pytest.raises(BadInput) as caught:
        Journal(str(path), about)
    assert said in str(caught.value)
    assert path.read_bytes() == whole


@pytest.mark.parametrize("content", [b"my thesis", b"my\nthesis\n", b"[1, 2]\n", b"\xff\xfe\n", b"1,2\n3,4\n"])
def test_a_file_that_is_no_journal_is_left_alone(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "mine"
    file.write_bytes(content)
    with pytest.raises(BadInput, match="name a new file"):
        Journal(str(file), ABOUT)
    assert file.read_bytes() == content


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written"):
        Journal(str(tmp_path), ABOUT)
    with pytest.raises(BadInput, match="cannot be written: no such file"):
        Journal(str(tmp_path / "no" / "where"), ABOUT)
    with pytest.raises(BadInput, match="no regular file"):
        Journal("/dev/null", ABOUT)


def test_a_full_disk_is_said() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    journal = Journal.__new__(Journal)
    journal.path = "run.jsonl"
    import os

    journal._file = os.open("/dev/full", os.O_WRONLY)
    with journal, pytest.raises(BadInput, match="no space left"):
        journal.append({"k": 1})
