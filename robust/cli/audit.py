"""``robust audit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from robust.cli import options
from robust.cli.output import echo_json
from robust.errors import UsageError

if TYPE_CHECKING:
    from robust.eval.evidence.findings import AuditEvidence

ERRORS_FOUND = 3
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("audit")
@options.experiment
@options.run_id
@options.data
@options.tracking_uri
@click.option(
    "--claims",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Numbers that people typed, as YAML; see docs/claims.md.",
)
@click.option(
    "--declared",
    multiple=True,
    metavar="SPLIT=N",
    help="How many images a document says a split has, such as train=128; held against --data.",
)
@options.as_json
@click.option("--sarif", type=_FILE, metavar="FILE", help="Write the findings as SARIF, for code scanning.")
@click.option("--junit", type=_FILE, metavar="FILE", help="Write the checks as JUnit XML, for CI.")
@click.option("--strict", is_flag=True, help="Exit with 3 when there is an error, with 2 when there is no run.")
@click.pass_context
def audit_command(ctx: click.Context, /, *, strict: bool, **given: Any) -> None:
    """Judge training evidence: runs of an experiment, whoever logged them, or numbers that people typed.

    --experiment or --run-id looks for what makes a comparison of trainings invalid: parameters without effect, copies,
    too few seeds, names that lie, runs without results. No weights are needed, and no image is read without --data.
    --claims checks means, percentages, rates and counts that cannot be right; it needs no run.

    An error makes a comparison invalid; a warning or a note is something to look at.
    """
    _check_inputs(ctx, given)
    found, source = _claims(given["claims"]) if given["claims"] is not None else _experiment(given)
    counts = _counts(found)
    if given["as_json"]:
        echo_json({**source, "rules": found.rules, "counts": counts, "findings": list(found.findings)})
    elif not _write(found, given):
        _show(found, counts)
    if strict and not found.n_runs and given["claims"] is None:
        raise UsageError(
            "There is nothing to audit: no training run was found.",
            "An audit that looked at nothing must not pass as one without errors.",
            "Name an experiment that has training runs, and check --tracking-uri.",
        )
    if strict and counts["error"]:
        ctx.exit(ERRORS_FOUND)


def _check_inputs(ctx: click.Context, given: dict[str, Any]) -> None:
    """Accept one input and one form of output; names that come from the environment give way to what was typed."""
    typed = {
        option
        for option, name in (("--experiment", "experiment"), ("--run-id", "run_ids"), ("--claims", "claims"))
        if given[name] and ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    }
    if len(typed) > 1:
        raise UsageError(
            f"{' and '.join(sorted(typed))} cannot be used together.",
            "One audit looks at one thing.",
            "Give --experiment NAME, or --run-id ID (which may be repeated), or --claims FILE.",
        )
    if not (typed or given["experiment"]):
        raise UsageError(
            "There is nothing to audit.",
            fix="Give --experiment NAME, or --run-id ID (which may be repeated), or --claims FILE.",
        )
    if "--claims" in typed and ctx.get_parameter_source("data") is ParameterSource.COMMANDLINE:
        raise UsageError("--data says nothing about --claims.", "Claims are checked by arithmetic alone.")
    forms = [f"--{name}" for name in ("as_json", "sarif", "junit") if given[name]]
    if len(forms) > 1:
        told = " and ".join(forms).replace("--as_json", "--json")
        raise UsageError(f"{told} cannot be used together.", fix="Run the command once for each.")


def _claims(path: Path) -> tuple[AuditEvidence, dict[str, Any]]:
    from robust.eval.audit.arithmetic import RULES, lint_claims
    from robust.eval.evidence.findings import AuditEvidence

    return AuditEvidence(rules=tuple(RULES), n_runs=0, findings=tuple(lint_claims(path))), {"claims": path}


def _experiment(given: dict[str, Any]) -> tuple[AuditEvidence, dict[str, Any]]:
    from robust.eval.audit_run import audit_experiment
    from robust.eval.tracking.store import Store

    run_ids = given["run_ids"]
    experiment = None if run_ids else given["experiment"]
    declared = dict(_split_count(text) for text in given["declared"])
    if declared and given["data"] is None:
        raise UsageError("--declared is held against the images of a data set.", fix="Name the data set with --data.")
    store = Store.open(given["tracking_uri"])
    found = audit_experiment(store, experiment, run_ids, data=given["data"], declared=declared)
    return found, {
        "experiment": experiment,
        "run_ids": list(run_ids),
        "n_runs": found.n_runs,
        "not_checked": found.not_checked,
    }


def _split_count(text: str) -> tuple[str, int]:
    """Split and number of images of ``--declared``."""
    split, _, count = text.partition("=")
    if not split or not count.isdecimal():
        raise UsageError(f"--declared {text!r} is not SPLIT=N.", fix="Write it as --declared train=128.")
    return split, int(count)


def _counts(found: AuditEvidence) -> dict[str, int]:
    from robust.eval.evidence.findings import Severity

    return {str(severity): found.count(severity) for severity in Severity}


def _write(found: AuditEvidence, given: dict[str, Any]) -> bool:
    """Write the file that was asked for; tell whether one was."""
    if given["sarif"] is not None:
        from robust.eval.audit.sarif import to_sarif

        path, text = given["sarif"], to_sarif(found)
    elif given["junit"] is not None:
        from robust.eval.audit.junit import to_junit

        path, text = given["junit"], to_junit(found)
    else:
        return False
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{path} cannot be written.", str(error)) from error
    click.echo(f"Written to {path}", err=True)
    return True


def _show(found: AuditEvidence, counts: dict[str, int]) -> None:
    from robust.eval.report.context import printable  # names of runs and of a file's claims may hold anything

    for finding in found.findings:
        click.echo(f"{finding.severity}: {finding.rule}")
        for line in (finding.what, f"Why: {finding.why}", f"Do: {finding.remedy}"):
            click.echo(f"  {printable(line)}")
    for rule, reason in found.not_checked.items():
        click.echo(f"not checked: {rule}: {printable(reason)}")
    told = ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for name, n in counts.items())
    runs = f"{found.n_runs} run{'' if found.n_runs == 1 else 's'}, " if found.n_runs or found.not_checked else ""
    click.echo(f"{told} ({runs}{len(found.rules)} checks)")
