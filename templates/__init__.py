"""Jinja2 templates, styles and translations (resources only)."""
