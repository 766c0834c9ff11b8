"""Changes: two people, one at a time, and what each kind does; what the database itself refuses."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from tests.unit.keys.conftest import FIRST, LEADER, SECOND, SYSTEM, changed
from xueka.contexts.keys import api as keys
from xueka.contexts.keys.domain.key_block import parse
from xueka.contexts.keys.models import Key
from xueka.contexts.keys.services import keeping, stores
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Conflict, Forbidden, NotFound, Refused, XuekaError
from xueka.platform.audit.models import Entry
from xueka.platform.invariants import check

pytestmark = pytest.mark.usefixtures("demo_keys")

CONTROL = "education.mf.control"
LEAVES = {"version": 1, "under": "transport.bureau", "receiver": "卡厂"}


def code(error: pytest.ExceptionInfo[XuekaError]) -> str:
    return error.value.code


def states(label: str) -> list[str]:
    return [each.state for each in keys.key(SYSTEM.scope, label).versions.all()]


def test_nothing_happens_before_the_second_person_and_then_at_once() -> None:
    asked = keys.ask(FIRST, "rotate", CONTROL, "每年一次")
    assert (asked.state, states(CONTROL)) == ("asked", ["active"])
    assert [each.number for each in keys.waiting(SYSTEM.scope)] == [asked.number]
    with pytest.raises(Refused) as refusal:
        keys.confirm(FIRST, asked.number)
    assert code(refusal) == "SAME_PERSON"
    done = keys.confirm(SECOND, asked.number)
    assert (done.state, done.decided_by, states(CONTROL)) == ("done", "second", ["active", "verify_only"])
    assert done.result["version"] == 2
    new = keys.version(SYSTEM.scope, CONTROL, 2)
    assert (new.asked_by, new.confirmed_by, new.change) == ("first", "second", done)
    with pytest.raises(Refused):
        keys.confirm(SECOND, asked.number)
    entries = Entry.objects.filter(object_type="key", object_id=CONTROL).order_by("id")
    assert [(each.action, each.actor) for each in entries] == [
        ("key.ask", "first"),
        ("key.confirm", "second"),
    ]


def test_one_open_change_per_key() -> None:
    keys.ask(FIRST, "rotate", CONTROL, "一")
    with pytest.raises(Conflict) as refusal:
        keys.ask(SECOND, "retire", CONTROL, "二", {"version": 1})
    assert code(refusal) == "KEY_CHANGE_OPEN"


def test_refused_and_withdrawn_change_nothing() -> None:
    asked = keys.ask(FIRST, "rotate", CONTROL, "一")
    with pytest.raises(BadInput):
        keys.refuse(SECOND, asked.number, " ")
    with pytest.raises(Refused):
        keys.refuse(FIRST, asked.number, "不")
    assert keys.refuse(SECOND, asked.number, "先不换").state == "refused"
    asked = keys.ask(FIRST, "rotate", CONTROL, "二")
    with pytest.raises(Refused) as refusal:
        keys.withdraw(SECOND, asked.number)
    assert code(refusal) == "KEY_CHANGE_FOREIGN"
    assert keys.withdraw(FIRST, asked.number).state == "withdrawn"
    assert states(CONTROL) == ["active"]
    with pytest.raises(NotFound):
        keys.confirm(SECOND, "MY99-9999")


def test_an_administrator_asks_but_does_not_confirm() -> None:
    asked = keys.ask(LEADER, "rotate", CONTROL, "一")
    other = keys.ask(FIRST, "rotate", "education.mf.maintain", "一")
    with pytest.raises(Forbidden):
        keys.confirm(LEADER, other.number)
    assert keys.confirm(FIRST, asked.number).state == "done"


def test_the_whole_life_of_a_version() -> None:
    changed("generate", CONTROL)
    assert states(CONTROL) == ["pre_active", "active"]
    with pytest.raises(Refused) as refusal:
        keys.ask(FIRST, "activate", CONTROL, "换", {"version": 2})
    assert code(refusal) == "KEY_ACTIVE_EXISTS"
    changed("rotate", CONTROL)  # takes the one that waits
    assert states(CONTROL) == ["active", "verify_only"]
    changed("reinstate", CONTROL, version=1)
    assert states(CONTROL) == ["verify_only", "active"]
    changed("retire", CONTROL, version="2")
    with pytest.raises(Refused) as refusal:
        keys.ask(FIRST, "destroy", CONTROL, "换", {"version": 1})
    assert code(refusal) == "TRANSITION_NOT_ALLOWED"
    changed("destroy", CONTROL, version=2)
    gone = keys.version(SYSTEM.scope, CONTROL, 2)
    assert (gone.state, gone.block, gone.handle) == ("destroyed", None, "")
    changed("rotate", CONTROL)  # the number of the destroyed one is not used again
    assert [each.number for each in keys.key(SYSTEM.scope, CONTROL).versions.all()] == [3, 2, 1]


def test_a_wrapping_key_serves_until_nothing_is_under_it() -> None:
    under = keys.KeyVersion.objects.filter(wrapped_by__key__label="kek.card").count()
    changed("rotate", "kek.card")
    with pytest.raises(Refused) as refusal:
        keys.ask(FIRST, "retire", "kek.card", "旧的", {"version": 1})
    assert code(refusal) == "KEY_WRAPS_OTHERS"
    with pytest.raises(Refused) as refusal:
        keys.ask(FIRST, "rotate", "kek.card", "再换")
    assert code(refusal) == "KEY_REWRAP_OPEN"
    assert keys.finish_rewrapping(SYSTEM) == under
    changed("retire", "kek.card", version=1)
    changed("destroy", "kek.card", version=1)
    assert keys.verify(SYSTEM).findings == []
    assert keys.card_keys(SYSTEM, [(CONTROL, None)], [bytes(8)], purpose="x", subject="C1")


def test_the_local_master_key_is_rotated_too() -> None:
    changed("rotate", "local")
    assert keys.finish_rewrapping(SYSTEM) == 2  # the two wrapping keys below it
    changed("retire", "local", version=1)
    changed("destroy", "local", version=1)
    assert keys.verify(SYSTEM).findings == []


def test_a_key_block_comes_in_and_its_check_value_is_compared() -> None:
    store = stores.named("software")
    transport = keeping.stored(keys.version(SYSTEM.scope, "transport.bureau", 1))
    source = keeping.stored(keys.version(SYSTEM.scope, CONTROL, 1))
    block = store.export_block(source, transport).decode()
    kcv = source.kcv
    asked = keys.ask(
        FIRST, "import", CONTROL, "接管", {"block": block, "kcv": "000000", "under": "transport.bureau"}
    )
    with pytest.raises(XuekaError) as refusal, transaction.atomic():
        keys.confirm(SECOND, asked.number)
    assert code(refusal) == "KCV_DIFFERS"
    assert states(CONTROL) == ["active"]
    keys.withdraw(FIRST, asked.number)
    given = {"block": block, "kcv": kcv.upper(), "under": "transport.bureau"}
    keys.confirm(SECOND, keys.ask(FIRST, "import", CONTROL, "接管", given).number)
    made = keys.version(SYSTEM.scope, CONTROL, 2)
    assert (made.kcv, made.origin, made.state) == (kcv, "block", "pre_active")
    # The sender's block calls it version 1; here it is version 2, and a card is told so.
    changed("retire", CONTROL, version=1)
    changed("activate", CONTROL, version=2)
    [card_key] = keys.card_keys(SYSTEM, [(CONTROL, None)], [bytes(8)], purpose="x", subject="C1")
    assert (card_key.label, card_key.version) == (CONTROL, 2)
    assert not Entry.objects.filter(detail__icontains=block).exists()
    # A block of one kind is not taken in as another.
    asked = keys.ask(FIRST, "import", "education.mf.maintain", "接管", given)
    with pytest.raises(Refused) as refusal, transaction.atomic():
        keys.confirm(SECOND, asked.number)
    assert code(refusal) == "KEY_BLOCK_OTHER"


def test_blocks_that_changed_places_are_not_used() -> None:
    changed("generate", CONTROL)
    first, second = (keys.version(SYSTEM.scope, CONTROL, number) for number in (1, 2))
    keys.KeyVersion.objects.filter(pk=first.pk).update(block=second.block)
    with pytest.raises(Refused) as refusal:
        keys.card_keys(SYSTEM, [(CONTROL, 1)], [bytes(8)], purpose="x", subject="C1")
    assert code(refusal) == "KEY_BLOCK_EXCHANGED"


def test_keys_are_registered_by_two_people_and_foreign_ones_never_held() -> None:
    definition = {"title": "图书馆门禁", "kind": "external", "algorithm": "sm4", "usages": ["diversify"]}
    changed("register", "library.external", **definition, parent="kek.card")
    changed("generate", "library.external")
    changed("activate", "library.external", version=1)
    assert keys.active("library.external").algorithm == "sm4"
    foreign = {**definition, "owner": "国家图书馆", "place": "其密钥系统"}
    changed("foreign", "library.main", **foreign)
    for kind in ("generate", "rotate"):
        with pytest.raises(Refused) as refusal:
            keys.ask(FIRST, kind, "library.main", "想有")
        assert code(refusal) == "KEY_FOREIGN"
    with pytest.raises(Conflict) as taken:
        keys.ask(FIRST, "foreign", "library.main", "再来", foreign)
    assert code(taken) == "KEY_LABEL_TAKEN"


@pytest.mark.parametrize(
    ("kind", "label", "params", "expected"),
    [
        ("explode", CONTROL, {}, "KEY_CHANGE_KIND"),
        ("rotate", CONTROL, {"version": 1}, "KEY_CHANGE_PARAM"),
        ("retire", CONTROL, {}, "KEY_CHANGE_PARAM"),
        ("retire", CONTROL, {"version": "first"}, "KEY_VERSION_NUMBER"),
        ("retire", CONTROL, {"version": 300}, "KEY_VERSION_NUMBER"),
        ("register", "Education Control", {}, "KEY_CHANGE_PARAM"),
        ("import", CONTROL, {"block": "x", "kcv": "12", "under": "transport.bureau"}, "KCV_FORMAT"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(
    kind: str, label: str, params: dict[str, object], expected: str
) -> None:
    with pytest.raises(XuekaError) as refusal:
        keys.ask(FIRST, kind, label, "一", params)
    assert code(refusal) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"label": "大写"}, "KEY_LABEL"),
        ({"label": "drill.x"}, "KEY_PARENT"),
        ({"kind": "magic"}, "KEY_TYPE"),
        ({"algorithm": "sm2"}, "KEY_ALGORITHM"),
        ({"usages": ["wrap"]}, "KEY_USAGE_UNKNOWN"),
        ({"parent": CONTROL}, "KEY_PARENT"),
        ({"parent": "local"}, "KEY_PARENT"),
    ],
)
def test_a_definition_has_to_fit(change: dict[str, object], expected: str) -> None:
    given: dict[str, object] = {
        "title": "甲", "kind": "control", "algorithm": "sm4", "usages": ["diversify"], "parent": "kek.card",
    }  # fmt: skip
    label = str(change.pop("label", "other.control"))
    with pytest.raises(XuekaError) as refusal:
        keys.ask(FIRST, "register", label, "一", {**given, **change})
    assert code(refusal) == expected


def test_hardware_alone_holds_sm1() -> None:
    given = {
        "title": "甲",
        "kind": "control",
        "algorithm": "sm1",
        "usages": ["diversify"],
        "parent": "kek.card",
    }
    changed("register", "city.control", **given)
    asked = keys.ask(FIRST, "generate", "city.control", "一")
    with pytest.raises(Refused) as refusal, transaction.atomic():
        keys.confirm(SECOND, asked.number)
    assert code(refusal) == "KEY_ALGORITHM_UNSUPPORTED"


def _refused(sql: str, *params: object) -> None:
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_the_database_itself_refuses() -> None:
    """The services aside: as the application role, by hand."""
    version = keys.version(SYSTEM.scope, CONTROL, 1)
    foreign = Key.objects.get(label="transit.load")
    row = (
        "INSERT INTO keys_keyversion (key_id, number, state, state_at, algorithm, kcv, store, handle, block,"
        " origin, held, drill, created_at, asked_by, confirmed_by) VALUES (%s, %s, %s, now(), %s, 'abcdef',"
        " %s, 'h', 'b', 'generated', %s, %s, now(), %s, %s)"
    )
    live = (version.key_id, 9, "pre_active", "3des", "software", True, False, "a", "b")

    def altered(place: int, value: object) -> tuple[object, ...]:
        return (*live[:place], value, *live[place + 1 :])

    _refused(row, *altered(2, "active"))  # a second active one
    _refused(row, *altered(8, "a"))  # one person
    _refused(row, *altered(0, foreign.pk))  # of a foreign key
    _refused(row, *altered(5, False))
    _refused(row, *altered(3, "sm1"))  # SM1 in software
    _refused(row, *altered(4, "drill"))  # a drill's store
    _refused(row, *altered(6, True))
    _refused(row, *altered(1, 256))
    _refused("UPDATE keys_key SET held = true WHERE id = %s", foreign.pk)
    _refused("UPDATE keys_key SET usages = '[\"wrap\"]' WHERE id = %s", version.key_id)
    _refused("UPDATE keys_keyversion SET kcv = '000000' WHERE id = %s", version.pk)
    _refused("UPDATE keys_keyversion SET block = NULL WHERE id = %s", version.pk)
    _refused("DELETE FROM keys_keyversion WHERE id = %s", version.pk)
    _refused("DELETE FROM keys_key WHERE id = %s", version.key_id)
    with connection.cursor() as cursor:
        cursor.execute(row, live)  # and what is right goes in


def test_a_drill_key_never_stands_under_a_live_one() -> None:
    kek = Key.objects.get(label="kek.card")
    with pytest.raises(IntegrityError), transaction.atomic():
        Key.objects.create(
            label="drill.control", title="x", level="master", kind="control", algorithm="3des",
            usages=["diversify"], drill=True, parent=kek, created_at=clock.now(), created_by="a",
        )  # fmt: skip
    with pytest.raises(IntegrityError), transaction.atomic():
        Key.objects.create(
            label="drill.control", title="x", level="master", kind="control", algorithm="3des",
            usages=["diversify"], drill=False, created_at=clock.now(), created_by="a",
        )  # fmt: skip


def test_a_key_leaves_in_a_block_when_two_people_agree() -> None:
    """For a bureau that diversifies itself: it opens the block with the transport key that it holds."""
    asked = keys.ask(FIRST, "export", CONTROL, "交卡厂预先装入", LEAVES)
    assert asked.result == {}
    done = keys.confirm(SECOND, asked.number)
    said = parse(done.result["block"].encode())
    assert (said.spec.label, said.spec.version, said.spec.usage) == (CONTROL, 1, "control")
    assert done.result["under"] == "transport.bureau/1"
    store = stores.named("software")
    transport, version = (keys.version(SYSTEM.scope, label, 1) for label in ("transport.bureau", CONTROL))
    said_spec, taken = store.import_block(
        done.result["block"].encode(), keeping.stored(transport), keeping.stored(version).under
    )
    assert (said_spec, taken.kcv) == (said.spec, version.kcv)
    uses = {
        (use.version.key.label, use.usage) for use in keys.uses(SYSTEM.scope).filter(subject=asked.number)
    }
    assert uses == {(CONTROL, "export"), ("transport.bureau", "wrap")}
    assert done.result["block"] not in str(list(Entry.objects.values_list("detail", flat=True)))
    assert [each.name for each in keys.INVARIANTS if check(each).violated] == []


def test_what_may_not_leave_does_not() -> None:
    for label, under, expected in (
        ("education.adf.pin_unlock", "transport.bureau", "KEY_USAGE"),  # registered without export
        (CONTROL, "education.adf.internal", "KEY_USAGE"),
        (CONTROL, "transit.load", "KEY_FOREIGN"),
        (CONTROL, "no.such", "KEY_NOT_FOUND"),
    ):
        with pytest.raises((Refused, NotFound)) as refusal:
            keys.ask(FIRST, "export", label, "想要", {**LEAVES, "under": under})
        assert code(refusal) == expected
    with pytest.raises(BadInput):
        keys.ask(FIRST, "export", CONTROL, "想要", {"version": 1})


def test_a_destroyed_key_does_not_keep_what_it_lay_under() -> None:
    changed("generate", CONTROL)
    changed("destroy", CONTROL, version=2)
    changed("rotate", "kek.card")
    keys.finish_rewrapping(SYSTEM)
    changed("retire", "kek.card", version=1)
    changed("destroy", "kek.card", version=1)
    assert states("kek.card") == ["active", "destroyed"]
    assert keys.verify(SYSTEM).findings == []


def test_a_wrapping_key_comes_back_and_goes_again() -> None:
    under = keys.KeyVersion.objects.filter(wrapped_by__key__label="kek.card").count()
    changed("rotate", "kek.card")
    keys.finish_rewrapping(SYSTEM)
    changed("reinstate", "kek.card", version=1)
    with pytest.raises(Refused) as refusal:
        keys.ask(FIRST, "rotate", "kek.card", "再换")
    assert code(refusal) == "KEY_REWRAP_OPEN"
    assert keys.finish_rewrapping(SYSTEM) == under
    changed("rotate", "kek.card")
    assert keys.finish_rewrapping(SYSTEM) == under
    for version in (1, 2):
        changed("retire", "kek.card", version=version)
    assert keys.verify(SYSTEM).findings == []


def test_a_rotation_of_the_local_master_key_that_broke_off_can_be_done_again() -> None:
    local = stores.sealed("software")
    assert local is not None
    local.reseal_to_passphrase("correct horse battery")
    asked = keys.ask(FIRST, "rotate", "local", "每年一次")
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        keys.confirm(SECOND, asked.number)
        raise KeyboardInterrupt
    keys.confirm(SECOND, asked.number)
    assert keys.finish_rewrapping(SYSTEM) == 2
    assert keys.verify(SYSTEM).findings == []


def test_who_makes_a_key_holds_the_one_above_until_it_is_on_record() -> None:
    """A rotation of the wrapping key in between would leave the new block behind."""
    with CaptureQueriesContext(connection) as queries:
        changed("generate", CONTROL)
    locked = [each["sql"] for each in queries if "FOR UPDATE" in each["sql"] and "kek.card" in each["sql"]]
    assert len(locked) == 1
