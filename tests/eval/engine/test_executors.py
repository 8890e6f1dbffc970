from __future__ import annotations

from pathlib import Path

import pytest

from robust.errors import UnknownName
from robust.eval.engine.executors import LocalExecutor, ProcessExecutor, make_executor
from tests.contracts.executor_contract import check_executor


def test_local_executor_keeps_the_contract(tmp_path: Path) -> None:
    check_executor(LocalExecutor(), tmp_path)


@pytest.mark.slow
def test_process_executor_keeps_the_contract(tmp_path: Path) -> None:
    check_executor(ProcessExecutor(2), tmp_path)


def test_unknown_executor_lists_the_known() -> None:
    with pytest.raises(UnknownName, match="rya"):
        make_executor("rya")
