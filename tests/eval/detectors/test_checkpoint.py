"""Weights files are read without running their code."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from robust.errors import DataError, IntegrityError, UsageError
from robust.eval.detectors.checkpoint import check_weights, loading
from robust.eval.detectors.environment import load_ultralytics

TINY = {
    "nc": 1,
    "depth_multiple": 0.33,
    "width_multiple": 0.0625,
    "backbone": [[-1, 1, "Conv", [64, 3, 2]], [-1, 1, "Conv", [128, 3, 2]], [-1, 1, "C2f", [128, True]]],
    "head": [[[2], 1, "Detect", ["nc"]]],
}


class Planted:
    """Makes a file when unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (os.mkdir, (str(self.target),))


def tiny_network(seed: int = 0) -> torch.nn.Module:
    load_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    torch.manual_seed(seed)
    network = DetectionModel(TINY, nc=1, verbose=False)
    network.names = {0: "person"}
    return network


def test_describes_a_network(tmp_path: Path) -> None:
    network = tiny_network()
    torch.save({"model": network, "train_args": {"imgsz": 96, "seed": 3}}, tmp_path / "a.pt")
    info = check_weights(tmp_path / "a.pt")
    assert info.names == {0: "person"}
    assert info.train_args == {"imgsz": 96, "seed": 3}
    assert info.parameters == sum(p.numel() for p in network.parameters())
    assert info.size_bytes == (tmp_path / "a.pt").stat().st_size
    assert info.finite
    assert info.unsafe_globals == ()


def test_equal_tensors_have_equal_digests_in_different_files(tmp_path: Path) -> None:
    for name, seed, date in (("a", 1, "monday"), ("b", 1, "tuesday"), ("c", 2, "monday")):
        torch.save({"model": tiny_network(seed), "date": date}, tmp_path / f"{name}.pt")
    a, b, c = (check_weights(tmp_path / f"{name}.pt") for name in "abc")
    assert a.sha256 != b.sha256
    assert a.tensors_sha256 == b.tensors_sha256 != c.tensors_sha256


def test_nan_in_a_tensor_is_seen(tmp_path: Path) -> None:
    network = tiny_network()
    next(network.parameters()).data[0] = float("nan")
    torch.save({"model": network}, tmp_path / "nan.pt")
    assert not check_weights(tmp_path / "nan.pt").finite


def test_malicious_archive_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"model": Planted(tmp_path / "pwned")}, tmp_path / "evil.pt")
    with pytest.raises(IntegrityError, match="mkdir") as refusal:
        check_weights(tmp_path / "evil.pt")
    assert refusal.value.exit_code == 5
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_malicious_bare_pickle_is_refused_and_not_run(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "evil.pt").write_bytes(pickle.dumps(Planted(tmp_path / "pwned"), protocol=protocol))
    with pytest.raises(IntegrityError, match="mkdir"):
        check_weights(tmp_path / "evil.pt")
    assert not (tmp_path / "pwned").exists()


def test_a_custom_module_needs_trust(tmp_path: Path) -> None:
    network = tiny_network()
    network.extra = Planted(tmp_path / "ran")
    torch.save({"model": network}, tmp_path / "custom.pt")
    with pytest.raises(IntegrityError):
        check_weights(tmp_path / "custom.pt")
    info = check_weights(tmp_path / "custom.pt", trust=True)
    assert any("mkdir" in name for name in info.unsafe_globals)
    assert (tmp_path / "ran").is_dir()


def test_trust_ends_with_the_block() -> None:
    load_ultralytics()
    from ultralytics.nn import tasks

    with loading(trust=True):
        assert not tasks.SAFE_LOAD
    assert tasks.SAFE_LOAD


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0 not a pickle", b"PK\x03\x04 truncated"])
def test_damaged_files_are_bad_data(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.pt").write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.pt"):
        check_weights(tmp_path / "broken.pt")


def test_a_file_of_tensors_only_holds_no_network(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "tensors.pt")
    with pytest.raises(DataError, match="no network"):
        check_weights(tmp_path / "tensors.pt")


def test_missing_file_and_wrong_suffix_are_usage_errors(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"")
    for name in ("absent.pt", "model.onnx"):
        with pytest.raises(UsageError):
            check_weights(tmp_path / name)


@pytest.mark.parametrize("name", ["o'brien.pt", "yolov5n.pt"])
def test_names_that_ultralytics_rewrites_are_read_literally(tmp_path: Path, name: str) -> None:
    torch.save({"model": tiny_network()}, tmp_path / name)
    assert check_weights(tmp_path / name).path.name == name
