"""From a data set to its out-of-distribution variants: corruptions, a registry, suites."""
