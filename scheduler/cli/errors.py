"""Errors as people read them (what, where, and what to do) or as programs do (JSON), always on stderr."""

from scheduler.cli.screen import Screen
from scheduler.model.errors import HeadroomError


def show_error(error: HeadroomError, screen: Screen, *, as_json: bool) -> None:
    """Print all faults of an error."""
    if as_json:
        screen.note(_as_json(error))
        return
    for fault in error.faults:
        screen.note(f"{screen.paint('error:', 'red')} {fault}")
        if fault.help:
            screen.note(f"{screen.paint('help:', 'bold')} {fault.help}")


def warn(message: str, screen: Screen) -> None:
    """Print something that does not stop the command."""
    screen.note(f"{screen.paint('warning:', 'yellow')} {message}")


def _as_json(error: HeadroomError) -> str:
    from scheduler.wire.base import ErrorAnswer, ErrorBody  # noqa: PLC0415  # only this output pays for it

    bodies = tuple(
        ErrorBody(
            code=fault.code,
            message=fault.message,
            file=fault.file,
            line=fault.line,
            field=fault.field,
            help=fault.help,
        )
        for fault in error.faults
    )
    return ErrorAnswer(error=bodies[0], errors=bodies).model_dump_json(indent=2)
