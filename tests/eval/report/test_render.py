from __future__ import annotations

import dataclasses
import re
from datetime import date
from html.parser import HTMLParser
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
from jinja2 import meta

from robust.eval.decision.decide import decide
from robust.eval.decision.metric_gates import BaselineGate, MetricGate
from robust.eval.decision.policy import Policy, Waiver, read_policy
from robust.eval.decision.records import Circumstances, Estimate, Outcome, Tier, Verdict
from robust.eval.evidence.records import CandidateEvidence, Evidence, NotEvaluated
from robust.eval.report.build import build_context
from robust.eval.report.card import Card
from robust.eval.report.context import ReportContext, escape_markdown, printable
from robust.eval.report.page_script import script_source
from robust.eval.report.render import breakable, code_span, environment, render_html, render_markdown
from tests.eval.evidence_builder import build_evidence, change_candidates, undefined, without_cells
from tests.eval.evidence_changes import with_intervals

SECTIONS = (
    "Gates",
    "Objectives and constraints",
    "Proposed candidate",
    "Operating point",
    "Degradation by variant and severity",
    "Errors",
    "Failure gallery",
    "Comparison",
    "Key observations",
    "Risks and mitigations",
    "Decision",
    "Next steps",
    "Data",
    "Training evidence",
    "Method and definitions",
    "Limits and what was not evaluated",
    "Provenance",
    "Sign-off",
)
HOSTILE = "<script>alert(1)</script>|`x`**b**[l](http://e.example)\n\n# h {{ 7*7 }} \u202egpj.\"'"


def context(evidence: Evidence, card: Card | None = None, policy: Policy | None = None) -> ReportContext:
    policy = policy or read_policy()
    return build_context(evidence, policy, decide(evidence, policy), card or Card())


def both(evidence: Evidence, card: Card | None = None) -> tuple[str, str]:
    made = context(evidence, card)
    return render_html(made), render_markdown(made)


class Page(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.text: list[str] = []
        self._inside: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[-1] == "h2":
            self.headings.append(data)
        if not {"style", "script"} & set(self._inside):
            self.text.append(data)


@pytest.fixture(scope="module")
def pages() -> tuple[str, str]:
    return both(build_evidence())


def test_the_sections_stand_in_the_order_that_readers_know(pages: tuple[str, str]) -> None:
    assert tuple(Page(pages[0]).headings) == SECTIONS
    assert tuple(re.findall(r"^## (.*)$", pages[1], re.M)) == SECTIONS


def test_templates_use_exactly_the_documented_context() -> None:
    fields = {field.name for field in dataclasses.fields(ReportContext)}
    loaded = environment(html=True)
    assert loaded.loader is not None
    used: dict[str, set[str]] = {}
    for name in ("report.html.j2", "report.md.j2", "summary.md.j2"):
        source = loaded.loader.get_source(loaded, name)[0]
        used[name] = meta.find_undeclared_variables(loaded.parse(source))
    assert used["report.html.j2"] == fields | {"script", "script_source"}
    assert used["report.md.j2"] == fields - {"lang", "slider_data", "slider_note"}
    assert used["summary.md.j2"] <= fields


def test_every_field_of_the_context_says_what_it_holds() -> None:
    for name, hint in get_type_hints(ReportContext, include_extras=True).items():
        assert get_origin(hint) is Annotated and get_args(hint)[1], name


def test_the_page_loads_nothing_and_runs_its_own_script_alone(pages: tuple[str, str]) -> None:
    tags = Page(pages[0]).tags
    assert [a.get("type") for tag, a in tags if tag == "script"] == ["application/json", None]
    assert not {tag for tag, _ in tags} & {
        "link",
        "iframe",
        "object",
        "embed",
        "img",
        "form",
        "base",
        "foreignobject",
    }
    for tag, attributes in tags:
        assert not [name for name in attributes if name.startswith("on") or name in {"src", "srcset", "action"}], tag
        assert (attributes.get("href") or "#").startswith("#")
    policies = [a["content"] for _, a in tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {script_source()}; base-uri 'none'; "
        "form-action 'none'"
    ]
    assert "url(" not in pages[0] and "@import" not in pages[0]
    assert "http://" not in pages[0] and "https://" not in pages[0]
    assert len(pages[0].encode()) < 2_000_000


def test_tables_and_charts_can_be_read_without_seeing_them(pages: tuple[str, str]) -> None:
    page = Page(pages[0])
    tables = [tag for tag, _ in page.tags if tag == "table"]
    assert len(tables) == len([tag for tag, _ in page.tags if tag == "caption"]) > 10
    assert all(attributes.get("scope") in {"col", "row"} for tag, attributes in page.tags if tag == "th")
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    images = [attributes for tag, attributes in page.tags if tag == "svg" and attributes.get("role") == "img"]
    assert len(images) == 7  # rates, alarms, three corruptions, seeds on val and on test
    for image in images:
        assert set((image["aria-labelledby"] or "").split()) <= set(ids)
    assert ("html", {"lang": "en"}) in page.tags
    assert len([tag for tag, _ in page.tags if tag == "figure"]) == len(images)
    assert len([tag for tag, _ in page.tags if tag == "details"]) >= len(images)


def test_links_inside_the_page_lead_somewhere(pages: tuple[str, str]) -> None:
    page = Page(pages[0])
    ids = {attributes.get("id") for _, attributes in page.tags}
    assert {(a["href"] or "")[1:] for tag, a in page.tags if tag == "a"} <= ids


def test_the_same_evidence_policy_and_card_give_the_same_bytes(pages: tuple[str, str]) -> None:
    assert both(build_evidence()) == pages


def hostile_evidence() -> Evidence:
    evidence = build_evidence()

    def rename(c: CandidateEvidence) -> CandidateEvidence:
        label = c.configuration.model_copy(update={"label": HOSTILE + c.configuration.label, "model": HOSTILE})
        return c.model_copy(
            update={
                "name": HOSTILE + c.name,
                "baseline": HOSTILE + c.baseline if c.baseline else None,
                "configuration": label,
                "inference": {HOSTILE: HOSTILE},
            }
        )

    evidence = change_candidates(evidence, rename)
    data = evidence.data.model_copy(update={"name": HOSTILE, "categories": (HOSTILE,)})
    lost = NotEvaluated(name=HOSTILE, run_id=None, reason=HOSTILE)
    return evidence.model_copy(
        update={"experiment": HOSTILE, "data": data, "environment": {HOSTILE: HOSTILE}, "not_evaluated": (lost,)}
    )


def test_hostile_names_are_inert_in_html() -> None:
    card = Card(purpose=HOSTILE, owner=HOSTILE, approver=HOSTILE, reviewers=(HOSTILE,))
    html, _ = both(hostile_evidence(), card)
    page = Page(html)
    harmless, _ = both(build_evidence(), card)
    assert {tag for tag, _ in page.tags} == {tag for tag, _ in Page(harmless).tags}
    assert html.count("<script") == html.count("</script") == 2 and "\u202e" not in html
    assert "49" not in "".join(part for part in page.text if "7*7" in part)
    assert any("<script>alert(1)</script>" in part for part in page.text)


def test_hostile_names_are_inert_in_markdown() -> None:
    card = Card(purpose=HOSTILE, owner=HOSTILE, approver=HOSTILE, reviewers=(HOSTILE,))
    _, markdown = both(hostile_evidence(), card)
    outside_code = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", re.sub(r"\\`", "", markdown))
    assert "<" not in outside_code
    assert not re.search(r"(?<!\\)\[l(?<!\\)\]", outside_code)
    assert tuple(re.findall(r"^## (.*)$", markdown, re.M)) == SECTIONS
    assert not re.search(r"^# h", markdown, re.M)


def test_markdown_tables_keep_their_columns_under_hostile_names() -> None:
    _, markdown = both(hostile_evidence())
    width = 0
    for line in markdown.splitlines():
        if not line.startswith("|"):
            width = 0
            continue
        cells = len(re.findall(r"(?<!\\)\|", line))
        assert cells == (width or cells), line
        width = cells


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a|b", "a\\|b"),
        ("`x`", "\\`x\\`"),
        ("yolov8n_e3_sz416", "yolov8n_e3_sz416"),
        ("_x_ *y*", "\\_x\\_ \\*y\\*"),
        ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
        ("# no", "\\# no"),
        ("1. no", "1\\. no"),
        ("-0.012", "-0.012"),
        ("a\\|b", "a\\\\\\|b"),
    ],
)
def test_markdown_shows_text_as_it_is(text: str, escaped: str) -> None:
    assert escape_markdown(text) == escaped


def test_code_keeps_its_backticks_inside() -> None:
    assert code_span("a") == "`a`"
    assert code_span("`a``b") == "``` `a``b ```"


def test_control_and_direction_marks_are_spelled_out() -> None:
    assert printable("a\nb\x00\u202ec\ue000") == "a b\\u0000\\u202ec\\ue000"


@pytest.mark.parametrize("make", [undefined, lambda e: without_cells(e, "test"), lambda e: without_cells(e, "val")])
def test_missing_values_are_named_and_never_look_good(make: object) -> None:
    assert callable(make)
    html, markdown = both(make(build_evidence()))
    text = " ".join(Page(html).text)
    for shown in (text, markdown):
        assert "HOLD" in shown
        assert "not measured" in shown
        assert not re.search(r"\bnan\b|\bNone\b(?! of \d)|-1\.0", shown)


def test_an_empty_study_still_renders() -> None:
    html, markdown = both(change_candidates(build_evidence(), lambda c: None))
    assert "HOLD" in html and "the evidence holds no candidate" in markdown


def test_missing_human_facts_read_not_provided_and_given_ones_are_shown() -> None:
    html, markdown = both(build_evidence(), Card(owner="The night team", purpose=" "))
    assert "The night team" in html and "The night team" in markdown
    assert "- **Purpose**: NOT PROVIDED" in markdown
    assert "unsigned" in html and "unsigned" in markdown


def test_what_was_not_evaluated_is_listed() -> None:
    lost = NotEvaluated(name="run-7", run_id="7", reason="the run has no weights")
    _, markdown = both(build_evidence().model_copy(update={"not_evaluated": (lost,)}))
    assert "run-7: not measured, the run has no weights." in markdown


@pytest.mark.parametrize("make", [lambda e: e, undefined, lambda e: without_cells(e, "val")])
def test_the_mistakes_of_handwritten_reports_cannot_be_made(make: object) -> None:
    """No praise, no equality, no winner, no reproducibility from two seeds, no number that nobody measured."""
    assert callable(make)
    html, markdown = both(make(build_evidence()))
    for shown in (" ".join(Page(html).text).lower(), markdown.lower()):
        praise = r"\b(better|excellent|perfect|equals?|proven|best|robust to|negligible|systematically|optimal)\b"
        assert not re.search(praise, shown.replace("the best one on val", "")), re.search(praise, shown)
        for found in re.finditer(r".{40}reproducib", shown, re.S):
            assert "no statement on reproducib" in found.group()
        assert "%" not in shown.replace("95 %", "").replace("80 %", "").replace("5 % error", "")
        assert "over-fitting: not assessed" in shown


def test_every_score_in_the_tables_stands_under_its_split(pages: tuple[str, str]) -> None:
    made = context(build_evidence())
    for table in (made.candidate_metrics, made.operating_table, made.degradation_table, made.configuration_table):
        assert "10 images, 47 objects" in table.caption
    assert "threshold 0.34" in made.operating_table.caption
    gate = next(row for row in made.gates.rows if row.header == "recall at the threshold")
    assert "test, clean, threshold 0.34" in [cell.text for cell in gate.cells]


def test_failed_gates_come_first() -> None:
    outcomes = [row.cells[0].text for row in context(build_evidence()).gates.rows]
    assert outcomes == sorted(outcomes, key=lambda text: ("PASS" in text, "NOT ENOUGH" in text))


@pytest.mark.parametrize(("outcome", "verdict"), [(Outcome.PASS, Verdict.PROMOTE), (Outcome.FAIL, Verdict.REJECT)])
def test_the_other_two_decisions_render_with_word_and_symbol(outcome: Outcome, verdict: Verdict) -> None:
    """Gates as they will be once intervals exist: the interval is printed and the words stay."""
    policy = read_policy()
    decision = decide(build_evidence(), policy)
    estimate = Estimate(value=0.7, low=0.65, high=0.75)
    gates = tuple(
        g.model_copy(update={"outcome": outcome, "estimate": estimate, "unit": "score"}) for g in decision.gates
    )
    changed = decision.model_copy(update={"gates": gates, "verdict": verdict, "reason": "Because."})
    html = render_html(build_context(build_evidence(), policy, changed, Card()))
    assert f'class="verdict {verdict.lower()}"' in html
    assert "[0.650, 0.750]" in html
    assert {"PROMOTE": "Promote: YES", "REJECT": "Promote: NO"}[verdict] in html


def test_a_waiver_is_shown_with_who_why_and_until_when() -> None:
    gates = (
        MetricGate(name="level", tier=Tier.CRITICAL, metric="AP50", minimum=0.9),
        BaselineGate(name="gain", tier=Tier.CRITICAL, metric="AP50", margin=0),
    )
    waiver = Waiver(gate="level", author="A <Person>", reason="a pilot", expires=date(2026, 12, 31))
    policy = Policy(version=1, name="p", gates=gates, waivers=(waiver,))
    evidence = with_intervals(build_evidence())
    for day, words in ((31, "Waived by A"), (None, "does not count: the day of the decision is not known")):
        today = date(2026, 12, day) if day else None
        context = build_context(evidence, policy, decide(evidence, policy, Circumstances(today=today)), Card())
        html, markdown = render_html(context), render_markdown(context)
        for shown in (html, markdown):
            assert words in shown and "2026-12-31: a pilot" in shown
            assert ("FAIL, waived" in shown) == (day is not None)
        assert "A <Person>" not in html


def test_only_long_names_may_break_and_only_after_an_underscore() -> None:
    assert breakable("real_dusk <b>") == "real_dusk &lt;b&gt;"
    long = "night, yolov8n_e3_sz416_lr0.005_s42 (baseline)"
    assert breakable(long) == "night, yolov8n_<wbr>e3_<wbr>sz416_<wbr>lr0.005_<wbr>s42 (baseline)"
    assert "<img" not in breakable("<img_src=x_onerror=alert(1)>") and breakable("<wbr>_" * 4).count("<wbr>") == 4
