"""The pytest fixture: a right layer passes, a wrong one fails with its findings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LAYERS = Path(__file__).parent / "layers" / "readme_layers.py"


def outcome(test: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(test)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_right_layer_passes(tmp_path: Path) -> None:
    done = outcome(f"def test_it(bncheck):\n    bncheck.check({str(LAYERS)!r} + ':batchnorm_backward_alt')\n", tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_wrong_layer_fails_with_its_findings(tmp_path: Path) -> None:
    done = outcome(f"def test_it(bncheck):\n    bncheck.check({str(LAYERS)!r} + ':batchnorm_forward')\n", tmp_path)
    assert done.returncode == 1
    assert "BN101 the path through the variance is missing" in done.stdout


def test_live_objects_are_recognised(tmp_path: Path) -> None:
    source = LAYERS.read_text()
    test = (
        f"{source}\n\nimport pytest\n\n\n"
        "def test_right(bncheck):\n    bncheck.check((batchnorm_forward, batchnorm_backward_alt))\n\n\n"
        "def test_wrong(bncheck):\n"
        "    with pytest.raises(pytest.fail.Exception, match='BN101'):\n"
        "        bncheck.check((batchnorm_forward, batchnorm_backward))\n"
    )
    done = outcome(test, tmp_path)
    assert done.returncode == 0, done.stdout
