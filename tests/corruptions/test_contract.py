from __future__ import annotations

from tests.contracts.corruption_contract import CorruptionContract


class TestRegisteredCorruptions(CorruptionContract):
    pass
