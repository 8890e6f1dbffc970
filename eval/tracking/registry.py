"""The model registry: which run a registered model came from."""

from __future__ import annotations

from robust.errors import UsageError
from robust.eval.tracking.connect import connect, resolve_uri, told

SCHEME = "models:/"


def run_of_model(uri: str, tracking_uri: str | None = None) -> str:
    """Return the id of the run that a registered model version was made from.

    Args:
        uri: ``models:/NAME@ALIAS`` or ``models:/NAME/VERSION``.
        tracking_uri: Of the store that the registry belongs to.

    Raises:
        UsageError: there is no such model, or its version names no run.
    """
    from mlflow.exceptions import MlflowException

    name, at, alias = uri.removeprefix(SCHEME).partition("@")
    client = connect(resolve_uri(tracking_uri))
    with told(f"The registry cannot be asked for {uri}."):
        try:
            if at:
                found = client.get_model_version_by_alias(name, alias)
            else:
                found = client.get_model_version(*name.rpartition("/")[::2])
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            known = ", ".join(sorted(model.name for model in client.search_registered_models())) or "none"
            raise UsageError(f"There is no {uri}.", f"Registered models: {known}.", "Check name and alias.") from error
    if not found.run_id:
        raise UsageError(
            f"{uri} names no run.", "It was registered from a file.", "Give the file itself: --baseline FILE"
        )
    return str(found.run_id)
