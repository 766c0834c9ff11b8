"""Files of the channels: whole, within a time, of a bearable size."""

from typing import Any

import httpx

from xueka.platform import outward

SECONDS = 30  # of silence
WHOLE = 300  # for one file, however slowly it comes
LARGEST = 64 * 1024 * 1024  # bytes of an answer
FORM, JSON = "application/x-www-form-urlencoded", "application/json"


def fetch(address: str, body: bytes | None = None, kind: str = FORM) -> bytes:
    """What is answered to a GET, or to a POST of this body. Raises OSError where nothing whole comes."""
    asked: dict[str, Any] = {} if body is None else {"content": body, "headers": {"content-type": kind}}
    try:
        with (
            outward.opened(SECONDS) as caller,
            outward.within(WHOLE),
            caller.stream("GET" if body is None else "POST", address, **asked) as answer,
        ):
            answer.raise_for_status()
            return outward.read(answer, LARGEST)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(type(error).__name__) from None
