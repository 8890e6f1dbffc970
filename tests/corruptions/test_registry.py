from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from robust.corruptions.records import CLEAN
from robust.corruptions.registry import get, make_variant, names, register
from robust.errors import RobustError, UnknownName, UsageError


def test_the_core_corruptions_register_themselves() -> None:
    assert {"night", "occlusion", "crowd"} <= set(names())
    assert names() == tuple(sorted(names()))
    assert get("night").name == "night"


def test_a_name_is_registered_once() -> None:
    with pytest.raises(RobustError, match="already registered"):
        register(get("night"))
    with pytest.raises(RobustError):
        register(replace(get("night"), name=CLEAN))


def test_a_severity_table_with_a_gap_is_refused() -> None:
    with pytest.raises(RobustError, match="severities 1 to 5"):
        register(replace(get("night"), name="dusk", severities={1: {"stops": 1.0}}))
    assert "dusk" not in names()


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="Unknown corruption 'fogg'") as failure:
        get("fogg")
    assert "night" in failure.value.why


def test_a_variant_carries_the_whole_recipe() -> None:
    variant = make_variant("night", 2, seed=5, overrides={"stops": 3})
    assert dict(variant.parameters)["stops"] == 3.0
    assert [key for key, _ in variant.parameters] == sorted(key for key, _ in variant.parameters)
    assert variant.version == get("night").version
    assert make_variant(CLEAN, 0).recipe() == {"corruption": CLEAN}


def test_wrong_severities_and_parameters_are_refused() -> None:
    with pytest.raises(UsageError):
        make_variant("night", 6)
    with pytest.raises(UnknownName, match="parameter of night"):
        make_variant("night", 1, overrides={"stop": 1.0})
    with pytest.raises(UsageError, match="must be of type int"):
        make_variant("crowd", 1, overrides={"people": 2.5})


def test_a_module_that_cannot_be_imported_is_named_at_every_call(tmp_path: Path) -> None:
    (tmp_path / "zz_broken.py").write_text("import robust.no_such_module\n", encoding="utf-8")
    script = (
        "from robust.corruptions import causes, registry\n"
        f"causes.__path__.append({str(tmp_path)!r})\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        registry.names()\n"
        "    except Exception as error:\n"
        "        print(error)\n"
        "causes.__path__.pop()\n"
        "print('night' in registry.names())\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["No module named 'robust.no_such_module'"] * 2 + ["True"]


@pytest.mark.parametrize("name", names())
def test_the_ends_of_every_table_may_be_set_by_hand(name: str) -> None:
    for severity in (1, 5):
        row = get(name).severities[severity]
        assert make_variant(name, severity, overrides=row) == make_variant(name, severity)
