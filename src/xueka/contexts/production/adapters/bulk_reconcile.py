"""`domain.bureau.reconcile` for many lines: same arguments, same answer, in half the time.

Nearly every line of a return file says that a card was made exactly as it was sent. Those are recognised by
whole columns; every other line, and every line that shares its card or chip with another, goes to the
domain's own function, which alone knows the reasons. Sending too many lines there costs time, nothing else.
"""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import repeat

import polars as pl

from xueka.contexts.production.domain.bureau.line import MADE, ExpectedCard, ReturnRecord, read_moment
from xueka.contexts.production.domain.bureau.reconcile import FIRST_LINE, Reconciliation, reconcile_numbered
from xueka.contexts.production.domain.bureau.records import CardContents, Source
from xueka.contexts.production.domain.bureau.text import OPAQUE_NUMBER, UID

_FIELDS = ("d", "sequence", "card", "transit", "tong", "uid", "result", "at", "text")


def reconcile(
    contents: CardContents, expected: Mapping[str, ExpectedCard], lines: Sequence[str]
) -> Reconciliation:
    """Judge the D lines of one return file against the cards of its batch (by card number)."""
    with _collector_at_rest():
        return _reconcile(contents, expected, lines)


def _reconcile(
    contents: CardContents, expected: Mapping[str, ExpectedCard], lines: Sequence[str]
) -> Reconciliation:
    sent, said = _sent(expected), _said(lines)
    times = said["at"].drop_nulls().unique().to_list()
    moments = {text: moment for text in times if (moment := read_moment(text))}
    judged = said.join(sent, on="card", how="left", maintain_order="left").with_columns(
        plain=_plain(contents, sent, list(moments)).fill_null(False)
    )
    others = judged.filter(~pl.col("plain"))
    named = set(others["card"].drop_nulls().to_list())
    rest = reconcile_numbered(
        contents,
        {card: entry for card, entry in expected.items() if entry.settled or card in named},
        {number: lines[number - FIRST_LINE] for number in others["line"].to_list()},
    )
    still_open = sent.filter(pl.col("settled_uid").is_null())
    missing = still_open.join(said, on="card", how="anti", maintain_order="left")
    made = _records(judged.filter("plain"), moments)
    return rest._replace(matched=sorted([*made, *rest.matched]), missing=missing["card"].to_list())


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Building a million records makes no garbage, but the cyclic collector would walk them again and again.

    That took two thirds of the time. Other threads go without it for this moment, too, and lose nothing.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _sent(expected: Mapping[str, ExpectedCard]) -> pl.DataFrame:
    """What was sent, one row a card; `settled_…` is what an earlier file said of a settled one, else null."""
    columns = zip(*expected.values(), strict=True) if expected else repeat((), 5)
    sequences, transits, tongs, blanks, settled = columns
    uids: pl.Series | pl.Expr = pl.lit(None, pl.String)
    transits_before = uids
    if any(settled):
        uids = pl.Series([said and said.chip_uid for said in settled], dtype=pl.String)
        transits_before = pl.Series([said and said.transit_number for said in settled], dtype=pl.String)
    return pl.DataFrame(
        {
            "card": pl.Series(list(expected), dtype=pl.String),
            "sent_sequence": pl.Series(sequences, dtype=pl.Int64).cast(pl.String),
            "sent_transit": pl.Series(transits, dtype=pl.String),
            "sent_tong": pl.Series(tongs, dtype=pl.String),
            "sent_blank": pl.Series(blanks, dtype=pl.String),
        }
    ).with_columns(settled_uid=uids, settled_transit=transits_before)


def _said(lines: Sequence[str]) -> pl.DataFrame:
    """The lines in fields: absent ones are null, surplus ones stay in `text` with their separators."""
    fields = pl.Series("content", lines, dtype=pl.String).str.splitn("|", len(_FIELDS))
    return fields.struct.rename_fields(_FIELDS).struct.unnest().with_row_index("line", offset=FIRST_LINE)


def _plain(contents: CardContents, sent: pl.DataFrame, times: list[str]) -> pl.Expr:
    """Surely a made card as it was sent, and alone with its card number, its chip and its blank."""
    col = pl.col
    chip = col("uid") == ""
    if contents.chip:
        chip = _alone("uid", UID, sent["settled_uid"]) & (
            (col("sent_blank") == "") | (col("sent_blank") == col("uid"))
        )
    transit = col("transit") == col("sent_transit")
    if contents.transit is Source.BLANK:
        transit = _alone("transit", OPAQUE_NUMBER, sent["settled_transit"])
    return (
        (col("text") == "")
        & (col("result") == MADE)
        & (col("sequence") == col("sent_sequence"))
        & (col("tong") == col("sent_tong"))
        & col("settled_uid").is_null()
        & col("card").is_unique()
        & col("at").is_in(times)
        & transit
        & chip
    )


def _alone(name: str, form: str, before: pl.Series) -> pl.Expr:
    """The field has its form and a value that neither another line nor an earlier file gives."""
    field = pl.col(name)
    return (
        field.str.contains(f"^(?:{form})$") & field.is_unique() & ~field.is_in(before.drop_nulls().to_list())
    )


def _records(plain: pl.DataFrame, moments: Mapping[str, datetime]) -> list[ReturnRecord]:
    return list(
        map(
            ReturnRecord,
            plain["line"].to_list(),
            plain["card"].to_list(),
            plain["transit"].to_list(),
            plain["tong"].to_list(),
            plain["uid"].to_list(),
            repeat(MADE),
            [moments[text] for text in plain["at"].to_list()],
            repeat(""),
        )
    )
