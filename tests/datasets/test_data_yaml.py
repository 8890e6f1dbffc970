from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from robust.datasets.data_yaml import read_data_yaml
from robust.errors import DataError, UnknownName


def _write(folder: Path, **values: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "data.yaml"
    file.write_text(yaml.safe_dump({"train": "images/train", "names": ["person"], **values}), encoding="utf-8")
    return file


def test_path_is_taken_from_the_yaml_before_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there" / "set").mkdir(parents=True)
    (tmp_path / "cwd" / "set").mkdir(parents=True)
    (tmp_path / "cwd" / "other").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    assert read_data_yaml(_write(tmp_path / "there", path="set")).root == (tmp_path / "there" / "set").resolve()
    assert read_data_yaml(_write(tmp_path / "there", path="other")).root == (tmp_path / "cwd" / "other").resolve()
    assert read_data_yaml(_write(tmp_path / "there")).root == (tmp_path / "there").resolve()
    absolute = read_data_yaml(_write(tmp_path / "there", path=str(tmp_path / "cwd")))
    assert absolute.root == (tmp_path / "cwd").resolve()


def test_a_path_that_is_nowhere_tells_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder") as caught:
        read_data_yaml(_write(tmp_path, path="nowhere"))
    assert str(tmp_path / "nowhere") in caught.value.why


def test_an_unknown_key_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="'trian'") as caught:
        read_data_yaml(_write(tmp_path, trian="images"))
    assert "'train'" in caught.value.fix
    assert caught.value.exit_code == 2


def test_the_keys_of_ultralytics_are_known_and_download_is_never_run(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    script = f"from pathlib import Path\nPath({str(trap)!r}).touch()"
    keys: dict[str, Any] = {
        "nc": 1,
        "test": None,
        "kpt_shape": [17, 3],
        "flip_idx": [0],
        "channels": 3,
        "yaml_file": "x",
    }
    spec = read_data_yaml(_write(tmp_path, download=script, val=["a", "b"], **keys))
    assert tuple(spec.splits) == ("train", "val")
    assert spec.splits["val"] == ((tmp_path / "a").resolve(), (tmp_path / "b").resolve())
    assert spec.keypoint_columns == 51
    assert not trap.exists()


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"names": ["a", "b"]}, ("a", "b")),
        ({"names": {1: "b", 0: "a"}}, ("a", "b")),
        ({"names": {"0": "a"}}, ("a",)),
        ({"names": None, "nc": 2}, ("class_0", "class_1")),
        ({"names": [7]}, ("7",)),
    ],
)
def test_names_are_a_list_or_a_mapping(tmp_path: Path, values: dict[str, Any], names: tuple[str, ...]) -> None:
    assert read_data_yaml(_write(tmp_path, **values)).names == names


@pytest.mark.parametrize(
    "values",
    [
        {"names": None},
        {"names": {0: "a", 2: "b"}},
        {"names": {"first": "a"}},
        {"names": ["a", "a"]},
        {"names": ["a", True]},
        {"names": "person"},
        {"nc": 2},
        {"nc": "many"},
        {"train": None},
        {"train": 3},
        {"path": 3},
        {"kpt_shape": 17},
    ],
)
def test_what_cannot_be_meant_is_an_error(tmp_path: Path, values: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"data\.yaml"):
        read_data_yaml(_write(tmp_path, **values))


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2\n", "", b"\xff\xfe\xfa"])
def test_what_is_no_yaml_mapping_is_an_error(tmp_path: Path, text: str | bytes) -> None:
    file = tmp_path / "data.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=r"data\.yaml"):
        read_data_yaml(file)


def test_an_export_with_dots_before_its_folders_is_found_as_by_ultralytics(tmp_path: Path) -> None:
    (tmp_path / "train" / "images").mkdir(parents=True)
    spec = read_data_yaml(_write(tmp_path, train="../train/images"))
    assert spec.splits["train"] == ((tmp_path / "train" / "images").resolve(),)


def test_validation_is_another_word_for_val(tmp_path: Path) -> None:
    assert "val" in read_data_yaml(_write(tmp_path, validation="images/val")).splits
