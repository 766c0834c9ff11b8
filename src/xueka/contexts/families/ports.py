"""What a sign-on platform tells of a citizen, and how it fails."""

from dataclasses import dataclass

from xueka.kernel.errors import Refused


@dataclass(frozen=True, slots=True)
class Asked:
    """A sign-on under way: where the browser goes, and what has to be kept of it until it comes back."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Citizen:
    """Proved by the platform: identity verified, phone (eleven digits) verified. `openid` may be empty."""

    issuer: str
    subject: str
    phone: str
    openid: str


@dataclass(frozen=True, slots=True)
class Over:
    """A citizen has left the platform; `at`: seconds since 1970, when that was said."""

    issuer: str
    subject: str
    at: int


class SignOnDeclined(Refused):
    """The citizen said no, or went back."""


class SignOnFailed(Refused):
    """The platform did not answer, or what it said cannot be trusted: nobody is let in."""
