"""The sweeps of the treasury: what has been confirmed, settled or signed comes into the books."""

from xueka.contexts.treasury.services import posting
from xueka.platform.jobs.sweeps import every


@every(5, "treasury.post")
def post() -> None:
    posting.post_all()
