"""Policy, gates, claims and the decision they lead to (pure)."""
