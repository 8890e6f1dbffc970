"""The doctor names what is broken and how to mend it, and breaks nothing itself."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from robust.cli import robust
from robust.eval import doctor
from robust.eval.doctor import Check


def statuses(checks: tuple[Check, ...]) -> dict[str, str]:
    return {check.name: check.status for check in checks}


def child(code: int, out: str = "", err: str = "") -> object:
    return lambda *_, **__: subprocess.CompletedProcess([], code, out, err)


def test_requirements_are_compared_with_what_is_installed() -> None:
    lines = ["numpy>=2", "PyYAML>=6", "click>=8.1,!=8.3.0", "ray>=2; extra == 'ray'", "missing>=1", "old>=2"]
    installed = {"numpy": "2.4.6", "pyyaml": "6.0.3", "click": "8.3.0", "old": "1.9"}
    checks = doctor.check_requirements(lines, installed)
    assert statuses(checks) == {"numpy": "ok", "PyYAML": "ok", "click": "fail", "missing": "fail", "old": "fail"}
    assert all(check.fix.startswith("Install it: pip install") for check in checks if check.status == "fail")


@pytest.mark.parametrize("version", ["8.3.41", "8.3.42", "8.3.45", "8.3.46"])
def test_the_ultralytics_releases_with_a_miner_are_refused(version: str) -> None:
    check = doctor.check_ultralytics({"ultralytics": version})
    assert check is not None and check.status == "fail"
    assert doctor.check_ultralytics({"ultralytics": "8.4.190"}) is None


def test_ultralytics_that_ignores_the_seed_is_refused(repository: Path) -> None:
    import tomllib

    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    line = next(line for line in project["dependencies"] if line.startswith("ultralytics"))
    assert statuses(doctor.check_requirements([line], {"ultralytics": "8.4.124"})) == {"ultralytics": "fail"}
    assert statuses(doctor.check_requirements([line], {"ultralytics": "8.4.125"})) == {"ultralytics": "ok"}


def test_albumentationsx_is_refused() -> None:
    check = doctor.check_albumentations({"albumentations": "2.0.8", "albumentationsx": "2.1.0"})
    assert check is not None and check.status == "fail"
    assert doctor.check_albumentations({"albumentations": "2.0.8"}) is None


def test_opencv_packages_must_agree() -> None:
    same = {"opencv-python": "5.0.0.93", "opencv-python-headless": "5.0.0.93"}
    assert doctor.check_opencv(same).status == "ok"
    assert doctor.check_opencv({"opencv-python": "5.0.0.93"}).status == "ok"
    apart = doctor.check_opencv({**same, "opencv-python": "4.9.0.80"})
    assert apart.status == "fail"
    assert "opencv-python-headless==5.0.0.93" in apart.fix
    assert doctor.check_opencv({}).status == "fail"


@pytest.mark.parametrize(
    ("torch", "torchvision", "requires", "status"),
    [
        ("2.15.0", "0.29.2", ["torch (>=2.14.0)", "numpy"], "ok"),
        ("2.13.0+cpu", "0.29.2", ["torch (>=2.14.0)"], "fail"),
        ("2.6.0", "0.21.0", ["torch==2.6.0"], "ok"),
        ("2.7.0", "0.21.0", ["torch==2.6.0"], "fail"),
        ("2.15.0+cpu", "0.29.2+cu132", ["torch>=2.14.0"], "fail"),
        ("2.15.0+cpu", "0.29.2+cpu", ["torch>=2.14.0"], "ok"),
    ],
)
def test_torch_and_torchvision_must_be_built_for_each_other(
    torch: str, torchvision: str, requires: list[str], status: str
) -> None:
    assert doctor.check_torch_pair({"torch": torch, "torchvision": torchvision}, requires).status == status


def test_a_missing_torchvision_fails() -> None:
    assert doctor.check_torch_pair({"torch": "2.15.0"}, []).status == "fail"


def test_compiled_parts_that_do_not_load_are_told_with_their_last_line() -> None:
    error = "Traceback (most recent call last):\nImportError: libGL.so.1: cannot open shared object file"
    check = doctor.check_compiled(child(1, err=error))  # type: ignore[arg-type]
    assert check.status == "fail" and "headless" in check.fix
    assert doctor.check_compiled(child(-11)).found == "exit code -11"  # type: ignore[arg-type]


def test_an_operator_that_answers_wrongly_fails() -> None:
    answer = json.dumps({"kept": [0, 1], "threads": 1, "cuda": 0})
    assert doctor.check_compiled(child(0, answer)).status == "fail"  # type: ignore[arg-type]


@pytest.mark.parametrize(("free", "status"), [(10e9, "ok"), (3e9, "warn"), (0.5e9, "fail")])
def test_little_free_disk_is_told(free: int, status: str, tmp_path: Path) -> None:
    assert doctor.check_disk(tmp_path, int(free)).status == status


def test_a_store_that_does_not_exist_yet_is_fine_and_is_not_created(tmp_path: Path) -> None:
    check = doctor.check_store(f"sqlite:///{(tmp_path / 'new.db').as_posix()}")
    assert check.status == "ok" and "will be created" in check.found
    assert not (tmp_path / "new.db").exists()


def test_a_file_that_is_no_store_fails_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("shopping list, and more of it", encoding="utf-8")
    check = doctor.check_store(f"sqlite:///{(tmp_path / 'notes.db').as_posix()}")
    assert check.status == "fail"
    assert "not a SQLite database" in check.found


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("warn", 0), ("fail", 1)])
def test_the_command_exits_1_only_when_something_must_be_mended(
    monkeypatch: pytest.MonkeyPatch, status: doctor.Status, code: int
) -> None:
    monkeypatch.setattr(doctor, "diagnose", lambda *_, **__: (Check("disk", status, "3 GB", "Free some."),))
    plain = CliRunner().invoke(robust, ["doctor"])
    assert (plain.exit_code, plain.stdout.splitlines()[1].strip()) == (code, "Free some.")
    as_json = CliRunner().invoke(robust, ["doctor", "--json"])
    assert as_json.exit_code == code
    assert json.loads(as_json.stdout) == [{"name": "disk", "status": status, "found": "3 GB", "fix": "Free some."}]


@pytest.mark.slow
def test_this_machine_is_fit() -> None:
    result = CliRunner().invoke(robust, ["doctor", "--deep", "--json"])
    bad = [check for check in json.loads(result.stdout) if check["status"] == "fail"]
    assert (result.exit_code, bad) == (0, [])
