"""Working out what one piece of a job would do: the preview, which is what the run carries out later."""

from collections.abc import Callable

from django.db import connection

from xueka.contexts.cards import api as cards
from xueka.contexts.logistics import api as logistics
from xueka.contexts.registry import api as registry
from xueka.contexts.schoolyear.configuration import rules
from xueka.contexts.schoolyear.domain import rules as r
from xueka.contexts.schoolyear.domain.transitions import OPEN_STATES
from xueka.contexts.schoolyear.models import Move, Piece, Thing
from xueka.contexts.schoolyear.services import exchanging, judging, leaving
from xueka.contexts.schoolyear.services.running import graduates
from xueka.platform.identity import accounts
from xueka.platform.identity.actor import Actor
from xueka.platform.identity.scope import Scope


def plan_piece(actor: Actor, piece: Piece) -> None:
    """Plan afresh: what an earlier preview said is forgotten. The piece is locked by the caller."""
    Move.objects.filter(piece=piece).delete()
    Thing.objects.filter(piece=piece).delete()
    piece.wont, piece.also, piece.error, piece.planned = [], {}, "", 0
    piece.blockers = _blockers_of_all(piece)
    if not piece.blockers:
        _PLANS[piece.kind](actor, piece)
    if piece.blockers:
        Move.objects.filter(piece=piece).delete()
        Thing.objects.filter(piece=piece).delete()
        piece.planned = 0
    piece.state = "blocked" if piece.blockers else "planned" if piece.planned else "idle"
    piece.save()


def _blockers_of_all(piece: Piece) -> list[str]:
    """What keeps any kind of job away from a school."""
    found = []
    if not piece.school.is_open and piece.kind != r.EXCHANGE:
        found.append("学校已经撤销")
    others = Piece.objects.filter(school=piece.school).exclude(job=piece.job)
    if piece.kind in r.ONCE_A_YEAR:
        same = others.filter(kind=piece.kind, school_year=piece.school_year, state="done").first()
        if same:
            found.append(f"本学年已办，见作业 {same.job.number}")
    if piece.kind != r.EXCHANGE:
        busy = others.filter(job__state__in=OPEN_STATES).exclude(kind=r.EXCHANGE).order_by("id").first()
        if busy:
            found.append(f"作业 {busy.job.number}（{r.KINDS[busy.kind]}）还没有办完")
    return found


def _promotion(actor: Actor, piece: Piece) -> None:
    piece.planned, piece.wont = judging.plan_promotion(piece)
    final = sum(each["count"] for each in piece.wont if each["code"] == "final")
    if final and rules().promotion_needs_graduation:
        piece.blockers.append(f"毕业年级还有 {final} 名学生，请先办毕业，再重新预览")
    if rules().promotion_needs_lists and (left := unconfirmed_lists(piece.school_id, piece.school_year)):
        piece.blockers.append(f"还有 {left} 个班的名单没有确认")


def _graduation(actor: Actor, piece: Piece) -> None:
    piece.planned, piece.wont = judging.plan_graduation(piece)
    leaving = graduates(Move.objects.filter(piece=piece))
    if leaving:
        piece.also["close"] = len(cards.open_applications_of(list(leaving)))
        for card in cards.live_cards_of(list(leaving)):
            rule = rules().graduates[leaving[card.student_id]]
            piece.also[rule.card] = piece.also.get(rule.card, 0) + 1
    going_on = list(
        Move.objects.filter(piece=piece, ended_by="graduated")
        .exclude(after_status=registry.GRADUATED)
        .values_list("student_id", flat=True)
    )
    if going_on:
        piece.also["going_on"] = len(going_on)
        if rules().going_on_exchange:
            piece.also["exchange"] = len(cards.live_cards_of(going_on))


def _new_classes(actor: Actor, piece: Piece) -> None:
    """N班 for the first grade of each stage, as many as the parameters say or as there are today."""
    asked = piece.job.parameters.get("count")
    have = registry.classes(actor.scope, piece.school_id)
    for stage in piece.school.stages:
        present = [one for one in have if (one.stage, one.grade) == (stage, 1)]
        known = {one.name for one in present}
        names = [f"{number}班" for number in range(1, int(asked or 0) + 1)]
        Thing.objects.bulk_create(
            Thing(
                piece=piece,
                thing="new_class",
                object_id=number + 100 * list(registry.STAGES).index(stage),
                after={"stage": stage, "grade": 1, "name": name},
            )
            for number, name in enumerate(names, start=1)
            if name not in known
        )
    piece.planned = piece.things.count()


def _classes(actor: Actor, piece: Piece) -> None:
    """Classes of the school get another name; a name that is there already merges them."""
    wanted = {int(key): name for key, name in piece.job.parameters["names"].items()}
    own = {one.id: one for one in registry.classes(actor.scope, piece.school_id)}
    places = [
        (id_, piece.school_id, own[id_].stage, own[id_].grade, name)
        for id_, name in wanted.items()
        if id_ in own and own[id_].name != name
    ]
    piece.planned, piece.wont = judging.plan_places(piece, "class", places)


def _merge(actor: Actor, piece: Piece) -> None:
    target = registry.school(actor.scope, piece.job.parameters["into"])
    if not target.is_open:
        piece.blockers.append(f"{target.name}已经撤销")
    piece.blockers += _unfinished(piece.school)
    taken: dict[tuple[str, int], set[str]] = {}
    for one in registry.classes(actor.scope, target.id):
        taken.setdefault((one.stage, one.grade), set()).add(one.name)
    # Schools of one job that go to the same place must not be given the same class.
    others = Move.objects.filter(piece__job=piece.job, after_school=target).exclude(piece=piece)
    for stage, grade, name in others.values_list("after_stage", "after_grade", "after_name").distinct():
        taken.setdefault((stage, grade), set()).add(name)
    places = []
    for one in registry.classes(actor.scope, piece.school_id):
        names = taken.setdefault((one.stage, one.grade), set())
        name = r.free_name(one.name, names)
        names.add(name)
        places.append((one.id, target.id, one.stage, one.grade, name))
    piece.planned, piece.wont = judging.plan_places(piece, "merged", places)
    piece.also = _counts(piece)


def _close(actor: Actor, piece: Piece) -> None:
    piece.blockers += _unfinished(piece.school)
    left = registry.student_rows(actor.scope).filter(school=piece.school, status__in=registry.PRESENT).count()
    if left:
        piece.blockers.append(f"还有 {left} 名学生在籍，请先转走或改办合并")
    piece.planned = 1
    piece.also = _counts(piece)


def _rename(actor: Actor, piece: Piece) -> None:
    new = piece.job.parameters["name"]
    Thing.objects.create(
        piece=piece,
        thing="school_name",
        object_id=piece.school_id,
        before={"name": piece.school.name},
        after={"name": new},
    )
    piece.planned = 1
    piece.also = _counts(piece)


def _exchange(actor: Actor, piece: Piece) -> None:
    piece.planned, piece.wont = exchanging.plan_exchange(actor, piece)


def _leavers(actor: Actor, piece: Piece) -> None:
    piece.planned, piece.wont = leaving.plan_leavers(actor, piece)
    going = list(Move.objects.filter(piece=piece).values_list("student_id", flat=True))
    counts = {"close": len(cards.open_applications_of(going)), "cancel_now": len(cards.live_cards_of(going))}
    piece.also = {word: count for word, count in counts.items() if count}


_PLANS: dict[str, Callable[[Actor, Piece], None]] = {
    r.PROMOTION: _promotion,
    r.GRADUATION: _graduation,
    r.NEW_CLASSES: _new_classes,
    r.CLASSES: _classes,
    r.MERGE: _merge,
    r.CLOSE: _close,
    r.RENAME: _rename,
    r.EXCHANGE: _exchange,
    r.LEAVERS: _leavers,
}


def _unfinished(school: registry.School) -> list[str]:
    """What must be finished before a school can end: boxes, cards not handed out, transfers, campuses."""
    scope = Scope("school", school.district_id, school.code)
    boxes = logistics.boxes(scope, states=("packed", "in_transit"))
    waiting = cards.card_rows(scope).filter(state="at_school").count()
    moving = registry.transfer_rows(scope).filter(state="open").count()
    campuses = school.campuses.filter(is_open=True).count()
    differences = len(logistics.discrepancies(scope))
    said = [
        (len(boxes), f"{len(boxes)} 个卡箱在路上，先收货"),
        (waiting, f"{waiting} 张卡已到校，先发放"),
        (differences, f"{differences} 件收货差异，先处理"),
        (moving, f"{moving} 笔转学待确认，先办完"),
        (campuses, f"它是 {campuses} 个校区的主校，先处理校区"),
    ]
    return [text for count, text in said if count]


def _counts(piece: Piece) -> dict[str, int]:
    """Figures of the preview: what goes along with the school."""
    scope = Scope("school", piece.school.district_id, piece.school.code)
    found = {
        "applications": cards.application_rows(scope)
        .exclude(state__in=["fulfilled", "refused", "withdrawn", "cancelled"])
        .count(),
        "underway": cards.card_rows(scope).filter(state__in=cards.BEFORE_HAND_OUT).count(),
        "officers": len(accounts.grants_at(piece.school.code)),
    }
    return {word: count for word, count in found.items() if count}


def unconfirmed_lists(school_id: int, year: int) -> int:
    """Classes with students whose list the school has not confirmed for this turn."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*) FROM registry_schoolclass c
             WHERE c.school_id = %s
               AND EXISTS (SELECT 1 FROM registry_student s
                            WHERE s.school_id = c.school_id AND s.school_class_id = c.id
                              AND s.status = ANY(%s))
               AND NOT EXISTS (SELECT 1 FROM schoolyear_classlist l
                                WHERE l.school_class_id = c.id AND l.school_year = %s)
            """,
            [school_id, list(registry.PRESENT), year],
        )
        return int(cursor.fetchone()[0])
