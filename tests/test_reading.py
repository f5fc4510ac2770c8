"""What goes in: every form of a batch, and every way in which it can be unusable."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bncheck import reading
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
    ],
)
def test_tables_of_every_kind(text: str, tmp_path: Path) -> None:
    for name in ("x.csv", "x"):
        (tmp_path / name).write_text(text)
        batch = load(tmp_path / name)
        assert np.array_equal(batch.x, X)
    if text.startswith('"a"'):
        assert batch.columns == ("a", "b, c", "d")


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


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "blank": (b" \n\n", "empty"),
    "truncated npy": (saved(X)[:-8], "truncated"),
    "truncated header": (saved(X)[:20], "truncated"),
    "truncated npz": (archived(x=X)[:200], "truncated"),
    "object array": (saved(np.array([{}, 1], dtype=object), allow_pickle=True), "objects"),
    "pickle": (pickle.dumps(X), "pickle"),
    "neither": (bytes(range(129, 256)) * 3, "none of"),
    "ragged": (b"1,2,3\n4,5\n", "row 2"),
    "a word": (b"a,b\n1,2\n3,oops\n", "'oops'"),
    "an empty cell": (b"1,2\n3,\n", "row 2, column 2"),
    "only a header": (b"a,b,c\n", "no numbers"),
    "not a number": (
        saved(np.where(X[3, 1] - 1e-9 < X, X, X) + np.where(np.arange(18).reshape(6, 3) == 10, np.nan, 0)),
        "x[3, 1]",
    ),
    "infinity": (b"1,2\n3,inf\n", "x[1, 1]"),
    "one axis": (saved(X[:, 0]), "(6,)"),
    "no axis": (saved(np.float64(3)), "()"),
    "four axes": (saved(np.ones((2, 3, 4, 5))), "--channel-axis"),
    "no rows": (saved(np.ones((0, 3))), "nothing in it"),
    "no columns": (saved(np.ones((3, 0))), "nothing in it"),
    "complex": (saved(X + 1j), "complex"),
    "text": (saved(np.array([["a", "b"]])), "numbers are needed"),
    "gamma of another length": (archived(x=X, gamma=np.ones(4)), "gamma"),
    "dout of another shape": (archived(x=X, dout=np.ones((6, 2))), "dout"),
    "no x": (archived(y=X, weights=np.ones(3)), "weights, y"),
    "half of the statistics": (archived(x=X, running_mean=np.ones(3)), "running_"),
    "a negative variance": (archived(x=X, running_mean=np.ones(3), running_var=-np.ones(3)), "running_var"),
}


@pytest.mark.parametrize("command", ["grad", "forward"])
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_nothing_written(
    case: str, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, word = BAD[case]
    source, target = tmp_path / "batch.dat", tmp_path / "out.json"
    source.write_bytes(content)
    assert run([command, str(source), "--output", str(target)]) is Exit.USAGE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("bncheck: ")
    assert shown.err.count("\n") == 1
    assert word in shown.err
    assert [p.name for p in tmp_path.iterdir()] == ["batch.dat"]


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    for data in (pickle.dumps(Trap()), saved(np.array([Trap()], dtype=object), allow_pickle=True)):
        with pytest.raises(BadInput):
            reading.read_batch("-", io.BytesIO(data))
    assert not (tmp_path / "sprung").exists()


def test_places_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file"):
        load(tmp_path / "missing.npy")
    with pytest.raises(BadInput, match="directory"):
        load(tmp_path)


def test_what_a_dtype_cannot_hold() -> None:
    with pytest.raises(BadInput, match=r"x\[0, 1\].*float16 cannot hold"):
        assemble({"x": np.array([[1.0, 1e6], [2.0, 3.0]])}, dtype="float16")
    with pytest.raises(BadInput, match="float32 cannot hold"):
        assemble({"x": np.array([[1e300, 1.0], [2.0, 3.0]])}, dtype="float32")


def test_statistics_of_another_width(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "s.npz", running_mean=np.ones(4), running_var=np.ones(4))
    assert run(["forward", "--d", "3", "--mode", "test", "--stats", str(tmp_path / "s.npz")]) is Exit.USAGE
    assert capsys.readouterr().err.count("\n") == 1
