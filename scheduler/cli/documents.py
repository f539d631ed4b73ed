"""Results as JSON for programs: what is not defined is null, for JSON has no word for it."""

import json
import math
from typing import Any


def json_text(found: Any) -> str:
    """Return a result as JSON text."""
    return json.dumps(_with_null(found), indent=2, allow_nan=False)


def _with_null(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _with_null(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [_with_null(value) for value in found]
    return None if isinstance(found, float) and not math.isfinite(found) else found
