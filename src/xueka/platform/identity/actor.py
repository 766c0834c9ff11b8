"""Who acts. Every service takes an actor first; permissions and scope travel with it."""

from dataclasses import dataclass, field

from xueka.kernel.errors import Forbidden
from xueka.platform.identity.permission_words import words_of
from xueka.platform.identity.permissions import ROLES
from xueka.platform.identity.scope import EVERYWHERE, Scope


@dataclass(frozen=True, slots=True)
class Actor:
    """A person (or a process) in one role and one scope. `username` is what the records keep."""

    username: str
    name: str
    role: str
    scope: Scope
    user_id: int | None = None
    address: str = ""
    permissions: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def system(cls, name: str) -> "Actor":
        """A process of the system itself (worker, simulator of a year); it may do everything."""
        return cls(f"system:{name}", name, "system", EVERYWHERE, permissions=ROLES["system"].permissions)

    @classmethod
    def command_line(cls, os_user: str) -> "Actor":
        """Whoever acts on the command line without naming an account."""
        return cls(f"cli:{os_user}", os_user, "system", EVERYWHERE, permissions=ROLES["system"].permissions)

    @classmethod
    def nobody(cls, address: str) -> "Actor":
        """Whoever is not (yet) known: attempts to log in. May do nothing."""
        return cls("", "", "", Scope("none"), address=address)

    @classmethod
    def in_role(
        cls,
        username: str,
        name: str,
        role: str,
        scope: Scope,
        *,
        user_id: int | None = None,
        address: str = "",
    ) -> "Actor":
        """A person in one of her roles."""
        return cls(username, name, role, scope, user_id, address, ROLES[role].permissions)

    def may(self, permission: str) -> bool:
        return permission in self.permissions or "*" in self.permissions

    def require(self, permission: str) -> None:
        """Raise Forbidden unless this actor holds the permission."""
        if not self.may(permission):
            raise Forbidden(
                "PERMISSION_DENIED",
                f"{self.name or self.username} 没有“{words_of(permission)}”的权限。",
                found=ROLES[self.role].label if self.role in ROLES else None,
                expected="、".join(_holders(permission)) or None,
                action="请由有权限的人员办理，或向本级管理员申请。",
                permission=permission,
            )


def _holders(permission: str) -> list[str]:
    """The roles of people that hold the permission, by their labels."""
    return [role.label for role in ROLES.values() if permission in role.permissions]
