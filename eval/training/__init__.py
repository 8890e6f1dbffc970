"""Training a candidate: the plan, the trainer, the fit of one job, and the files that a training leaves."""
