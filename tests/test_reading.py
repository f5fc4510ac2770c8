"""What goes in: every form of a batch, and every way in which it can be unusable."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bncheck import memory, reading
from bncheck.arrays import Array
from bncheck.batch import Batch, assemble
from bncheck.cli import run
from bncheck.cli.exits import Exit
from bncheck.errors import BadInput

X = np.random.default_rng(0).standard_normal((6, 3))


def load(path: Path | str, **options: Any) -> Batch:
    contents = reading.read_batch(str(path))
    return assemble(contents.arrays, source=contents.source, columns=contents.columns, **options)


def as_csv(table: Array, delimiter: str = ",") -> str:
    return "\n".join(delimiter.join(map(repr, row)) for row in table.tolist()) + "\n"


@pytest.mark.parametrize(
    "x",
    [
        X,
        np.asfortranarray(X),
        X.astype(">f8"),
        X.astype(">f4"),
        X.astype(np.float32),
        X.astype(np.float16),
        X.astype(np.longdouble),
        (X * 10).astype(np.int8),
        (X * 10).astype(">i4"),
        X > 0,
        X[::2],
    ],
    ids=lambda x: f"{x.dtype}{x.strides}",
)
def test_arrays_of_every_kind(x: Array, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", x)
    np.savez_compressed(tmp_path / "x.npz", x=x)
    for name in ("x.npy", "x.npz"):
        batch = load(tmp_path / name)
        kept = x.dtype.newbyteorder("=") if x.dtype.kind == "f" and x.dtype.itemsize <= 8 else np.float64
        assert batch.x.dtype == kept
        assert batch.x.dtype.isnative
        assert batch.x.flags.c_contiguous
        assert np.array_equal(batch.x, x.astype(kept))


@pytest.mark.parametrize(
    "text",
    [
        as_csv(X),
        "a,b,c\n" + as_csv(X),
        as_csv(X, "\t"),
        "a;b;c\n" + as_csv(X, ";"),
        as_csv(X, " "),
        "\ufeffa,b,c\n" + as_csv(X),
        as_csv(X).replace("\n", "\r\n"),
        "# measured on Monday\n\n" + as_csv(X) + "\n\n",
        '"a","b, c","d"\n' + as_csv(X),
        as_csv(X).rstrip("\n"),
        "\n".join(",".join(f'"{number!r}"' for number in row) for row in X.tolist()),
        as_csv(X).replace("\n", "\r"),
        as_csv(X).replace(",", ", "),
        "a\tb\tc\n# in mm\n" + as_csv(X, "\t"),
        "  ".join(map(repr, X[0].tolist())) + "  \n  " + as_csv(X[1:], "   "),
    ],
)
def test_tables_of_every_kind(text: str, tmp_path: Path) -> None:
    for name in ("x.csv", "x.tsv", "x"):
        (tmp_path / name).write_bytes(text.encode())
        batch = load(tmp_path / name)
        assert np.array_equal(batch.x, X)


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("a,b,c", ("a", "b", "c")),
        ("\ufeffa,b,c", ("a", "b", "c")),
        ('"a","b, c","d"', ("a", "b, c", "d")),
        ('"a\nb",c,d', ("a\nb", "c", "d")),
        ("sepal_length, sepal width ,größe", ("sepal_length", "sepal width", "größe")),
        (",b,c", ("", "b", "c")),
        ("# comment\na,b,c", ("a", "b", "c")),
        ("# a,b,c", ()),
    ],
)
def test_names_of_columns(header: str, columns: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(f"{header}\n{as_csv(X)}", encoding="utf-8")
    batch = load(tmp_path / "x.csv")
    assert batch.columns == columns
    assert np.array_equal(batch.x, X)


def test_a_table_of_one_column_may_have_a_name_of_two_words(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("sepal length\n5.1\n4.9\n")
    batch = load(tmp_path / "x.csv")
    assert batch.columns == ("sepal length",)
    assert batch.x.tolist() == [[5.1], [4.9]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_as_windows_writes_it(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(("é,b,c\r\n" + as_csv(X).replace("\n", "\r\n")).encode(encoding))
    batch = load(tmp_path / "x.csv")
    assert batch.columns == ("é", "b", "c")
    assert np.array_equal(batch.x, X)


def test_numbers_survive_a_round_trip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", X.astype(np.float32))
    for form in ("csv", "tsv", "npy", "npz"):
        target = tmp_path / f"copy.{form}"
        assert run(["generate", str(tmp_path / "x.npy"), "-o", str(target)]) is Exit.PASS
        assert np.array_equal(load(target, dtype="float32").x, X.astype(np.float32))
    (tmp_path / "named.csv").write_text('"a, b",c,d\n' + as_csv(X))
    assert run(["generate", str(tmp_path / "named.csv"), "--format", "csv"]) is Exit.PASS
    assert capsys.readouterr().out == '"a, b",c,d\n' + as_csv(X)


def test_standard_input_is_told_by_its_content() -> None:
    npy, npz = io.BytesIO(), io.BytesIO()
    np.save(npy, X)
    np.savez(npz, x=X, gamma=np.ones(3))
    for data in (npy.getvalue(), npz.getvalue(), as_csv(X).encode()):
        contents = reading.read_batch("-", io.BytesIO(data))
        assert np.array_equal(contents.arrays["x"], X)
        assert contents.source == "<stdin>"


def test_an_archive_of_all_six_arrays(tmp_path: Path) -> None:
    six = {
        "x": X, "gamma": np.arange(3.0), "beta": np.ones((1, 3)), "dout": X[::-1],
        "running_mean": np.ones(3), "running_var": np.ones(3) * 2,
    }  # fmt: skip
    (tmp_path / "b.npz").write_bytes(archived(unrelated=np.ones(2), **six))
    batch = load(tmp_path / "b.npz")
    assert np.array_equal(batch.gamma, np.arange(3.0))
    assert batch.beta.shape == (3,)
    assert np.array_equal(batch.dout, X[::-1])
    assert batch.running is not None
    assert np.array_equal(batch.running.var, np.ones(3) * 2)


def test_what_is_absent_comes_from_the_seed_whatever_else_is_there() -> None:
    bare, with_gamma = assemble({"x": X}, seed=5), assemble({"x": X, "gamma": np.ones(3)}, seed=5)
    assert np.array_equal(bare.dout, with_gamma.dout)
    assert np.array_equal(bare.beta, with_gamma.beta)
    assert not np.array_equal(bare.dout, assemble({"x": X}, seed=6).dout)


def test_channels_on_any_axis() -> None:
    images = np.random.default_rng(1).standard_normal((2, 3, 4, 5))
    first = assemble({"x": images, "dout": images * 2}, channel_axis=1)
    assert first.x.shape == (40, 3)
    assert np.array_equal(first.x, images.transpose(0, 2, 3, 1).reshape(-1, 3))
    assert np.array_equal(first.dout, 2 * first.x)
    assert np.array_equal(first.given(first.x), images)
    last = assemble({"x": images.transpose(0, 2, 3, 1)}, channel_axis=-1)
    assert np.array_equal(last.x, first.x)
    assert images[first.place(17, 2)] == first.x[17, 2]
    assert np.array_equal(assemble({"x": X}, channel_axis=0).x, X.T)


@pytest.mark.parametrize("axis", [-4, -3, -2, -1, 0, 1, 2, 3])
def test_results_come_in_the_layout_of_the_batch(axis: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = np.random.default_rng(1).standard_normal((2, 3, 4, 5))
    np.savez(tmp_path / "b.npz", x=images, dout=images**2)
    command = ["--channel-axis", str(axis), "--format", "json"]
    assert run(["forward", str(tmp_path / "b.npz"), *command]) is Exit.PASS
    shown = json.loads(capsys.readouterr().out)
    others = tuple(np.delete(np.arange(4), axis))
    shape = [images.shape[axis] if i == axis % 4 else 1 for i in range(4)]
    assert np.allclose(shown["mean"], images.mean(others))
    batch = load(tmp_path / "b.npz", channel_axis=axis)
    xhat = (images - images.mean(others, keepdims=True)) / np.sqrt(images.var(others, keepdims=True) + 1e-5)
    assert np.allclose(shown["out"], batch.gamma.reshape(shape) * xhat + batch.beta.reshape(shape))
    assert run(["grad", str(tmp_path / "b.npz"), *command]) is Exit.PASS
    worst = json.loads(capsys.readouterr().out)["gradients"]["dx"]["worst"]
    assert run(["backward", str(tmp_path / "b.npz"), *command]) is Exit.PASS
    dx = np.array(json.loads(capsys.readouterr().out)["dx"])
    assert dx.shape == images.shape
    assert dx[tuple(worst["index"])] == worst["analytic"]


def test_a_large_file_is_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "x.npy", X)
    monkeypatch.setattr(reading, "_MAPPED_FROM", 10)
    assert isinstance(reading.read_batch(str(tmp_path / "x.npy")).arrays["x"], np.memmap)
    assert np.array_equal(load(tmp_path / "x.npy").x, X)


def saved(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def archived(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return buffer.getvalue()


def with_entry(place: tuple[int, ...], value: float) -> Array:
    table = X.copy()
    table[place] = value
    return table


OBJECTS = np.array([{}, 1], dtype=object)
# What is in the file, and what the one line says: the place, and what is wrong there or what to do.
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is empty: give .npy, .npz, .csv or .tsv"),
    "blank": (b" \n\n", "is empty"),
    "three bytes of npy": (saved(X)[:3], "no UTF-8 text"),
    "magic alone": (saved(X)[:6], "damaged or truncated .npy"),
    "truncated header": (saved(X)[:20], "damaged or truncated .npy"),
    "truncated npy": (saved(X)[:-8], "damaged or truncated .npy"),
    "damaged header": (saved(X).replace(b"'descr'", b"'desc("), "damaged or truncated .npy"),
    "unknown version": (saved(X).replace(b"NUMPY\x01", b"NUMPY\x09"), "damaged or truncated .npy"),
    "absurd shape": (saved(X).replace(b"(6, 3), }      ", b"(66666666, 3)}"), "damaged or truncated .npy"),
    "truncated npz": (archived(x=X)[:200], "damaged or truncated .npz"),
    "damaged npz": (archived(x=X).replace(X.tobytes()[:8], b"damaged!"), "Bad CRC-32 for file 'x.npy'"),
    "no array in npz": (zipped(x=b"hello, world"), "x in"),
    "truncated in npz": (zipped(x=saved(X)[:-8]), "damaged or truncated .npy"),
    "object array": (saved(OBJECTS, allow_pickle=True), "Python objects, which are never loaded"),
    "object array in npz": (archived(x=OBJECTS), "Python objects, which are never loaded"),
    "pickle": (pickle.dumps(X), "is a pickle, which is never loaded: save it with numpy.save"),
    "neither": (bytes(range(129, 256)) * 3, "no UTF-8 text"),
    "latin-1": ("größe,b\n1,2\n".encode("latin-1"), "no UTF-8 text"),
    "too short a row": (b"1,2,3\n4,5\n", "row 2: expected 3 cells and found 2"),
    "too long a row": (b"# note\na,b\n\n1,2\n4,5,6\n", "row 5: expected 2 cells and found 3"),
    "a word": (b"a,b\n1,2\n3,oops\n", "row 3, column 2 (b): 'oops' is not a number"),
    "a word without header": (b"1,2\n3,oops\n", "row 2, column 2: 'oops' is not a number"),
    "a word after comments": (b"# one\r\n\r\n# two\r\n1\t2\r\noops\t3\r\n", "row 5, column 1: 'oops'"),
    "a label": (b"a,species\n1,setosa\n2,virginica\n", "row 2, column 2 (species): 'setosa' is not a number"),
    "an identifier": (b"a,b\n1,1_000\n", "row 2, column 2 (b): '1_000' is not a number"),
    "hexadecimal": (b"0x10,2\n1,2\n", "row 1, column 1: '0x10' is not a number"),
    "an empty cell": (b"1,2\n3,\n", "row 2, column 2: the cell is empty"),
    "an empty cell, tabs": (b"1\t2\t3\n4\t\t5\n", "row 2, column 2: the cell is empty"),
    "an empty last column": (b"a,b,\n1,2,\n", "row 2, column 3: the cell is empty"),
    "decimal commas": (b"a;b\n1,5;2\n", "row 2, column 1 (a): '1,5' has a comma in it; write a decimal point"),
    "thousands": (b'a,b\n"1,000",2\n', "row 2, column 1 (a): '1,000' has a comma in it"),
    "an open quote": (b'a,b\n"1,2\n3,4\n', "row 3 cannot be read"),
    "an endless cell": (b"a\n" + b"1" * 200_000, "row 2 cannot be read"),
    "only a header": (b"a,b,c\n", "holds a header and no numbers"),
    "only comments": (b"# a\n# b\n", "holds no numbers"),
    "not a number": (saved(with_entry((3, 1), np.nan)), "x[3, 1] in"),
    "infinity": (saved(with_entry((5, 0), -np.inf)), "is -inf: finite numbers are needed"),
    "infinity in a table": (b"a,b\n1,2\n3,inf\n", "x[1, 1] (column 'b')"),
    "too large a number": (b"1,2\n3,1e999\n", "x[1, 1] in"),
    "two of three": (b"1,2\n3,nan\n4,nan\nnan,5\n", "is nan, and so are 2 more"),
    "two of two": (b"1,2\n3,nan\n4,nan\n", "is nan, and so is 1 more"),
    "not a number in gamma": (archived(x=X, gamma=[1, np.nan, 2]), "gamma[1] in"),
    "infinity in dout": (archived(x=X, dout=with_entry((2, 2), np.inf)), "dout[2, 2] in"),
    "one axis": (saved(X[:, 0]), "has shape (6,), and (N, D) is needed: give it as (N, 1) or (1, D)"),
    "no axis": (saved(np.float64(3)), "has shape ()"),
    "four axes": (saved(np.ones((2, 3, 4, 5))), "has shape (2, 3, 4, 5), and (N, D) is needed: name the axis"),
    "no rows": (saved(np.ones((0, 3))), "has shape (0, 3): there is nothing in it"),
    "no columns": (saved(np.ones((3, 0))), "has shape (3, 0): there is nothing in it"),
    "complex": (saved(X + 1j), "is complex: real numbers are needed"),
    "text": (saved(np.array([["a", "b"]])), "numbers are needed"),
    "dates": (saved(np.zeros((3, 2), "M8[s]")), "numbers are needed"),
    "records": (saved(np.zeros(4, [("a", "f8"), ("b", "i4")])), "numbers are needed"),
    "gamma of another length": (archived(x=X, gamma=np.ones(4)), "has shape (4,): x has 3 columns, so (3,) is needed"),
    "beta of another shape": (archived(x=X, beta=np.ones((3, 3))), "beta in"),
    "a scalar gamma": (archived(x=X, gamma=2.0), "gamma in"),
    "complex gamma": (archived(x=X, gamma=np.ones(3) + 1j), "gamma in"),
    "dout of another shape": (archived(x=X, dout=X.T), "has shape (3, 6) and x has (6, 3): they must agree"),
    "no x": (archived(y=X, weights=np.ones(3)), "has no array named x; it holds weights, y"),
    "an empty archive": (archived(), "has no array named x; it holds nothing"),
    "half of the statistics": (archived(x=X, running_mean=np.ones(3)), "give both or neither"),
    "statistics too wide": (archived(x=X, running_mean=np.ones(3), running_var=np.ones(4)), "running_var in"),
    "a negative variance": (archived(x=X, running_mean=np.ones(3), running_var=[1, -2, 1]), "running_var[1] in"),
}


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command with bad input says."""
    assert run(arguments) is Exit.USAGE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.fullmatch(r"bncheck: [^\n]+\n", shown.err)
    return shown.err


@pytest.mark.parametrize("command", ["grad", "forward"])
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_nothing_written(
    case: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, word = BAD[case]
    source, target = tmp_path / "batch.dat", tmp_path / "out.json"
    source.write_bytes(content)
    said = refused([command, str(source), "--output", str(target)], capsys)
    assert word in said
    assert str(source) in said
    assert [p.name for p in tmp_path.iterdir()] == ["batch.dat"]


@pytest.mark.parametrize("case", BAD)
def test_bad_standard_input_is_one_line(
    case: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content, word = BAD[case]
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    said = refused(["grad", "-"], capsys)
    assert word in said
    assert "<stdin>" in said


@given(
    which=st.sampled_from([saved(X), archived(x=X, gamma=np.ones(3)), as_csv(X).encode()]),
    damage=st.lists(st.tuples(st.integers(0, 1000), st.binary(max_size=4)), min_size=1, max_size=4),
)
def test_damage_of_any_kind_is_bad_input_or_none(which: bytes, damage: list[tuple[int, bytes]]) -> None:
    for place, content in damage:
        place %= len(which)
        which = which[:place] + content + which[place + max(1, len(content)) :]
    with contextlib.suppress(BadInput):
        contents = reading.read_batch("-", io.BytesIO(which))
        assemble(contents.arrays, source=contents.source, columns=contents.columns)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    for data in (pickle.dumps(Trap()), saved(np.array([Trap()], dtype=object), allow_pickle=True)):
        with pytest.raises(BadInput):
            reading.read_batch("-", io.BytesIO(data))
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("command", [["grad"], ["forward", "--mode", "test", "--stats"]])
def test_places_that_cannot_be_read(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = str(tmp_path / "missing.npy")
    assert refused([*command, missing], capsys) == f"bncheck: {missing}: no such file or directory\n"
    assert refused([*command, str(tmp_path)], capsys) == f"bncheck: {tmp_path}: is a directory\n"
    assert "the file name is empty" in refused([*command, ""], capsys)
    (tmp_path / "x.npy").write_bytes(saved(X))
    assert "not a directory" in refused([*command, str(tmp_path / "x.npy" / "y.npy")], capsys)

    # Root may read everything, whatever the mode of a file says.
    def denied(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    assert refused([*command, str(tmp_path / "x.npy")], capsys) == f"bncheck: {tmp_path / 'x.npy'}: permission denied\n"


def test_a_channel_axis_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.npy").write_bytes(saved(X))
    (tmp_path / "one.npy").write_bytes(saved(X[:, 0]))
    for axis in ("2", "-3"):
        said = refused(["grad", str(tmp_path / "x.npy"), "--channel-axis", axis], capsys)
        assert f"--channel-axis {axis} does not exist in x in {tmp_path / 'x.npy'} of shape (6, 3)" in said
    assert "give it as (N, 1) or (1, D)" in refused(["grad", str(tmp_path / "one.npy"), "--channel-axis", "0"], capsys)


def test_a_batch_that_memory_cannot_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((2000, 20)))
    batches = [[str(tmp_path / "x.npy")], ["--n", "2000", "--d", "20"]]
    # A pass takes 48 bytes an entry, and a full check more: 3 MiB are enough for one and not for the other.
    full = ["--coverage", "full"]
    for batch in batches:
        monkeypatch.setattr(memory, "total", lambda: 3 << 20)
        assert run(["forward", *batch, "--quiet"]) is Exit.PASS
        assert run(["grad", *batch, "--format", "json"]) is Exit.PASS
        assert "would take 5.49 MiB of memory" in json.loads(capsys.readouterr().out)["coverage"]["why"]
        said = refused(["grad", *batch, *full], capsys)
        assert "a full check of (N, D) = (2000, 20) needs" in said
        assert "this machine has 3 MiB" in said
        n, d = map(int, re.findall(r"\(N, D\) = \((\d+), (\d+)\) would fit", said)[0])
        assert d == 20
        assert run(["grad", "--n", str(n), "--d", str(d), "--quiet", *full]) is Exit.PASS
        refused(["grad", "--n", str(n + 1), "--d", str(d), *full], capsys)
        monkeypatch.setattr(memory, "total", lambda: 1 << 20)
        said = refused(["forward", *batch], capsys)
        assert re.search(r"batch of \(N, D\) = \(2000, 20\) needs 1.83 MiB .* \(1092, 20\) would fit", said)


def test_memory_is_asked_for_before_it_is_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "total", lambda: 1 << 20)
    (tmp_path / "bomb.npz").write_bytes(zip_of_zeros(2 << 20))
    assert f"x in {tmp_path / 'bomb.npz'} needs 2 MiB" in refused(["grad", str(tmp_path / "bomb.npz")], capsys)
    (tmp_path / "long.csv").write_bytes(b"1,2\n" * (300 << 10))
    assert "long.csv as a whole needs 1.17 MiB" in refused(["grad", str(tmp_path / "long.csv")], capsys)
    # What a shape promises is refused before anything of it is read: this file is almost all hole.
    monkeypatch.setattr(reading, "_MAPPED_FROM", 10)
    huge = np.lib.format.open_memmap(tmp_path / "huge.npy", "w+", np.float32, (1 << 20, 1 << 10))
    del huge
    said = refused(["grad", str(tmp_path / "huge.npy")], capsys)
    assert "one column of 1048576 rows takes 208 MiB, and 512 KiB may be used: give a larger --memory" in said


def zip_of_zeros(size: int) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=np.zeros(size // 8 - 16))
    return buffer.getvalue()


def test_a_container_counts_as_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "unlimited").write_text("max\n")
    (tmp_path / "limit").write_text("12345\n")
    monkeypatch.setattr(memory, "_LIMITS", (str(tmp_path / "unlimited"), str(tmp_path / "absent")))
    machine = memory.total()
    assert machine is None or machine > 12345
    monkeypatch.setattr(memory, "_LIMITS", (str(tmp_path / "unlimited"), str(tmp_path / "limit")))
    assert memory.total() in (None, 12345)


@pytest.mark.parametrize(
    ("value", "dtype", "advice"),
    [(1e6, "float16", "use a wider --dtype"), (-1e100, "float32", "use a wider --dtype")],
)
def test_what_a_dtype_cannot_hold(
    value: float, dtype: str, advice: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(saved(with_entry((0, 1), value)))
    said = refused(["grad", str(path), "--dtype", dtype], capsys)
    assert said == f"bncheck: x[0, 1] in {path} is {value}, which {dtype} cannot hold: {advice}\n"
    assert run(["grad", str(path), "--dtype", "float64", "--quiet"]) is Exit.PASS


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(np.float64).max, reason="longdouble is float64 here")
def test_what_float64_cannot_hold() -> None:
    wide = X.astype(np.longdouble)
    wide[2, 0] = np.longdouble(10) ** 400
    with pytest.raises(BadInput, match=r"x\[2, 0\] in arrays is 1e\+400, which float64 cannot hold: scale it down"):
        assemble({"x": wide})


def test_statistics_that_a_dtype_cannot_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "x.npy")
    np.save(path, (X * 1000).astype(np.float16))
    np.savez(tmp_path / "s.npz", running_mean=np.ones(3), running_var=[1, 1e6, 1])
    said = refused(["forward", path, "--mode", "test", "--stats", str(tmp_path / "s.npz")], capsys)
    assert said.endswith("s.npz is 1000000.0, which float16 cannot hold: use a wider --dtype\n")
    assert "the warm-up is" in refused(["forward", path, "--mode", "test"], capsys)
    for source in ([], ["--stats", str(tmp_path / "s.npz")]):
        assert run(["grad", path, "--mode", "test", "--dtype", "float32", "-q", *source]) is Exit.PASS


@pytest.mark.parametrize("command", ["grad", "forward", "backward"])
@pytest.mark.parametrize(
    "options",
    [
        ["--scale", "1e200"],
        ["--offset", "1e300"],
        ["--scale", "1e20", "--dtype", "float32"],
        ["--eps", "1e39", "--dtype", "float32"],
    ],
    ids=" ".join,
)
def test_squares_that_overflow(command: str, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    said = refused([command, *options], capsys)
    assert "column 0" in said or "eps is 1e+39" in said


def test_half_precision_with_a_variance_beyond_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "x.npy", (X * 1000).astype(np.float16))
    assert "float16: use a wider --dtype" in refused(["forward", str(tmp_path / "x.npy")], capsys)
    assert run(["forward", str(tmp_path / "x.npy"), "--dtype", "float32", "--quiet"]) is Exit.PASS
    # Where nothing but out is asked for, float16 holds everything.
    assert run(["grad", str(tmp_path / "x.npy"), "--quiet"]) is Exit.PASS


STATISTICS: dict[str, tuple[bytes, str]] = {
    "another width": (archived(running_mean=np.ones(4), running_var=np.ones(4)), "x has 3 columns"),
    "one of two": (archived(running_mean=np.ones(3)), "has no running_mean and running_var"),
    "a batch": (saved(X), "write it with forward --save-stats"),
    "text": (archived(running_mean=["a", "b", "c"], running_var=np.ones(3)), "numbers are needed"),
    "complex": (archived(running_mean=np.ones(3) + 1j, running_var=np.ones(3)), "is complex"),
    "not finite": (archived(running_mean=[0, np.nan, 0], running_var=np.ones(3)), "running_mean[1]"),
    "negative": (archived(running_mean=np.ones(3), running_var=[1, 1, -1]), "running_var[2]"),
    "objects": (archived(running_mean=np.array([{}, 1, 2], object), running_var=np.ones(3)), "never loaded"),
    "truncated": (archived(running_mean=np.ones(3), running_var=np.ones(3))[:300], "damaged or truncated"),
    "empty": (b"", "is empty"),
}


@pytest.mark.parametrize("case", STATISTICS)
def test_bad_statistics(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, word = STATISTICS[case]
    (tmp_path / "s.npz").write_bytes(content)
    said = refused(["forward", "--d", "3", "--mode", "test", "--stats", str(tmp_path / "s.npz")], capsys)
    assert word in said
    assert "s.npz" in said


def test_statistics_do_not_come_from_standard_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert "from a file, and not from standard input" in refused(["forward", "--stats", "-"], capsys)


@pytest.mark.parametrize(("scale", "offset"), [("1e308", "0"), ("1", "1.7e308"), ("1e308", "-1e308")])
def test_a_population_that_overflows(scale: str, offset: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(["grad", "--scale", scale, "--offset", offset], capsys)
