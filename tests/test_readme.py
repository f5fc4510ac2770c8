"""The README is run: every command in it, its exit code, and the shape of what it claims is printed.

UPDATE_GOLDEN=1 writes what is printed into it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, int]]:
    lines = [line for block in blocks("sh") for line in block.splitlines() if not line.startswith("python3 -m venv")]
    parsed = []
    for line in lines:
        command, _, comment = line.partition("#")
        code = re.match(r" exit (\d+)", comment)
        parsed.append((command.strip(), int(code[1]) if code else 0))
    return parsed


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1"}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "sample_data", tmp_path / "sample_data")
    shutil.copy(ROOT / "tests" / "layers" / "readme_layers.py", tmp_path / "layers.py")
    return tmp_path


def test_every_command_exits_as_the_readme_says(folder: Path) -> None:
    for command, code in commands():
        if "jq" in command and shutil.which("jq") is None:
            continue
        done = run(command, folder)
        assert done.returncode == code, (command, done.stderr)
        assert "Traceback" not in done.stderr
    assert (folder / "out.csv").stat().st_size > 0
    assert len(commands()) > 15


def test_every_sample_is_in_the_readme() -> None:
    for sample in (ROOT / "sample_data").iterdir():
        assert f"sample_data/{sample.name}" in README


def test_what_is_shown_is_what_is_printed(folder: Path) -> None:
    text = README
    for block in blocks("console"):
        command, shown = block.removeprefix("$ ").split("\n", 1)
        printed = run(command, folder).stdout
        if os.environ.get("UPDATE_GOLDEN") == "1":
            text = text.replace(block, f"$ {command}\n{printed}")
        else:
            assert masked(printed) == masked(shown)
    (ROOT / "README.md").write_text(text) if text != README else None


def masked(text: str) -> list[str]:
    """The words without what differs between machines: numbers, and the widths that follow from them."""
    return re.sub(r"-?\d+(\.\d+)?(e[+-]\d+)?", "#", re.sub(r"-{3,}", "---", text)).split()


def test_the_python_example_runs(folder: Path) -> None:
    for block in blocks("python"):
        if "def test_" in block:
            (folder / "test_layer.py").write_text(block)
            subprocess.run([sys.executable, "-m", "pytest", "-q", "test_layer.py"], cwd=folder, check=True)
        else:
            subprocess.run([sys.executable, "-c", block], cwd=folder, check=True)
