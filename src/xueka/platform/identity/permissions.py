"""Roles and what each may do. A permission reads scope:resource:action, as in the state tables."""

from dataclasses import dataclass

from xueka.platform.identity.scope import GUARDIAN


@dataclass(frozen=True, slots=True)
class Role:
    """`level` is the scope in which the role is held."""

    code: str
    label: str
    level: str
    permissions: frozenset[str]


def _role(code: str, label: str, level: str, *permissions: str) -> Role:
    return Role(code, label, level, frozenset(permissions))


_SCHOOL_WORK = (
    "school:statistics:read",
    "school:export:ask",
    "school:student:read",
    "school:student:correct",
    "school:student:unmask",
    "school:consent:record",
    "school:family:manage",
    "school:replacement:read",
    "school:replacement:ask",
    "school:application:read",
    "school:application:submit",
    "school:photo:upload",
    "school:card:read",
    "school:transit:read",
    "school:welfare:read",
    "school:transit:manage",
    "school:transit:extend",
    "school:card:hand_out",
    "school:card:report_lost",
    "school:card:lift",
    "school:card:cancel",
    "school:delivery:read",
    "school:delivery:receive",
    "school:transfer:ask",
    "school:transfer:confirm",
    "school:year:manage",
    "school:officer:substitute",
    "school:order:read",
    "school:order:pay",
)
_CITY_READ = (
    "school:order:read",
    "school:statistics:read",
    "school:replacement:read",
    "school:student:read",
    "school:application:read",
    "school:card:read",
    "school:delivery:read",
    "city:batch:read",
    "city:range:read",
    "city:problem:read",
    "city:personalization:read",
)

_COUNTER_WORK = (
    "school:student:read",
    "school:replacement:read",
    "district:replacement:post",
    "district:parcel:send",
    "school:application:read",
    "school:card:read",
    "school:transit:read",
    "school:welfare:read",
    "school:card:report_lost",
    "school:card:cancel",  # the old card dies when the new one is given
    "district:application:to_counter",
    "district:card:issue",
    "district:printer:manage",
)

#: Operator and approver may be the same role; that the second person is another one is a rule of the batch.
ROLES: dict[str, Role] = {
    role.code: role
    for role in (
        _role("system", "系统", "system", "*"),
        # Not staff: signs in by a code on her phone, and her scope is her children (contexts/families).
        _role(
            GUARDIAN,
            "家长",
            GUARDIAN,
            "school:card:report_lost",
            "school:card:lift",
            "school:consent:record",
            "school:replacement:read",
            "school:replacement:ask",
            "school:order:pay",
            "school:transit:read",
            "school:welfare:read",
        ),
        _role("school_officer", "学校卡管老师", "school", *_SCHOOL_WORK),
        _role(
            "school_reviewer",
            "学校审核人",
            "school",
            "school:student:read",
            "school:application:read",
            "school:application:review",
            "school:application:recall",
            "school:card:read",
            "school:officer:substitute",
        ),
        _role(
            "district_officer",
            "区级卡管员",
            "district",
            "school:statistics:read",
            "school:replacement:read",
            "school:export:ask",
            "school:student:read",
            "school:student:correct",
            "school:student:unmask",
            "school:application:read",
            "district:application:review",
            "district:application:to_counter",
            "school:application:recall",
            "district:school:remind",
            "district:transfer:confirm",
            "district:year:manage",
            "school:transfer:ask",
            "school:transfer:confirm",
            "school:year:manage",
            "school:card:read",
            "school:transit:read",
            "school:welfare:read",
            "school:card:report_lost",
            "school:card:lift",
            "school:delivery:read",
            "district:officer:manage",
            "school:officer:substitute",
        ),
        _role("counter_operator", "即时制卡员", "district", *_COUNTER_WORK),
        _role("city_counter_operator", "市级即时制卡员", "city", *_COUNTER_WORK),
        _role(
            "city_operator",
            "市级运营",
            "city",
            *_CITY_READ,
            "city:registry:import",
            "city:plan:manage",
            "school:export:ask",
            "city:export:approve",
            "city:backup:read",
            "city:year:manage",
            "district:year:manage",
            "school:year:manage",
            "school:transfer:ask",
            "school:student:unmask",
            "school:student:correct",
            "city:application:review",
            "district:application:to_counter",
            "district:printer:manage",
            "school:application:recall",
            "city:application:cancel",
            "city:range:manage",
            "city:batch:create",
            "city:batch:lock",
            "city:batch:approve",
            "city:batch:reconcile",
            "city:batch:close",
            "city:key:use",
            "city:problem:resolve",
            "city:partner:manage",
            "city:profile:manage",
            "city:profile:approve",
            "city:agent:manage",
            "city:delivery:pack",
            "city:delivery:dispatch",
            "city:delivery:report_lost",
            "district:parcel:send",
            "city:parcel:work",
            "city:card:void",
            "city:card:destroy",
            "city:account:close",
            "city:takeover:load",
            "city:takeover:approve",
            "city:repair:propose",
            "city:repair:approve",
            "city:unit:read",
            "city:unit:manage",
            "city:card_grant:propose",
            "city:card_grant:approve",
            "city:sam:manage",
            "city:credential:manage",
            "city:interop:read",
            "city:interop:manage",
            "school:transit:read",
            "school:welfare:read",
            "city:message:read",
            "city:message:manage",
            "city:coordination:read",
            "city:coordination:work",
            "school:transit:manage",
            "school:transit:extend",
            "school:delivery:receive",  # a card that turned up, told by telephone
            "school:card:report_lost",
            "school:card:lift",
            "school:card:cancel",
        ),
        _role(
            "city_admin",
            "系统管理员",
            "city",
            *_CITY_READ,
            "city:user:read",
            "city:user:manage",
            "city:session:end",
            "city:policy:read",
            "city:interop:read",
            "city:calendar:load",
            "city:kind:manage",
            "city:agent:manage",
            "district:officer:manage",
            "school:officer:substitute",
            "city:backup:read",
            "city:backup:run",
        ),
        _role(
            "security_admin",
            "安全管理员",
            "city",
            "city:user:read",
            "city:grant:confirm",
            "city:export:approve",
            "city:lockout:release",
            "city:session:end",
            "city:password:reset",
            "city:factor:reset",
            "city:policy:read",
        ),
        _role(
            "finance",
            "财务",
            "city",
            "school:student:read",
            "school:order:read",
            "city:order:read",
            "city:ledger:read",
            "city:ledger:post",
            "city:ledger:close",
            "city:refund:ask",
            "city:receipt:manage",
            "city:tariff:manage",
            "city:channel:manage",
            "city:reconciliation:run",
            "city:reconciliation:explain",
            "city:reconciliation:sign",
            "city:close:prepare",
            "city:close:sign",
            "city:close:remit",
        ),
        _role("key_admin", "密钥管理员", "city", "city:key:read", "city:key:ask", "city:key:ceremony"),
        _role("key_custodian", "密钥保管人", "city", "city:key:read", "city:key:ask", "city:key:confirm"),
        _role(
            "auditor",
            "审计员",
            "city",
            "city:audit:read",
            "city:policy:read",
            "city:export:read",
            "city:key:read",
            "city:unit:read",
            *_CITY_READ,
        ),
    )
}

#: 等保三级: system, security and audit are administered by three people, none of whom does business; and
#: whoever keeps the keys does not make the cards.
SEPARATED = frozenset({"city_admin", "security_admin", "auditor", "key_admin", "key_custodian"})


#: Roles that an account of staff may hold.
STAFF_ROLES = {code: role for code, role in ROLES.items() if role.level not in ("system", GUARDIAN)}


def is_city_role(role: str) -> bool:
    """Roles of the city need the second factor and the second person."""
    return role in ROLES and ROLES[role].level == "city"
