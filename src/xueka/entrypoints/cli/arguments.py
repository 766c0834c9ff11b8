"""Arguments that are judged in Chinese: a malformed one is wrong usage, exit code 2."""

from collections.abc import Callable
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
