"""Evidence and decision to HTML and Markdown."""
