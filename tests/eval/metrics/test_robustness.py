from __future__ import annotations

import json

import pytest

from robust.eval.metrics.robustness import mean_or_none, robustness

from .builders import shared_reference

CELLS = {("night", 1): 0.4, ("night", 2): 0.2, ("crowd", 1): 0.5, ("crowd", 2): 0.3}


def test_small_matrix_by_hand() -> None:
    result = robustness("AP50", 0.7, CELLS)
    assert result.mPC == pytest.approx(0.35)
    assert result.rPC == pytest.approx(0.5)
    assert result.corruption_means == pytest.approx({"crowd": 0.4, "night": 0.3})
    assert (result.worst_variant, result.worst) == ("night/2", 0.2)
    assert (result.metric, result.clean) == ("AP50", 0.7)


def test_undefined_cell_is_not_averaged_away() -> None:
    result = robustness("AP", 0.7, CELLS | {("night", 2): None})
    assert (result.mPC, result.rPC, result.worst, result.worst_variant) == (None, None, None, None)
    assert result.corruption_means == {"crowd": pytest.approx(0.4), "night": None}


def test_missing_cell_is_not_averaged_away() -> None:
    result = robustness("AP", 0.7, {cell: value for cell, value in CELLS.items() if cell != ("night", 2)})
    assert (result.mPC, result.rPC, result.worst, result.worst_variant) == (None, None, None, None)
    assert result.corruption_means["night"] is None


@pytest.mark.parametrize("clean", [None, 0.0])
def test_no_ratio_without_a_clean_value(clean: float | None) -> None:
    result = robustness("AP", clean, CELLS)
    assert result.mPC == pytest.approx(0.35)
    assert result.rPC is None


def test_no_variants_is_undefined() -> None:
    result = robustness("AP", 0.7, {})
    assert (result.mPC, result.rPC, result.worst, result.corruption_means) == (None, None, None, {})


def test_equal_worst_variants_are_named_in_a_fixed_order() -> None:
    cells = {("b", 1): 0.2, ("a", 2): 0.2, ("a", 1): 0.3, ("b", 2): 0.4}
    assert robustness("AP", 0.7, cells).worst_variant == "a/2"
    assert robustness("AP", 0.7, dict(reversed(cells.items()))).worst_variant == "a/2"


def test_clean_is_not_a_severity() -> None:
    with pytest.raises(ValueError, match="start at 1"):
        robustness("AP", 0.7, {("night", 0): 0.7})


def test_mean_stays_within_its_values() -> None:
    for n in range(1, 50):
        assert mean_or_none([1.0] * n) == 1.0
        assert mean_or_none([0.1] * n) == pytest.approx(0.1)
    assert mean_or_none([]) is None
    assert mean_or_none([0.5, None]) is None


def _michaelis(*, benchmark_only: bool) -> dict[tuple[str, int], float | None]:
    data = json.loads(shared_reference("michaelis_faster_rcnn_r50_coco.json").read_text(encoding="utf-8"))
    chosen = data["benchmark_corruptions"] if benchmark_only else list(data["AP"])
    return {(name, severity): data["AP"][name][severity] for name in chosen for severity in range(1, 6)}


def test_published_matrix_of_faster_rcnn_on_coco() -> None:
    """Michaelis et al. 2019, Faster R-CNN R50: P 36.3, mPC 18.2 (printed rPC 50.2; the raw data gives 50.1)."""
    result = robustness("AP", 0.3632656188432802, _michaelis(benchmark_only=True))
    assert result.mPC == pytest.approx(0.1820489105, abs=1e-10)
    assert result.rPC == pytest.approx(0.5011454458, abs=1e-10)
    assert result.worst_variant == "pixelate/5"
    assert result.worst == pytest.approx(0.0276042813, abs=1e-10)
    means = {name: value for name, value in result.corruption_means.items() if value is not None}
    assert min(means, key=means.__getitem__) == "zoom_blur"
    assert means["zoom_blur"] == pytest.approx(0.0758826665, abs=1e-10)


def test_published_matrix_with_the_extra_corruptions() -> None:
    assert robustness("AP", 0.36, _michaelis(benchmark_only=False)).mPC == pytest.approx(0.1944165895, abs=1e-10)
