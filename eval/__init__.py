"""From candidates to predictions, metrics, evidence, a decision and a report."""
