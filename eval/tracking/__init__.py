"""The only place that touches MLflow."""
