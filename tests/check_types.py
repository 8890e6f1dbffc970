"""Run mypy over the package and prove that it read every file.

With the packages mapped in pyproject.toml alone, mypy would report success after one file; the links beside
robust/__init__.py let it see all of them. This compares its count with the files on disk.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("robust", "datasets", "corruptions", "eval", "templates")


def source_files() -> set[Path]:
    """Every Python file of the package, by its real path (the links inside robust/ lead to the other folders)."""
    return {path.resolve() for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")}


def main() -> int:
    """Return mypy's exit code, or 1 when it read fewer or more files than there are."""
    child = subprocess.run(
        [sys.executable, "-m", "mypy", "-p", "robust"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    sys.stdout.write(child.stdout)
    sys.stderr.write(child.stderr)
    found = re.search(r"(?:in|checked) (\d+) source files?\)?\s*$", child.stdout)
    if child.returncode == 0 and (found is None or int(found[1]) != len(source_files())):
        sys.stderr.write(f"mypy did not read all of the {len(source_files())} files.\n")
        return 1
    return child.returncode


if __name__ == "__main__":
    sys.exit(main())
