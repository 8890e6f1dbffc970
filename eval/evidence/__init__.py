"""The versioned evidence from which decision and report are made (pure)."""
