"""Ray's token authentication, read from where Ray's own programs read it."""

from collections.abc import Mapping
from pathlib import Path


def auth_headers(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the headers that Ray's REST API wants; none unless RAY_AUTH_MODE is "token".

    The token is RAY_AUTH_TOKEN, or the content of the file RAY_AUTH_TOKEN_PATH, or of `.ray/auth_token` in `home`
    (https://docs.ray.io/en/latest/ray-security/token-auth.html).
    """
    if environ.get("RAY_AUTH_MODE", "").lower() != "token":
        return {}
    file = Path(environ.get("RAY_AUTH_TOKEN_PATH") or home / ".ray" / "auth_token")
    token = environ.get("RAY_AUTH_TOKEN") or (file.read_text(encoding="utf-8") if file.is_file() else "")
    return {"Authorization": f"Bearer {token.strip()}"} if token.strip() else {}
