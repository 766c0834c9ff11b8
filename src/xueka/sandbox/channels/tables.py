"""Tables of the channels' state, and the numbers they give; the same for the same seed and order."""

import hashlib

from xueka.sandbox.common import notices

SCHEMA = f"""
{notices.SCHEMA}
create table if not exists trade (
    channel text not null, number text not null, fen integer not null check (fen > 0), subject text not null,
    payer text not null, state text not null check (state in ('open', 'paid', 'closed')),
    created text not null, expires text not null, closed text, notify_url text not null, attach text not null,
    prepay text not null, trouble text not null default '[]', primary key (channel, number)
);
create table if not exists charge (
    channel_id text primary key, channel text not null, number text not null, fen integer not null,
    at text not null, payer text not null, bank text not null, turn integer not null,
    foreign key (channel, number) references trade (channel, number)
);
create index if not exists charge_of on charge (channel, number);
create table if not exists refund (
    channel text not null, out_refund_no text not null, refund_id text not null unique, number text not null,
    channel_id text not null references charge (channel_id), fen integer not null check (fen > 0),
    status text not null, ends text not null, created text not null, due text, ended text,
    notify_url text not null,
    reason text not null, primary key (channel, number, out_refund_no)
);
create table if not exists ticket (
    token text primary key, channel text not null, number text not null, back text not null
);
create table if not exists statement (
    channel text not null, kind text not null, day text not null, content blob not null,
    primary key (channel, kind, day)
);
"""


def digits(seed: int, length: int, *about: object) -> str:
    digest = hashlib.sha256("/".join([str(seed), *map(str, about)]).encode()).digest()
    return str(int.from_bytes(digest, "big")).zfill(78)[-length:]


def charge_id(seed: int, channel: str, number: str, turn: int, moment: str) -> str:
    """The channel's number of a payment: 28 digits at WeChat and Alipay, 21 at UnionPay."""
    day, what = moment[:10].replace("-", ""), ("id", channel, number, turn)
    match channel:
        case "wechat":
            return f"4200002{digits(seed, 3, *what)}{day}{digits(seed, 10, 'low', *what)}"
        case "alipay":
            return f"{day}22001{digits(seed, 15, *what)}"
    return f"{day[2:]}{digits(seed, 15, *what)}"
