"""Flags that say how a recorded file writes its times and numbers, the same for all commands that read one."""

from typing import Annotated

import typer

TimeFormatOption = Annotated[
    str,
    typer.Option(
        "--time-format",
        metavar="FORMAT",
        help="Of the file's times: day-first, month-first, unix, unix-ms, or a pattern such as %d/%m/%y %H:%M.",
        show_default="found out",
    ),
]
LocalTimesOption = Annotated[
    bool | None,
    typer.Option(
        "--local-times/--utc-times",
        help="The file's times without an offset are those of --zone, or UTC.",
        show_default="UTC, and says so",
    ),
]
DecimalOption = Annotated[
    str, typer.Option("--decimal", metavar=". | ,", help="Before decimals in the file.", show_default="found out")
]
ThousandsOption = Annotated[
    str,
    typer.Option(
        "--thousands", metavar="none | . | , | ' | space", help="Between thousands in it.", show_default="found out"
    ),
]
