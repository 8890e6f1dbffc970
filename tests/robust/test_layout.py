"""The house: top-level folders that are robust.* for Python, for tools, in wheels, and where links do not exist."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

FOLDERS = ("datasets", "corruptions", "eval", "templates")
RESOURCES = {".yaml", ".pt", ".j2", ".css", ".md", ".json", ".html", ".svg"}


def source_files(repository: Path) -> set[Path]:
    """Python files and resources of the package, relative to the root, links not followed."""
    files = {path for folder in ("robust", *FOLDERS) for path in (repository / folder).rglob("*") if path.is_file()}
    files = {path for path in files if path.suffix in RESOURCES | {".py"} or path.name == "py.typed"}
    return {path.relative_to(repository) for path in files if "__pycache__" not in path.parts}


def installed_name(path: Path) -> str:
    """Where a source file lies under site-packages."""
    return path.as_posix() if path.parts[0] == "robust" else f"robust/{path.as_posix()}"


def tracked_copy(repository: Path, folder: Path, *, links_as_text: bool) -> Path:
    """Copy the working tree (no caches, no .git); links may become the text files that Git writes on Windows."""
    ignore = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "tests", "mlruns", "mlflow.db")
    shutil.copytree(repository, folder, symlinks=True, ignore=ignore)
    for link in (folder / "robust").iterdir():
        if links_as_text and link.is_symlink():
            target = link.readlink().as_posix()
            link.unlink()
            link.write_text(target, encoding="utf-8")
    return folder


def run(*command: str | Path, cwd: Path, **extra: str) -> str:
    """Run a program; its stdout, or a failure with what it said."""
    environment = {**os.environ, "PYTHONPATH": "", **extra}
    child = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stdout + child.stderr
    return child.stdout


@pytest.fixture(scope="module")
def project(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", FOLDERS)
def test_each_package_is_the_folder_of_its_name(repository: Path, name: str) -> None:
    module = importlib.import_module(f"robust.{name}")
    assert module.__file__ is not None
    assert Path(module.__file__).samefile(repository / name / "__init__.py")


@pytest.mark.skipif(os.name == "nt", reason="Git writes links as text files on Windows")
@pytest.mark.parametrize("name", FOLDERS)
def test_each_package_is_a_relative_link_beside_the_front_door(repository: Path, name: str) -> None:
    assert (repository / "robust" / name).readlink() == Path("..") / name


def test_every_package_is_listed_for_installation(repository: Path, project: dict[str, Any]) -> None:
    packages = {
        installed_name(path.parent).replace("/", ".") for path in source_files(repository) if path.suffix == ".py"
    }
    assert set(project["tool"]["setuptools"]["packages"]) == packages


def test_the_layer_contracts_see_every_module(repository: Path) -> None:
    script = "import grimp, json; print(json.dumps(sorted(grimp.build_graph('robust', cache_dir=None).modules)))"
    seen = set(json.loads(run(sys.executable, "-c", script, cwd=repository)))
    modules = {installed_name(path)[:-3].replace("/", ".") for path in source_files(repository) if path.suffix == ".py"}
    assert seen == {name.removesuffix(".__init__") for name in modules}


def test_nothing_of_ours_is_importable_under_a_bare_name(tmp_path: Path, repository: Path) -> None:
    script = (
        "import importlib.util as u, json, sys; import robust.cli\n"
        "print(json.dumps([getattr(u.find_spec(n), 'origin', None) for n in sys.argv[1:]]))"
    )
    origins = json.loads(run(sys.executable, "-c", script, *FOLDERS, cwd=tmp_path))
    assert not [origin for origin in origins if origin and Path(origin).is_relative_to(repository)]


def test_the_console_script_does_not_put_the_working_directory_on_the_path(repository: Path, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("robust.exe" if os.name == "nt" else "robust")
    probe = tmp_path / "sitecustomize.py"
    probe.write_text(
        "import atexit, importlib.util as u, sys\n"
        "@atexit.register\n"
        "def tell():\n"
        "    spec = u.find_spec('datasets')\n"
        "    sys.stderr.write(f'datasets: {spec.origin if spec else None}')\n",
        encoding="utf-8",
    )
    child = subprocess.run(
        [str(program), "--version"],
        cwd=repository,  # where our bare `datasets` lies
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "datasets: " in child.stderr
    assert str(repository) not in child.stderr


@pytest.fixture(scope="module")
def built(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel built from that sdist."""
    folder = tmp_path_factory.mktemp("built")
    source = tracked_copy(repository, folder / "source", links_as_text=False)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source, cwd=folder)
    return folder


@pytest.mark.slow
def test_the_wheel_holds_every_file_and_no_bare_package(repository: Path, built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = {entry.filename for entry in wheel.infolist() if entry.file_size > 0 or entry.filename.endswith(".py")}
        links = [entry.filename for entry in wheel.infolist() if (entry.external_attr >> 16) & 0o170000 == 0o120000]
    wanted = {installed_name(path) for path in source_files(repository)}
    assert {name for name in wanted if not name.endswith("py.typed")} <= names
    assert not links
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"robust"}
    assert {"LICENSE", "NOTICE"} <= {Path(name).name for name in names}


@pytest.mark.slow
def test_the_sdist_holds_what_a_build_needs(repository: Path, built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames() if "/" in name}
    assert {path.as_posix() for path in source_files(repository)} <= names
    assert {"pyproject.toml", "README.md", "LICENSE", "NOTICE"} <= names


@pytest.mark.slow
@pytest.mark.parametrize("editable", [False, True], ids=["plain", "editable"])
def test_installing_works_where_links_became_text_files(repository: Path, tmp_path: Path, editable: bool) -> None:
    source = tracked_copy(repository, tmp_path / "checkout", links_as_text=True)
    assert (source / "robust" / "eval").read_text(encoding="utf-8") == "../eval"
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=tmp_path)
    python = tmp_path / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    own = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    lent = [path for path in sys.path if path.endswith("site-packages")]  # setuptools and NumPy, behind its own
    (own / "lent.pth").write_text("\n".join(lent), encoding="utf-8")
    options = ["--ignore-installed", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    target = ["--editable", source] if editable else [source]
    run(sys.executable, "-m", "pip", "--python", python, "install", *options, *target, cwd=tmp_path)
    script = "import robust.datasets.records, robust.eval.records as r, robust.templates; print(r.__file__)"
    where = Path(run(python, "-c", script, cwd=tmp_path).strip())
    assert where.is_relative_to(source if editable else own)
    assert where.is_file()
