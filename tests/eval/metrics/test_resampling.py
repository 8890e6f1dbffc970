from __future__ import annotations

import numpy as np
import pytest

from robust.eval.metrics.resampling import ImageWeights, Resampling, image_weights, unit_of_image

NONE = (None,) * 40


def test_the_same_seed_and_set_draw_the_same_and_others_do_not() -> None:
    first = image_weights(NONE, Resampling(), "test").values
    again = image_weights(list(NONE), Resampling(), "test").values
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, image_weights(NONE, Resampling(seed=1), "test").values)
    assert not np.array_equal(first, image_weights(NONE, Resampling(), "val").values)


def test_every_replicate_draws_as_many_images_as_there_are() -> None:
    drawn = image_weights(NONE, Resampling(), "test")
    np.testing.assert_array_equal(drawn.values.sum(axis=0), 40)
    assert (drawn.n_images, drawn.n_replicates, drawn.n_units) == (40, 2000, 40)
    assert drawn.left_out.mean() == pytest.approx((1 - 1 / 40) ** 40, abs=0.01)


def test_standard_error_of_a_mean_is_that_of_the_textbook() -> None:
    values = np.random.default_rng(0).normal(size=200)
    drawn = image_weights((None,) * 200, Resampling(replicates=10_000), "test")
    means = values @ drawn.values / 200
    assert means.std() * np.sqrt(200 / 199) == pytest.approx(values.std(ddof=1) / np.sqrt(200), rel=0.03)


def test_images_of_a_group_are_drawn_together() -> None:
    groups = ("a", None, "a", "b", "b", None)
    np.testing.assert_array_equal(unit_of_image(groups), [0, 1, 0, 2, 2, 3])
    drawn = image_weights(groups, Resampling(), "test")
    np.testing.assert_array_equal(drawn.values[0], drawn.values[2])
    np.testing.assert_array_equal(drawn.values[3], drawn.values[4])
    assert not np.array_equal(drawn.values[1], drawn.values[5])
    assert drawn.n_units == 4


def test_smooth_weights_leave_nothing_out_and_keep_the_total() -> None:
    drawn = image_weights(NONE, Resampling(), "test", smooth=True)
    assert drawn.values.min() > 0 and not drawn.left_out.any()
    np.testing.assert_allclose(drawn.values.sum(axis=0), 40)


@pytest.mark.parametrize("n", [5, 40])
def test_smooth_weights_vary_as_much_as_counts(n: int) -> None:
    """Judge: the variance of Dirichlet weights of shape a is (n - 1) / (a n + 1), that of counts (n - 1) / n."""
    drawn = image_weights((None,) * n, Resampling(replicates=20_000), "test", smooth=True)
    assert drawn.values.var() == pytest.approx((n - 1) / n, rel=0.03)


def test_images_know_their_unit() -> None:
    groups = ["a", None, "a", "b", "b", None]
    np.testing.assert_array_equal(image_weights(groups, Resampling(), "test").unit_of_image, unit_of_image(groups))
    np.testing.assert_array_equal(image_weights(NONE, Resampling(), "test").unit_of_image, np.arange(40))


def test_shared_weights_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        image_weights(NONE, Resampling(), "test").values[0] = 1


def test_no_images_have_no_weights() -> None:
    assert image_weights((), Resampling(), "test").values.shape == (0, 2000)


def test_weights_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="float64"):
        ImageWeights(np.ones((3, 2), dtype=np.int64), 3)
