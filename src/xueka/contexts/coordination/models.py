"""Matters that are coordinated with others, and what was said of each."""

from django.db import models
from django.db.models import Q

from xueka.contexts.coordination.domain.parties import ABOUT, PARTIES
from xueka.contexts.coordination.domain.transitions import ANSWERED, ENDED, MATTER
from xueka.platform.files.models import StoredFile
from xueka.platform.identity.scope import CityWork

#: What a line of a matter's file tells of.
NOTE, STEP, OWNER, DUE, FILE = "note", "step", "owner", "due", "file"
LINES = {NOTE: "记事", STEP: "办理", OWNER: "负责人", DUE: "期限", FILE: "附件"}


class Matter(models.Model):
    """One request to a counterpart group. `about` names what it is about: `card` and its number, `message`
    and `out:12`. `due_on` is counted in working days from the opening, unless somebody set another day.
    """

    number = models.CharField(max_length=20, unique=True)
    party = models.CharField(max_length=16)
    kind = models.CharField(max_length=16)
    subject = models.CharField(max_length=100)
    text = models.CharField(max_length=1000, blank=True)
    about_kind = models.CharField(max_length=16, blank=True)
    about = models.CharField(max_length=80, blank=True)
    owner = models.CharField(max_length=80, blank=True)
    due_on = models.DateField()
    state = models.CharField(max_length=16, default=MATTER.initial)
    state_at = models.DateTimeField()
    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=80)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["due_on", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(MATTER.state_codes)), name="coordination_matter_state"
            ),
            models.CheckConstraint(condition=Q(party__in=list(PARTIES)), name="coordination_matter_party"),
            models.CheckConstraint(
                condition=Q(about_kind="", about="")
                | (Q(about_kind__in=[each for each in ABOUT if each]) & ~Q(about="")),
                name="coordination_matter_about",
            ),
            models.CheckConstraint(condition=~Q(subject=""), name="coordination_matter_subject"),
        ]
        indexes = [
            models.Index(fields=["due_on"], condition=~Q(state__in=list(ENDED)), name="coordination_open"),
            models.Index(fields=["id"], condition=Q(state=ANSWERED), name="coordination_answered"),
            models.Index(fields=["about_kind", "about"], name="coordination_about"),
        ]


class Line(models.Model):
    """One line of a matter's file, in order. Append-only."""

    append_only = True

    matter = models.ForeignKey(Matter, on_delete=models.PROTECT, related_name="lines")
    seq = models.IntegerField()
    kind = models.CharField(max_length=8)
    text = models.CharField(max_length=1000)
    at = models.DateTimeField()
    by = models.CharField(max_length=80)

    class Meta:
        ordering = ["matter_id", "seq"]
        constraints = [
            models.UniqueConstraint(fields=["matter", "seq"], name="coordination_line_once"),
            models.CheckConstraint(condition=Q(kind__in=list(LINES)), name="coordination_line_kind"),
            models.CheckConstraint(condition=Q(seq__gte=1), name="coordination_line_seq"),
        ]


class Attachment(models.Model):
    """A file that a line brings: a letter, a list, a picture. Its line says what it is, when and by whom."""

    append_only = True

    line = models.OneToOneField(Line, on_delete=models.PROTECT, related_name="attachment")
    file = models.OneToOneField(StoredFile, on_delete=models.PROTECT, related_name="+")
