"""Known bytes: a library upgrade that changes pixels must not pass unnoticed.

When a corruption is changed on purpose, raise its ``version`` and put the new hashes here; the failing test
prints them.
"""

from __future__ import annotations

import pytest

from robust.corruptions.apply import corrupt
from robust.corruptions.registry import get, make_variant, names
from tests.corruptions.street import digest, hard_street

GOLDEN: dict[str, str] = {
    "brightness": "v1 8a920ef3d26c05f7 27e3ab50680982b8 7134bc41ea5e080a",
    "camera_motion": "v1 6c52d91c2a946ff6 f280fa13c6da8780 d5a3fa103068cf36",
    "contrast": "v1 c3efe9ecb90a0595 692729897e47a077 47f5b373966b9686",
    "crowd": "v3 cf5cbec1aade6a4a 0d702bf03cb9412b 581893f8a04f1b79",
    "defocus_blur": "v1 7ea3b1a067b46cda e8e9d9136b7ec270 9d2cac805736a927",
    "depth_fog": "v1 1264ef0ed97fffdd 5859342650d82d80 6b0bf65b6dea994c",
    "elastic_transform": "v1 919d1c7d2bdb34cc a51b3a27b5f32df0 7c1e02e3a0e37c4d",
    "fog": "v1 6a611a458b57d3b3 52c712bf06856ceb bc8a253d4c67efa6",
    "frost": "v1 7e3d4bc9d735a5c7 1c42b6ca42c33b59 371d6099c7ea2d3e",
    "gaussian_noise": "v1 fd3da7d02a8ed112 abfda4f060948368 f4ab993e7f222bc5",
    "glass_blur": "v1 27f16a9e26ee589d d056036a99285eef 306aa12d523b9fef",
    "impulse_noise": "v1 25302010b71d9f19 e95df649e38b2a6f 9ef46b8cb0cdc4f5",
    "jpeg": "v1 8ded53908d42e439 da3d1fac0d9e860a 99478c871b9f7b87",
    "jpeg_compression": "v1 4946d7a1e0aaaeda 132f05dcce04f0e5 95b0d327f04a4389",
    "low_resolution": "v1 da963757bb6c2e89 772583c445bf4959 6162dd8ad3cad8a1",
    "low_sun": "v1 58a76bde417a9bec 057f77a91e69de5e 6b4d30509eaa8a00",
    "motion_blur": "v1 bbc5864c9fc657da f3905782a9c3551a 0d988a428ba02a8b",
    "night": "v3 48c6e5d19fcc8138 9ddd2c0f384bac5c 4d41af8fdd7b7874",
    "occlusion": "v2 98be7498e4030589 edee72de9a23c8d1 78a86f705bfad40e",
    "out_of_focus": "v2 e58794a392b1d7a6 1a9515363b38dc3f a08e3ae8033efb34",
    "overexposure": "v1 33a3c0d76bf9d80e 8f05cf369fd2b0a3 a819cbe1eb6c6fe7",
    "pixelate": "v1 d52b2b3cd768613a f2feff9f92f15034 0f70ba94a04caa0c",
    "rainfall": "v1 6226198eaefd54a7 1681c44542f84258 92144d8e712ec2ac",
    "roll": "v1 f20325c9f127bbea 3edcb6d8325ad6f9 6a6953a2b58ba4c7",
    "sensor_noise": "v1 37c42414853ad335 a27516c95e72161e 4894d38d2992713b",
    "shot_noise": "v1 467c2d028382ea0d b0be3fe5ad5ee8cb 304e309eecfa1e09",
    "snow": "v1 b40afde5f59ea1bc a579ab669903063a 6ceee8475e41e32b",
    "snowfall": "v1 f295b60c3f650f1d caedd68e46acfc56 a78fe5dfe90285d2",
    "steep_view": "v2 db723cf89ee08383 50868fcdbb6d234f a839390a0ba31fc9",
    "underexposure": "v1 392bed832d1575ca d64cb1f55a57d123 fa068378d6b294b7",
    "zoom_blur": "v1 208c2278baaf59e9 30955087a4e0a506 d6d20c5768374a47",
}


def made_now(name: str) -> str:
    """First 16 digits of the hashes of three images at severity 3, with the corruption's version."""
    street, variant = hard_street(), make_variant(name, 3)
    dataset = street.dataset
    digests = (digest(corrupt(dataset, i, variant, source=street.source))[:16] for i in (0, 1, 2))
    return f"v{get(name).version} " + " ".join(digests)


@pytest.mark.parametrize("name", names())
def test_the_pixels_and_boxes_are_those_of_this_version(name: str) -> None:
    assert name in GOLDEN, f"add the golden hashes of {name}: {made_now(name)!r}"
    assert made_now(name) == GOLDEN[name]
