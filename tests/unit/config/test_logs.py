"""What reaches the log."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from django.db import IntegrityError, connection, transaction

from xueka.config import logs


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """The log as it is written outside a terminal."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure()
    yield stream
    root.handlers, root.level = before, level


def test_one_json_object_per_line_for_our_loggers_and_others(written: io.StringIO) -> None:
    structlog.get_logger("xueka.test").info("batch.sent", batch="B1")
    logging.getLogger("somebody.else").warning("trouble with %s", "disk")
    ours, theirs = map(json.loads, written.getvalue().splitlines())
    assert (ours["event"], ours["batch"], ours["level"]) == ("batch.sent", "B1", "info")
    assert (theirs["event"], theirs["logger"]) == ("trouble with disk", "somebody.else")


@pytest.mark.django_db
def test_a_database_error_is_logged_without_the_row_it_refused(written: io.StringIO) -> None:
    name = "".join(["王小", "明\n", "second", " line"])  # as the source, too, is quoted by a traceback
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMPORARY TABLE pupils (name text, grade int CHECK (grade < 13)) ON COMMIT DROP"
        )
        try:
            with transaction.atomic():
                cursor.execute("INSERT INTO pupils VALUES (%s, 99)", [name])
        except IntegrityError:
            logging.getLogger("somebody").exception("failed")
    entry = json.loads(written.getvalue())
    assert "pupils_grade_check" in entry["exception"]
    assert "DETAIL: …" in entry["exception"]
    assert "王小明" not in entry["exception"]
    assert "second line" not in entry["exception"]
