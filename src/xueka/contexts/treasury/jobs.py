"""The sweeps of the treasury: what channels and finance office say is fetched and compared; what has been
confirmed, settled or signed comes into the books.
"""

from xueka.contexts.treasury.services import fetching, posting, watching
from xueka.platform.jobs.sweeps import every


@every(5, "treasury.post")
def post() -> None:
    posting.post_all()


@every(30, "treasury.fetch")
def fetch() -> None:
    fetching.fetch_due()


@every(45, "treasury.reconcile")
def reconcile() -> None:
    watching.reconcile_due()


def sweep() -> None:
    """One round of everything, for whoever runs without a worker."""
    fetching.fetch_due()
    watching.reconcile_due()
    posting.post_all()
