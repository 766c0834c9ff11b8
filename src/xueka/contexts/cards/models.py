"""Card kinds, card accounts, applications, photos and cards."""

from typing import Self

from django.db import models
from django.db.models import Q

from xueka.contexts.cards.domain.rules import REASONS
from xueka.contexts.cards.domain.states import BEFORE_HAND_OUT, IN_LIFE, LIVE, LOST
from xueka.contexts.cards.domain.transitions import ACCOUNT, APPLICATION, CARD, DESTRUCTION
from xueka.kernel.machine import Machine
from xueka.platform.identity.scope import GUARDIAN, Scope


class Applications(models.QuerySet["Application"]):
    """An application stays with the school that made it, even when the student moves on."""

    def visible_to(self, scope: Scope) -> Self:
        inside = scope.filter(
            district="school__district_id", school="school__code", student="account__student_id"
        )
        return self.filter(inside)


class Cards(models.QuerySet["Card"]):
    """A card belongs to the school it is made for until it is handed out; then it follows its student."""

    def visible_to(self, scope: Scope) -> Self:
        if scope.level == GUARDIAN:
            return self.filter(scope.filter(district="", school="", student="student_id"))
        made_for = scope.filter(district="school__district_id", school="school__code")
        if not made_for:
            return self
        waiting, alive = self.model.objects.exclude(state__in=IN_LIFE), Q(state__in=IN_LIFE)
        if scope.level == "school":  # one of two thousand: its cards are gathered, not looked for among all
            of_students = self.model.objects.filter(alive, student__school__code=scope.school)
            mine = waiting.filter(made_for).values("id").union(of_students.values("id"), all=True)
            return self.filter(id__in=mine)
        follows = scope.filter(district="student__school__district_id", school="student__school__code")
        return self.filter((~alive & made_for) | (alive & follows))


class OfStudents(models.QuerySet):
    """Accounts and photos are seen where the student is now."""

    def visible_to(self, scope: Scope) -> Self:
        return self.filter(
            scope.filter(
                district="student__school__district_id", school="student__school__code", student="student_id"
            )
        )


def _state_is_known(machine: Machine) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(state__in=list(machine.state_codes)), name=f"cards_{machine.name}_state"
    )


class CardKind(models.Model):
    """A kind of card, as configuration: what it needs, where its numbers come from, who reviews it."""

    code = models.CharField(max_length=32, primary_key=True)
    name = models.CharField(max_length=64)
    is_open = models.BooleanField(default=True)
    photo_required = models.BooleanField(default=True)
    photo_printed = models.BooleanField(default=False)
    transit_source = models.CharField(max_length=16, default="none")
    beijing_tong_source = models.CharField(max_length=16, default="none")
    transit_pattern = models.CharField(max_length=64, default=r"\d{16,19}")
    beijing_tong_pattern = models.CharField(max_length=64, default=r"[0-9A-Za-z]{12,20}")
    review_levels = models.JSONField(default=list)
    consent_required = models.BooleanField(default=False)
    validity_years = models.SmallIntegerField(default=12)
    face_template = models.CharField(max_length=32)
    coupled_with = models.ForeignKey("self", on_delete=models.PROTECT, null=True)
    lost_effects = models.JSONField(null=True)
    version = models.IntegerField(default=1, db_default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(transit_source__in=["none", "allocate", "bind"])
                & Q(beijing_tong_source__in=["none", "allocate"]),
                name="cards_number_sources",
            )
        ]

    @property
    def has_chip(self) -> bool:
        """A kind without any electronic number is plain plastic (证件卡 of 2007)."""
        return self.transit_source != "none" or self.beijing_tong_source != "none"


class KindVersion(models.Model):
    """A kind as it was in force, with what changed and why. Never changed itself.

    `fields` are the plain values of domain/kinds.py. The first one is written when it is first replaced.
    """

    append_only = True

    kind = models.ForeignKey(CardKind, on_delete=models.PROTECT, related_name="versions")
    version = models.IntegerField()
    fields = models.JSONField()
    difference = models.JSONField(default=list)
    reason = models.CharField(max_length=200)
    at = models.DateTimeField()
    by = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "version"], name="cards_kind_version_once"),
        ]


class CardAccount(models.Model):
    """One account per student for life; the physical cards come and go."""

    number = models.CharField(max_length=16, unique=True)
    student = models.OneToOneField("registry.Student", on_delete=models.PROTECT, related_name="account")
    state = models.CharField(max_length=16)
    opened_at = models.DateTimeField()

    objects = OfStudents.as_manager()

    class Meta:
        constraints = [_state_is_known(ACCOUNT)]


class Photo(models.Model):
    """A portrait that passed the checks; its bytes are sealed in the file store."""

    student = models.ForeignKey("registry.Student", on_delete=models.PROTECT, related_name="photos")
    file = models.ForeignKey("files.StoredFile", on_delete=models.PROTECT)
    width = models.IntegerField()
    height = models.IntegerField()
    size = models.IntegerField()
    findings = models.JSONField(default=list)
    uploaded_at = models.DateTimeField()
    uploaded_by = models.CharField(max_length=80)

    objects = OfStudents.as_manager()


class Application(models.Model):
    """An application for one card; it moves through the review levels of its kind."""

    number = models.CharField(max_length=20, unique=True)
    account = models.ForeignKey(CardAccount, on_delete=models.PROTECT, related_name="applications")
    kind = models.ForeignKey(CardKind, on_delete=models.PROTECT)
    kind_version = models.IntegerField(default=1, db_default=1)
    reason = models.CharField(max_length=16)
    state = models.CharField(max_length=24)
    school = models.ForeignKey("registry.School", on_delete=models.PROTECT)
    school_class = models.ForeignKey("registry.SchoolClass", on_delete=models.PROTECT)
    photo = models.ForeignKey(Photo, on_delete=models.PROTECT, null=True)
    old_card = models.ForeignKey("Card", on_delete=models.PROTECT, null=True, related_name="+")
    doubts = models.JSONField(default=list)
    submitted_by = models.CharField(max_length=80, blank=True)
    submitted_at = models.DateTimeField(null=True)
    refusal_code = models.CharField(max_length=32, blank=True)
    refusal_text = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    objects = Applications.as_manager()

    class Meta:
        constraints = [
            _state_is_known(APPLICATION),
            models.CheckConstraint(condition=Q(reason__in=list(REASONS)), name="cards_application_reason"),
            models.UniqueConstraint(
                fields=["account", "kind"],
                condition=~Q(state__in=["fulfilled", "refused", "withdrawn", "cancelled"]),
                name="cards_one_open_application",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "school", "id"], name="cards_application_work"),
            models.Index(fields=["updated_at", "id"], name="cards_application_latest"),
        ]


class UnusedPhoto(models.Model):
    """A file of an upload that became nobody's photo: why, and whose it may be.

    Its bytes stay sealed for some days (photo_rule.toml), so that it can be cropped or given to the child.
    """

    school_class = models.ForeignKey("registry.SchoolClass", on_delete=models.CASCADE)
    student = models.ForeignKey("registry.Student", on_delete=models.CASCADE, null=True, related_name="+")
    likely = models.ForeignKey("registry.Student", on_delete=models.CASCADE, null=True, related_name="+")
    file = models.ForeignKey("files.StoredFile", on_delete=models.PROTECT, null=True)
    file_name = models.CharField(max_length=120)
    code = models.CharField(max_length=40)
    message = models.CharField(max_length=300)
    uploaded_at = models.DateTimeField()
    uploaded_by = models.CharField(max_length=80)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["student"], name="cards_one_unused_per_student")]
        indexes = [models.Index(fields=["uploaded_at"], name="cards_unused_age")]


class Reminder(models.Model):
    """What a district said to a school that is late; at most one a day."""

    append_only = True

    school = models.ForeignKey("registry.School", on_delete=models.PROTECT)
    sent_on = models.DateField()
    due_on = models.DateField()
    text = models.CharField(max_length=300)
    sent_at = models.DateTimeField()
    sent_by = models.CharField(max_length=80)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["school", "sent_on"], name="cards_one_reminder_a_day"),
            models.CheckConstraint(condition=Q(due_on__gte=models.F("sent_on")), name="cards_reminder_due"),
        ]


class Card(models.Model):
    """One physical card, from the intent to make it until it is destroyed. A failed one is never re-used.

    `number` is ours, or the opaque one that a card taken over from another system bears (docs/adr/0091).
    """

    number = models.CharField(max_length=32, unique=True)
    account = models.ForeignKey(CardAccount, on_delete=models.PROTECT, related_name="cards")
    student = models.ForeignKey("registry.Student", on_delete=models.PROTECT, related_name="cards")
    kind = models.ForeignKey(CardKind, on_delete=models.PROTECT)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="cards")
    state = models.CharField(max_length=16)
    transit_number = models.CharField(max_length=32, blank=True)
    beijing_tong_number = models.CharField(max_length=32, blank=True)
    chip_uid = models.CharField(max_length=20, blank=True)
    school = models.ForeignKey("registry.School", on_delete=models.PROTECT)
    school_class = models.ForeignKey("registry.SchoolClass", on_delete=models.PROTECT)
    valid_from = models.DateField(null=True)
    valid_until = models.DateField(null=True)
    created_at = models.DateTimeField()
    state_at = models.DateTimeField()

    objects = Cards.as_manager()

    class Meta:
        constraints = [
            _state_is_known(CARD),
            models.UniqueConstraint(
                fields=["student", "kind"], condition=Q(state__in=LIVE), name="cards_one_live_per_kind"
            ),
            models.UniqueConstraint(
                fields=["application"],
                condition=~Q(state__in=["failed", "void", "cancelled", "destroyed"]),
                name="cards_one_good_per_application",
            ),
            models.UniqueConstraint(fields=["chip_uid"], condition=~Q(chip_uid=""), name="cards_chip_once"),
            models.UniqueConstraint(
                fields=["transit_number"], condition=~Q(transit_number=""), name="cards_transit_once"
            ),
            models.UniqueConstraint(
                fields=["beijing_tong_number"],
                condition=~Q(beijing_tong_number=""),
                name="cards_beijing_tong_once",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "school", "id"], name="cards_card_work"),
            models.Index(fields=["state_at", "id"], name="cards_card_latest"),
            # What waits the longest at one step; few cards are under way at a time.
            models.Index(
                fields=["state", "state_at", "id"],
                condition=Q(state__in=[*BEFORE_HAND_OUT, LOST]),
                name="cards_card_waiting",
            ),
        ]


class Destruction(models.Model):
    """A list of dead cards that are destroyed together, and the record of it: who, where, when, before whom.

    Once signed it never changes, nor do its cards (triggers); before that it may be given up.
    """

    number = models.CharField(max_length=20, unique=True)
    title = models.CharField(max_length=100, blank=True)
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=80)
    destroyed_on = models.DateField(null=True)
    place = models.CharField(max_length=64, blank=True)
    method = models.CharField(max_length=64, blank=True)
    done_by = models.CharField(max_length=64, blank=True)
    witness_1 = models.CharField(max_length=64, blank=True)
    witness_2 = models.CharField(max_length=64, blank=True)
    document = models.CharField(max_length=100, blank=True)
    card_count = models.IntegerField(default=0)
    signed_by = models.CharField(max_length=80, blank=True)
    signed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            _state_is_known(DESTRUCTION),
            models.CheckConstraint(
                condition=~Q(state="signed")
                | (
                    Q(destroyed_on__isnull=False, card_count__gt=0)
                    & ~Q(place="")
                    & ~Q(done_by="")
                    & ~Q(witness_1="")
                    & ~Q(witness_2="")
                    & ~Q(witness_1=models.F("witness_2"))
                    & ~Q(witness_1=models.F("done_by"))
                    & ~Q(witness_2=models.F("done_by"))
                ),
                name="cards_destruction_witnessed",
            ),
        ]


class DestructionCard(models.Model):
    """A card on a list; on one at a time."""

    destruction = models.ForeignKey(Destruction, on_delete=models.PROTECT, related_name="places")
    card = models.ForeignKey(Card, on_delete=models.PROTECT, related_name="destruction_places")
    is_here = models.BooleanField(default=True)
    added_at = models.DateTimeField()
    added_by = models.CharField(max_length=80)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["card"], condition=Q(is_here=True), name="cards_on_one_destruction_list"
            ),
        ]
