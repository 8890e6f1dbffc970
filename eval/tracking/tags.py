"""The tags that our runs carry, and what each says.

Each constant is the key of a tag; keys that begin with ``mlflow.`` are MLflow's own.
"""

from __future__ import annotations

SCHEMA = "1"
"""Value of `SCHEMA_TAG`: counts changes of the meaning of our tags, metrics and artifacts."""

KIND = "robust.kind"
"""train, eval or report."""
SCHEMA_TAG = "robust.schema"
WEIGHTS_SHA256 = "robust.weights_sha256"
"""Of the weights file that the run produced (train) or measured (eval)."""
WEIGHTS_ARTIFACT = "robust.weights_artifact"
"""Artifact path of the run's weights, for runs that keep them in an unusual place."""
TENSORS_SHA256 = "robust.tensors_sha256"
"""Of the weights' tensors alone: equal for equal trainings, where files differ by date."""
BASE_WEIGHTS_SHA256 = "robust.base_weights_sha256"
"""Of the weights that training started from: the baseline."""
BASE_WEIGHTS_ARTIFACT = "robust.base_weights_artifact"
"""Artifact path of a copy of those weights."""
TRAIN_KEY = "robust.train_key"
"""Hash of everything that decides a training: a finished run with the same key is not trained again."""
DATASET_SHA256 = "robust.dataset_sha256"
"""Fingerprint of the split that was trained on (train) or measured on (eval)."""
VAL_DATA_SHA256 = "robust.val_dataset_sha256"
"""Fingerprint of the split that chose the best epoch."""
SAME_WEIGHTS_AS = "robust.same_weights_as"
"""Run ids of another seed with the same tensors: the seed did nothing."""
FAILURE = "robust.failure"
"""Why the run failed, one line."""
SOURCE_RUN_ID = "robust.source_run_id"
"""The training run that an evaluation measured."""
SUITE = "robust.suite"
ADOPTED_FROM = "robust.adopted_sha256"
"""Hash of the adopted folder's files: adopting the same folder again finds the run."""

PARENT_RUN_ID = "mlflow.parentRunId"
RUN_NAME = "mlflow.runName"
DATA_CONTEXT = "mlflow.data.context"
"""On a data set input: training, validation, evaluation."""
