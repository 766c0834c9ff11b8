"""Reads on the books; each takes the reader's scope."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from django.db.models import Max, Prefetch, Q, QuerySet, Sum

from xueka.contexts.ledger.domain.chart import ACCOUNTS
from xueka.contexts.ledger.models import Closing, Entry, Posting
from xueka.platform.identity.scope import Scope


def balances(scope: Scope, until: date | None = None) -> dict[str, int]:
    """Signed fen of every account of the chart, debit +, credit −, up to and including a day."""
    rows = Posting.objects.visible_to(scope)
    if until is not None:
        rows = rows.filter(entry__on__lte=until)
    sums = dict(rows.order_by().values_list("account").annotate(Sum("fen")))
    return {code: int(sums.get(code, 0)) for code in ACCOUNTS}


def balances_of(scope: Scope, reference: str) -> dict[str, int]:
    """The same under one reference, without the accounts that it never touched."""
    rows = Posting.objects.visible_to(scope).filter(reference=reference)
    return {code: int(fen) for code, fen in rows.order_by().values_list("account").annotate(Sum("fen"))}


def entry_rows(scope: Scope) -> QuerySet[Entry]:
    """Every entry with its postings, unordered, for lists that are paged by key."""
    return Entry.objects.visible_to(scope).prefetch_related("postings")


def turnover(scope: Scope, first: date, last: date) -> dict[str, tuple[int, int]]:
    """Debit and credit of every account on these days, both as positive fen."""
    rows = Posting.objects.visible_to(scope).filter(entry__on__range=(first, last))
    sums = {
        account: (int(debit or 0), -int(credit or 0))
        for account, debit, credit in rows.order_by()
        .values_list("account")
        .annotate(debit=Sum("fen", filter=Q(fen__gt=0)), credit=Sum("fen", filter=Q(fen__lt=0)))
    }
    return {code: sums.get(code, (0, 0)) for code in ACCOUNTS}


def entries_of(scope: Scope, reference: str) -> list[Entry]:
    """Every entry with a posting under this reference, oldest first, each with all of its postings."""
    ids = Posting.objects.filter(reference=reference).values("entry_id")
    return list(
        Entry.objects.visible_to(scope).filter(id__in=ids).prefetch_related("postings").order_by("id")
    )


def legs_of(scope: Scope, references: Collection[str]) -> list[Entry]:
    """Every entry with a posting under one of these references, oldest first, each with those postings only:
    a channel's settlement of one day has a posting for each payment of that day.
    """
    legs = Posting.objects.filter(reference__in=references)
    rows = Entry.objects.visible_to(scope).filter(id__in=legs.values("entry_id"))
    return list(rows.prefetch_related(Prefetch("postings", legs)).order_by("id"))


def sums_under(scope: Scope, prefix: str) -> dict[tuple[str, str, str], int]:
    """Signed fen by (account, channel, reference) of all entries whose key begins like this; none at zero."""
    rows = Posting.objects.visible_to(scope).filter(entry__key__startswith=prefix).order_by()
    sums = rows.values_list("account", "channel", "reference").annotate(Sum("fen"))
    return {(account, channel, reference): int(fen) for account, channel, reference, fen in sums if fen}


def is_posted(scope: Scope, key: str) -> bool:
    """Whether an entry stands under this key."""
    return Entry.objects.visible_to(scope).filter(key=key).exists()


def closed_until(scope: Scope) -> date | None:
    """The last day that is closed; None while no period is."""
    last: date | None = Closing.objects.visible_to(scope).aggregate(last=Max("until"))["last"]
    return last


@dataclass(frozen=True, slots=True)
class BookCheck:
    """`balanced`: every entry has its counter-postings, and all accounts add up to nothing."""

    entries: int
    balanced: bool
    accounts: dict[str, int]
    unbalanced: list[str]


def check_books(scope: Scope) -> BookCheck:
    """Add up everything anew; `unbalanced` names entries that are wrong by their keys, at most twenty."""
    entries = Entry.objects.visible_to(scope)
    wrong = entries.annotate(total=Sum("postings__fen")).exclude(total=0)
    names = list(wrong.order_by("id").values_list("key", flat=True)[:20])
    # An entry without postings adds up to NULL, which `exclude(total=0)` keeps out of SQL's sight.
    names += list(entries.filter(postings=None).order_by("id").values_list("key", flat=True)[:20])
    accounts = balances(scope)
    return BookCheck(entries.count(), not names and sum(accounts.values()) == 0, accounts, names[:20])
