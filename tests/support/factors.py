"""Answering the second factor where a test logs somebody in."""

from typing import Any

from xueka.platform.identity import second_factor
from xueka.platform.identity.models import SecondFactor

CODE_PAGE = "/login/code/"


def fresh_code(username: str) -> str:
    """A code that has not been used: a test may log the same person in twice within half a minute."""
    SecondFactor.objects.filter(user__username=username).update(last_counter=0)
    return second_factor.present_code(username)[0]


def answer(client: Any, username: str, response: Any) -> Any:
    """Give the code where Django's test client was asked for it; the answer to that, else `response`."""
    if response.status_code == 302 and response["Location"].startswith(CODE_PAGE):
        return client.post(response["Location"], {"code": fresh_code(username)})
    return response
