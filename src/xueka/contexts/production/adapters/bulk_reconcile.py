"""`domain.bureau.reconcile` for many lines: the same answer from columns, in little time and little memory.

Nearly every line of a return file says that a card was made exactly as it was sent. Those are recognised by
whole columns, block by block, and stay columns; every other line, and every line that shares its card or chip
with another, goes to the domain's own function, which alone knows the reasons. Sending too many lines there
costs time, nothing else.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import polars as pl

from xueka.contexts.production.domain.bureau.line import (
    CARD,
    CHIP_UID,
    MADE,
    TRANSIT,
    ExpectedCard,
    Settled,
)
from xueka.contexts.production.domain.bureau.lines import Lines
from xueka.contexts.production.domain.bureau.reconcile import FIRST_LINE, Reconciliation, reconcile_numbered
from xueka.contexts.production.domain.bureau.records import CardContents, Source
from xueka.contexts.production.domain.bureau.returns import LINE_FIELDS
from xueka.contexts.production.domain.bureau.text import OPAQUE_NUMBER, UID

#: What was sent: row n is the card with sequence n + 1. `settled` is what an earlier file said of the card
#: (fields 4 to 7 of its line joined by `|`), null where none did.
SENT = dict.fromkeys(("card", "transit", "tong", "blank", "settled"), pl.String)

_FIELDS = ("d", "sequence", "card", "transit", "tong", "uid", "result", "at", "text")
_SEQUENCE = "^[1-9][0-9]{0,6}$"
#: A time of these years is what it looks like; Shanghai had summer time before. The parser checks the day.
_TIME = "^20[0-9]{2}[01][0-9][0-3][0-9][0-2][0-9][0-5][0-9][0-5][0-9]$"
_MADE: dict[str, pl.DataType | type[pl.DataType]] = {
    "number": pl.UInt32,
    "place": pl.UInt32,
    "transit": pl.String,
    "uid": pl.String,
    "at": pl.Datetime("us", "UTC"),
}


class Judged(NamedTuple):
    """What a return file means.

    `made` are the lines of plainly made cards in the order of the file: `number` (from 0), `place` (row of
    what was sent), `transit`, `uid`, `at`. `rest` is the domain's word on all other lines; `missing` are the
    cards that no line names, in the order of what was sent.
    """

    made: pl.DataFrame
    rest: Reconciliation
    missing: list[str]

    def counts(self) -> dict[str, int]:
        """The six numbers, and `lines`."""
        found = self.rest.counts()
        made = self.made.height
        return {
            **found,
            "lines": found["lines"] + made,
            "matched": found["matched"] + made,
            "missing": len(self.missing),
        }


def reconcile(contents: CardContents, sent: pl.DataFrame, lines: Lines) -> Judged:
    """Judge the D lines of one return file against the cards of its batch."""
    plain, others = [pl.DataFrame(schema=_MADE)], {}
    for first, block in lines.blocks():
        judged = _judged(contents, sent, _said(first, block))
        plain.append(judged.filter("plain").select(*_MADE))
        others.update(
            {number: block[number - first] for number in judged.filter(~pl.col("plain"))["number"].to_list()}
        )
    candidates = pl.concat(plain)
    alone = candidates.select(_alone(contents, sent, _Named.by(others))).to_series()
    made = candidates.filter(alone)
    others |= lines.pick(candidates["number"].filter(~alone).to_list())
    named = _Named.by(others)
    rest = reconcile_numbered(
        contents,
        _expected(sent, named),
        {number + FIRST_LINE: others[number] for number in sorted(others)},
    )
    told = pl.repeat(False, sent.height, dtype=pl.Boolean, eager=True).scatter(made["place"], True)
    missing = sent.filter(pl.col("settled").is_null() & ~told & ~pl.col("card").is_in(named.cards))
    return Judged(made, rest._replace(missing=[]), missing["card"].to_list())


class _Named(NamedTuple):
    """What the lines that are not plain speak of."""

    cards: Collection[str]
    uids: Collection[str]
    transits: Collection[str]

    @classmethod
    def by(cls, lines: Mapping[int, str]) -> "_Named":
        rows = [line.split("|") for line in lines.values()]
        whole = [fields for fields in rows if len(fields) == LINE_FIELDS]
        return cls(
            list({fields[CARD] for fields in rows if len(fields) > CARD}),
            list({fields[CHIP_UID] for fields in whole}),
            list({fields[TRANSIT] for fields in whole}),
        )


def _said(first: int, block: list[str]) -> pl.DataFrame:
    """The lines in fields: absent ones are null, surplus ones stay in `text` with their separators."""
    fields = pl.Series("content", block, dtype=pl.String).str.splitn("|", len(_FIELDS))
    return fields.struct.rename_fields(_FIELDS).struct.unnest().with_row_index("number", offset=first)


def _judged(contents: CardContents, sent: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """The lines with the row that they mean, their time, and whether they are plain by themselves."""
    col = pl.col
    number = pl.when(col("sequence").str.contains(_SEQUENCE)).then(col("sequence")).cast(pl.UInt32) - 1
    moment = (
        pl.when(col("at").str.contains(_TIME)).then(col("at")).str.to_datetime("%Y%m%d%H%M%S", strict=False)
    )
    said = said.with_columns(
        place=pl.when(number < sent.height).then(number),
        at=(moment - pl.duration(hours=8)).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
    )
    if sent.is_empty():
        return said.with_columns(plain=pl.lit(False))
    meant = sent.select(pl.all().gather(said["place"].fill_null(0)).name.prefix("sent_"))
    chip = col("uid") == ""
    if contents.chip:
        blank_fits = (col("sent_blank") == "") | (col("sent_blank") == col("uid"))
        chip = col("uid").str.contains(f"^(?:{UID})$") & blank_fits
    transit = col("transit") == col("sent_transit")
    if contents.transit is Source.BLANK:
        transit = col("transit").str.contains(f"^(?:{OPAQUE_NUMBER})$")
    plain = (
        col("place").is_not_null()
        & (col("card") == col("sent_card"))
        & (col("text") == "")
        & (col("result") == MADE)
        & (col("tong") == col("sent_tong"))
        & col("sent_settled").is_null()
        & col("at").is_not_null()
        & transit
        & chip
    )
    return pl.concat([said, meant], how="horizontal").with_columns(plain=plain.fill_null(False))


def _alone(contents: CardContents, sent: pl.DataFrame, named: _Named) -> pl.Expr:
    """No other line and no earlier file gives the line's card, chip or (where blanks bring it) number."""
    spoken_of = sent.with_row_index("place").filter(pl.col("card").is_in(named.cards))["place"]
    alone = pl.col("place").is_unique() & ~pl.col("place").is_in(spoken_of.implode())
    if contents.chip:
        alone &= _given_once("uid", [*named.uids, *_settled(sent, 2)])
    if contents.transit is Source.BLANK:
        alone &= _given_once("transit", [*named.transits, *_settled(sent, 0)])
    return alone


def _given_once(name: str, elsewhere: Collection[str]) -> pl.Expr:
    return pl.col(name).is_unique() & ~pl.col(name).is_in(elsewhere)


def _settled(sent: pl.DataFrame, field: int) -> list[str]:
    """What earlier files said in one of the fields of SENT's `settled`."""
    return sent["settled"].drop_nulls().str.split("|").list.get(field).to_list()


def _expected(sent: pl.DataFrame, named: _Named) -> dict[str, ExpectedCard]:
    """The cards that the domain has to know: those that lines speak of or whose chip or number they give."""
    before = pl.col("settled").str.split("|")
    wanted = (
        pl.col("card").is_in(named.cards)
        | before.list.get(2).is_in(named.uids)
        | before.list.get(0).is_in(named.transits)
    )
    rows = sent.with_row_index("sequence", offset=1).filter(wanted)
    return {
        card: ExpectedCard(
            sequence, transit, tong, blank, None if settled is None else Settled(*settled.split("|"))
        )
        for sequence, card, transit, tong, blank, settled in rows.select("sequence", *SENT).iter_rows()
    }
