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
    "crowd": "v1 b8e177d4b777147f f55fd618f881562b 22bee6403deaf163",
    "jpeg": "v1 8ded53908d42e439 da3d1fac0d9e860a 99478c871b9f7b87",
    "low_resolution": "v1 da963757bb6c2e89 772583c445bf4959 6162dd8ad3cad8a1",
    "night": "v2 50fdcba5d90a2e78 35a095afc1f72158 20202249df0e0c83",
    "occlusion": "v1 9909484a88a73e78 2c69c766600cfb79 08d1aa2813af353f",
    "overexposure": "v1 3f5557454ee29eca ad4b1e5682f178cf 941cd5415bedbe2d",
    "underexposure": "v1 ebc459c6ba526550 c0a5a5b4420a28aa d110e20d12f10172",
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
