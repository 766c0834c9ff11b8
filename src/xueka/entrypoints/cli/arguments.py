"""Arguments that are judged in Chinese: a malformed one is wrong usage, exit code 2."""

import re
from collections.abc import Callable
from datetime import date
from typing import Never, TypeVar

import typer

from xueka.entrypoints.cli import common
from xueka.kernel.errors import BadInput

Value = TypeVar("Value")
Given = TypeVar("Given")


def read(parse: Callable[[Given], Value], given: Given) -> Value:
    """`parse(given)`; what it refuses is shown, and the command ends as wrongly used."""
    try:
        return parse(given)
    except BadInput as error:
        wrong_usage(error)


def wrong_usage(error: BadInput) -> Never:
    common.show_error(error.as_dict())
    raise typer.Exit(2)


def week(text: str) -> tuple[date, date]:
    """Monday and Sunday of an ISO week. Raises BadInput `WEEK_INVALID`."""
    match = re.fullmatch(r"(\d{4})-W(\d{2})", text, re.ASCII)
    try:
        if match:
            year, number = int(match[1]), int(match[2])
            return date.fromisocalendar(year, number, 1), date.fromisocalendar(year, number, 7)
    except ValueError:
        pass
    raise BadInput("WEEK_INVALID", "没有这一周。", where="--week", found=text, expected="2026-W42")
