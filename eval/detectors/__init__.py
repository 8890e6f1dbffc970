"""The only place, with training, that touches torch and Ultralytics."""
