"""COCO metrics, threshold curves and robustness aggregates (pure: arrays in, records out)."""
