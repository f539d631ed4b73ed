"""Ray's token is taken from where Ray's own programs take it, and only where Ray asks for one."""

from pathlib import Path

import pytest

from scheduler.backends.ray.auth import auth_headers


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("from-home\n", encoding="utf-8")
    (tmp_path / "elsewhere").write_text("from-path", encoding="utf-8")
    return tmp_path


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("environ", [{}, {"RAY_AUTH_MODE": "disabled"}, {"RAY_AUTH_TOKEN": "unused"}])
def test_without_token_mode_nothing_is_sent(environ: dict[str, str], home: Path) -> None:
    assert auth_headers(environ, home) == {}


def test_the_variable_wins_over_the_named_file_and_that_over_the_one_at_home(home: Path) -> None:
    environ = {"RAY_AUTH_MODE": "token"}
    assert auth_headers(environ, home) == bearer("from-home")
    environ["RAY_AUTH_TOKEN_PATH"] = str(home / "elsewhere")
    assert auth_headers(environ, home) == bearer("from-path")
    environ |= {"RAY_AUTH_TOKEN": "from-variable"}
    assert auth_headers(environ, home) == bearer("from-variable")


def test_a_missing_token_sends_nothing_and_ray_says_what_it_wants(tmp_path: Path) -> None:
    assert auth_headers({"RAY_AUTH_MODE": "token"}, tmp_path) == {}
