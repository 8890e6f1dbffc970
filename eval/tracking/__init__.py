"""Runs in an MLflow store; the only place for mlflow."""
