"""Where the common corruptions were published."""

from __future__ import annotations

SOURCE = "Hendrycks and Dietterich 2019 (arXiv 1903.12261), Michaelis et al. 2019 (arXiv 1907.07484): {}"
"""The source of all of them; the blank takes the law's own name."""
