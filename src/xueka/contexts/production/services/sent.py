"""What was sent for the cards of a batch, as columns: a million cards must not become a million objects."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl
from django.db import connection
from psycopg import sql

from xueka.contexts.numbers import api as numbers
from xueka.contexts.production.domain import outcomes
from xueka.contexts.production.models import Batch
from xueka.contexts.production.services.common import ORDERED

_COLUMNS = {
    "item_id": pl.Int64,
    "card_id": pl.Int64,
    "card": pl.String,
    "transit": pl.String,
    "tong": pl.String,
    "settled": pl.String,
    "owed": pl.UInt8,
    "ordered": pl.UInt8,
}
_CARDS = 50_000  # of a batch in one text
#: The server puts the rows together: fetching a million one by one costs more than what is done with them.
#: The unit separator is in no number and in no field of a line that has settled a card.
_QUERY = sql.SQL("""
    COPY (SELECT string_agg(concat_ws(E'\\x1f', i.id, i.card_id, c.number, c.transit_number,
                                      c.beijing_tong_number, i.reported, (i.outcome = ANY({open}))::int,
                                      (c.state = {ordered})::int), E'\\n' ORDER BY i.position)
            FROM production_batchitem i JOIN cards_card c ON c.id = i.card_id
           WHERE i.batch_id = {batch}
           GROUP BY i.position / {cards} ORDER BY i.position / {cards}) TO STDOUT (FORMAT BINARY)""")


@dataclass(frozen=True, slots=True)
class Place:
    """A card of the batch: its item, whether the bureau still owes it, whether it waits for its result."""

    item_id: int
    card_id: int
    owed: bool
    ordered: bool


def sent_of(batch: Batch) -> pl.DataFrame:
    """The cards of a batch in the order of making: the columns of `bulk_reconcile.SENT`, and item_id,
    card_id, owed, ordered. An open batch has sent nothing."""
    parts = [pl.DataFrame(schema=_COLUMNS)]
    query = _QUERY.format(open=outcomes.OPEN, ordered=ORDERED, batch=batch.id, cards=_CARDS)
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        copy.set_types(["text"])
        parts += [_table(text) for (text,) in copy.rows()]
    sent = pl.concat(parts).with_columns(
        pl.col("transit", "tong").fill_null(""),
        pl.col("owed", "ordered").cast(pl.Boolean),
        settled=pl.when(pl.col("settled") != "").then(pl.col("settled")),
        blank=pl.lit(""),
    )
    if batch.kind.transit_source == "bind":
        uids = numbers.blank_uids(sent["card_id"].to_list())
        sent = sent.with_columns(
            blank=pl.Series([uids.get(card_id, "") for card_id in sent["card_id"]], dtype=pl.String)
        )
    return sent


def places(sent: pl.DataFrame, card_numbers: Iterable[str]) -> dict[str, Place]:
    """Some cards of the batch by their numbers."""
    rows = sent.filter(pl.col("card").is_in(list(card_numbers)))
    columns = rows.select("card", "item_id", "card_id", "owed", "ordered")
    return {card: Place(*rest) for card, *rest in columns.iter_rows()}


def _table(text: str) -> pl.DataFrame:
    return pl.read_csv(
        text.encode(),
        has_header=False,
        separator="\x1f",
        quote_char=None,
        new_columns=list(_COLUMNS),
        schema=_COLUMNS,
    )
