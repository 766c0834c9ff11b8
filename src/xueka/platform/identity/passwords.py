"""Password rules: at least ten characters, not common, not the old one; city roles renew them.

Common list, likeness to the user name and all-digits are Django's validators, named in the settings.
"""

import secrets
from datetime import timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError

CITY_ROLES_RENEW_AFTER = timedelta(days=180)
#: Without the characters that are read for one another (0 o 1 l i).
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class LongEnough:
    """For AUTH_PASSWORD_VALIDATORS; Django's own says it in English, for want of a translation."""

    def __init__(self, min_length: int = 10) -> None:
        self.min_length = min_length

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if len(password) < self.min_length:
            said = f"密码太短：现在 {len(password)} 个字符，至少要 {self.min_length} 个。"
            raise ValidationError(said, code="password_too_short")

    def get_help_text(self) -> str:
        return f"至少 {self.min_length} 个字符。"


class NotTheOldPassword:
    """A validator for AUTH_PASSWORD_VALIDATORS."""

    def validate(self, password: str, user: AbstractBaseUser | None = None) -> None:
        if user is not None and user.password and user.check_password(password):
            raise ValidationError("新密码不能与现在的密码相同。", code="password_unchanged")

    def get_help_text(self) -> str:
        return "不能与现在的密码相同。"


def initial_password() -> str:
    """Random, easy to read aloud, about 79 bits: xxxx-xxxx-xxxx-xxxx."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
