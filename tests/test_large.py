"""Batches larger than memory: the same numbers, in blocks, within what may be used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.lib.format import open_memmap

from bncheck import large, memory, storage
from bncheck.arrays import Array
from bncheck.batch import Batch, assemble
from bncheck.batchnorm import Gradients
from bncheck.checks.gradients import check_gradients
from bncheck.cli import run
from bncheck.cli.exits import Exit
from bncheck.errors import BadInput
from bncheck.layers.protocol import Traits
from bncheck.layers.reference import Reference
from bncheck.passes import run_backward, run_forward
from bncheck.settings import CheckSettings
from bncheck.vocabulary import Coverage, Verdict
from tests.wrong import WrongLayer

N, D, BUDGET = 3000, 9, 2 << 20
PROJECTED = CheckSettings(coverage=Coverage.PROJECTED, probes=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).normal(3, 2, size=(N, D)).astype(np.float32))
    return path


def mapped(path: Path) -> Array:
    return np.asanyarray(open_memmap(path, "r"))


def both(path: Path, seed: int = 0) -> tuple[Batch, Batch]:
    """On disk and in memory."""
    on_disk = large.on_disk(mapped(path), "x.npy", budget=BUDGET, seed=seed)
    return on_disk, assemble({"x": np.load(path)}, source="x.npy", seed=seed)


def test_a_batch_on_disk_is_the_one_that_would_be_in_memory(file: Path) -> None:
    on_disk, whole = both(file, seed=3)
    for name in ("x", "gamma", "beta", "dout"):
        assert np.array_equal(getattr(on_disk, name), getattr(whole, name)), name
    assert on_disk.x.flags.f_contiguous
    assert (on_disk.n, on_disk.d, on_disk.seed, on_disk.source) == (N, D, 3, "x.npy")


def test_blocks_keep_to_the_budget(file: Path) -> None:
    batch, _ = both(file)
    widths = [block.stop - block.start for block in large.blocks(batch, apart=True)]
    assert sum(widths) == D
    assert max(widths) == BUDGET // (N * large.BYTES_IN_WORK) == 3
    part = large.column_block(batch, slice(3, 5))
    assert np.array_equal(part.x, batch.x[:, 3:5])
    assert np.array_equal(part.gamma, batch.gamma[3:5])
    assert part.budget is None


def test_passes_block_by_block_make_the_same_numbers(file: Path) -> None:
    on_disk, whole = both(file)
    told: list[tuple[float, float]] = []
    for command in (run_forward, run_backward):
        found = command(on_disk, progress=lambda *at: told.append(at))
        expected = command(whole)
        assert found.on_disk
        assert not expected.on_disk
        assert list(found.arrays) == list(expected.arrays)
        for name, array in expected.arrays.items():
            assert np.allclose(found.arrays[name], array, rtol=1e-3, atol=1e-3), name
    assert told[-1] == (D, D)


def test_the_check_is_the_one_in_memory(file: Path) -> None:
    on_disk, whole = both(file)
    found, expected = (check_gradients(batch, check=PROJECTED) for batch in (on_disk, whole))
    assert found.verdict is expected.verdict is Verdict.PASS
    for a, b in zip(found.gradients, expected.gradients, strict=True):
        assert a.error_bar == pytest.approx(b.error_bar, rel=0.5)
        assert a.power.caught == b.power.caught
    assert found.coverage is not None
    assert "larger than the memory" in found.coverage.why


def test_a_wrong_entry_on_disk_is_found(file: Path) -> None:
    def mistake(_call: object, _dout: object, right: Gradients) -> Gradients:
        if right.dx.shape[0] == N:
            dx = right.dx.copy()
            dx[1234, 0] += 100
            return right._replace(dx=dx)
        return right

    # Block by block the layer sees its first column several times.
    report = check_gradients(both(file)[0], WrongLayer("wrong", mistake), check=PROJECTED)
    assert report.verdict is Verdict.FAIL
    wrong = [w.index for w in report.gradients[0].wrong]
    assert wrong
    assert all(row == 1234 for row, _ in wrong)


def test_what_needs_all_of_it_in_memory_says_so(file: Path) -> None:
    class Whole(Reference):
        traits = Traits(packs=False)

    batch, _ = both(file)
    with pytest.raises(BadInput, match="all columns at once"):
        check_gradients(batch, Whole())
    with pytest.raises(BadInput, match="all columns at once"):
        run_forward(batch, Whole())
    with pytest.raises(BadInput, match="--coverage full"):
        check_gradients(batch, check=CheckSettings(coverage=Coverage.FULL))
    with pytest.raises(BadInput, match="give a larger --memory"):
        large.on_disk(mapped(file), "x.npy", budget=1000)


def test_a_bad_number_is_named(tmp_path: Path) -> None:
    x = np.zeros((700, 3))
    x[612, 2] = np.nan
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(BadInput, match=r"x\[612, 2\] in x.npy is nan"):
        large.on_disk(mapped(tmp_path / "x.npy"), "x.npy", budget=BUDGET)
    np.save(tmp_path / "x.npy", np.full((700, 3), 1e6))
    with pytest.raises(BadInput, match="finite"):
        large.on_disk(mapped(tmp_path / "x.npy"), "x.npy", budget=BUDGET, dtype="float16")


def test_a_disk_that_is_too_small_is_named() -> None:
    with pytest.raises(BadInput, match="set TMPDIR to a larger disk"):
        storage.scratch(1 << 40, 1 << 10, np.dtype(np.float64))


def test_rows_come_out_of_parts_of_any_length() -> None:
    numbers = np.arange(35.0)
    parts = list(storage.rows_of((numbers[a:b] for a, b in ((0, 3), (3, 4), (4, 20), (20, 35))), 5))
    assert np.array_equal(np.concatenate(parts), numbers.reshape(7, 5))


@pytest.mark.parametrize(("text", "size"), [("2GiB", 2 << 30), ("512MiB", 512 << 20), ("1e9", 10**9), ("1.5k", 1536)])
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    from bncheck.cli.size import Size

    assert Size().convert(text, None, None) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1", "0", "nan", "inf", "2XiB"])
def test_what_is_no_size_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["grad", "--memory", text]) is Exit.USAGE
    assert "size" in capsys.readouterr().err


def test_the_budget_is_half_of_the_machine_unless_asked() -> None:
    assert memory.budget(5) == 5
    total = memory.total()
    assert memory.budget(None) == (total // 2 if total else None)


def test_a_large_file_is_checked_within_the_memory_named(tmp_path: Path) -> None:
    """80 MB of float32, of which work in memory would take 960 MB."""
    path = tmp_path / "x.npy"
    table = open_memmap(path, "w+", np.float32, (500_000, 40))
    rng = np.random.default_rng(0)
    for top in range(0, len(table), 50_000):
        table[top : top + 50_000] = rng.normal(1, 2, size=(50_000, 40))
    table.flush()
    command = [sys.executable, "-m", "bncheck", "grad", str(path), "--memory", "150MiB", "--confidence", "0.5"]
    code = f"import subprocess, resource; r = subprocess.run({[*command, '--no-probes', '--format', 'json']!r})\n"
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); raise SystemExit(r.returncode)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report, used = done.stdout.rsplit("}", 1)
    assert json.loads(report + "}")["coverage"]["kind"] == "projected"
    unit = 1 if sys.platform == "darwin" else 1024
    assert int(used) * unit < 300 << 20
    out = tmp_path / "out.npy"
    assert run(["forward", str(path), "--memory", "150MiB", "-o", str(out)]) is Exit.PASS
    made = np.load(out, mmap_mode="r")
    assert made.shape == (500_000, 40)
    expected = run_forward(assemble({"x": np.load(path)})).arrays["out"]
    assert np.allclose(made, expected, rtol=1e-3, atol=1e-2)
    assert run(["forward", str(path), "--memory", "150MiB", "--format", "csv"]) is Exit.USAGE
