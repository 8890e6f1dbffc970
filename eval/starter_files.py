"""The files that people edit before a study: the promotion policy, with its schema for editors, and the card."""

from __future__ import annotations

from pathlib import Path

from robust.errors import UsageError
from robust.eval.decision.policy import default_policy_text, policy_schema_text
from robust.eval.report.card import default_card_text

TEXTS = {"policy.yaml": default_policy_text, "policy.schema.json": policy_schema_text, "card.yaml": default_card_text}


def write_starter_files(folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Copy the commented starter files into a folder, which is made if it does not exist.

    Args:
        folder: Where they go.
        force: Replace files that are there already.

    Returns:
        The files that were written.

    Raises:
        UsageError: a file is there already, or the folder is a file; nothing was written.
    """
    targets = {folder / name: text for name, text in TEXTS.items()}
    present = [target for target in targets if target.exists()]
    if present and not force:
        names = ", ".join(str(target) for target in present)
        raise UsageError(f"{names}: already there.", "Your edits are not overwritten.", "Use --force to replace them.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UsageError(f"{folder} is a file.", fix="Name a folder.") from error
    for target, text in targets.items():
        draft = target.with_name(target.name + ".part")
        draft.write_text(text(), encoding="utf-8")
        draft.replace(target)
    return tuple(targets)
