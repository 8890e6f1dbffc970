from __future__ import annotations

import pytest

from robust.datasets.records import Category
from robust.errors import DataError
from robust.eval.detectors.classes import map_classes

PERSON = Category(1, "person")


def test_many_classes_on_a_one_class_data_set_keep_the_one() -> None:
    assert map_classes({0: "Person", 1: "bicycle", 2: "car"}, [PERSON]) == {0: 1}


def test_class_index_need_not_be_the_category_id() -> None:
    assert map_classes({0: "car", 1: "person"}, [Category(7, "person"), Category(9, "car")]) == {1: 7, 0: 9}


def test_other_name_for_the_same_thing_can_be_said() -> None:
    assert map_classes({0: "pedestrian"}, [PERSON], {"pedestrian": "person"}) == {0: 1}


def test_category_without_a_class_is_refused_with_the_way_out() -> None:
    with pytest.raises(DataError, match="--map-class NAME=person") as error:
        map_classes({0: "pedestrian"}, [PERSON])
    assert error.value.exit_code == 2
