"""What is measured on: records, readers and writers, checks, splits, synthetic pedestrians."""
