"""Space on the card and keys, granted to a unit by contract and term."""

from django.db import models
from django.db.models import F, Q

from xueka.contexts.multiapp.domain.grants import ASKED_FOR, KEY_USAGES
from xueka.contexts.multiapp.domain.transitions import AGREED, CARD_GRANT, EXPIRED, IN_FORCE, SUSPENDED
from xueka.contexts.multiapp.models.units import Unit, state_is_known
from xueka.platform.identity.scope import CityWork


class Area(models.Model):
    """A directory of the chip of a card kind, as the card profile lays it out: name (AID), file id, bytes.

    `is_shell`: empty so far, to be granted to a unit. The others are the city's or a foreign owner's, known
    for the picture of the whole. `conditions` are those of creating and erasing files in it.
    """

    kind = models.ForeignKey("cards.CardKind", on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=32)
    title = models.CharField(max_length=32)
    aid = models.CharField(max_length=32)
    fid = models.CharField(max_length=4)
    size = models.IntegerField()
    is_shell = models.BooleanField(default=False)
    owner = models.CharField(max_length=64, blank=True)
    conditions = models.JSONField(default=dict)
    source = models.CharField(max_length=64)
    in_profile = models.BooleanField(default=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["kind_id", "id"]
        constraints = [
            models.UniqueConstraint(fields=["kind", "code"], name="multiapp_area_once"),
            models.UniqueConstraint(fields=["kind", "aid"], name="multiapp_aid_once"),
            models.UniqueConstraint(fields=["kind", "fid"], name="multiapp_fid_once"),
            models.CheckConstraint(condition=Q(size__gt=0, size__lte=65535), name="multiapp_area_size"),
            models.CheckConstraint(
                condition=Q(aid__regex=r"^([0-9a-f]{2}){5,16}$"), name="multiapp_aid_form"
            ),
            models.CheckConstraint(
                condition=Q(fid__regex=r"^[0-9a-f]{4}$") & ~Q(fid__in=["3f00", "ffff"]),
                name="multiapp_fid_form",
            ),
            models.CheckConstraint(
                condition=Q(is_shell=True, owner="") | (Q(is_shell=False) & ~Q(owner="")),
                name="multiapp_area_owner",
            ),
        ]


class CardGrant(models.Model):
    """What a unit may have on a card, from a day until a day. The files and conditions are those agreed on.

    A change that one person asked for waits in `asked` until another one decides.
    """

    number = models.CharField(max_length=20, unique=True)
    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="grants")
    area = models.ForeignKey(Area, on_delete=models.PROTECT, related_name="grants")
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    aid = models.CharField(max_length=32)
    fid = models.CharField(max_length=4)
    size = models.IntegerField()
    conditions = models.JSONField(default=dict)
    files = models.JSONField(default=list)
    contract = models.CharField(max_length=64)
    valid_from = models.DateField()
    valid_until = models.DateField()
    proposed_by = models.CharField(max_length=80)
    proposed_at = models.DateTimeField()
    approved_by = models.CharField(max_length=80, blank=True)
    asked = models.CharField(max_length=16, blank=True)
    asked_by = models.CharField(max_length=80, blank=True)
    asked_reason = models.CharField(max_length=200, blank=True)
    asked_until = models.DateField(null=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            state_is_known(CARD_GRANT),
            models.CheckConstraint(condition=Q(size__gt=0), name="multiapp_grant_size"),
            models.CheckConstraint(condition=Q(valid_until__gte=F("valid_from")), name="multiapp_grant_term"),
            models.CheckConstraint(
                condition=~Q(state__in=[AGREED, IN_FORCE, SUSPENDED, EXPIRED, "revoked", "released"])
                | (~Q(approved_by="") & ~Q(approved_by=F("proposed_by"))),
                name="multiapp_grant_two_people",
            ),
            models.CheckConstraint(
                condition=Q(asked="", asked_by="", asked_until=None)
                | (Q(asked__in=list(ASKED_FOR)) & ~Q(asked_by="")),
                name="multiapp_grant_asked",
            ),
            models.CheckConstraint(
                condition=~Q(asked="renew") | Q(asked_until__isnull=False), name="multiapp_grant_renewal"
            ),
        ]
        indexes = [models.Index(fields=["state", "valid_until"], name="multiapp_grant_work")]


class GrantPlace(models.Model):
    """For which cards a grant holds its area: those of one school, or (without school) of the whole city.

    Two grants in one area never meet on a card: the database excludes it (migration 0002) while `holds`.
    """

    grant = models.ForeignKey(CardGrant, on_delete=models.PROTECT, related_name="places")
    area = models.ForeignKey(Area, on_delete=models.PROTECT, related_name="+")
    school = models.ForeignKey("registry.School", on_delete=models.PROTECT, null=True, related_name="+")
    holds = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["grant", "school"], name="multiapp_grant_place_once", nulls_distinct=False
            ),
        ]


class GrantKey(models.Model):
    """A key that a unit's modules may hold, and what for. Never a foreign one, nor one of a drill: the
    database holds `held` and `drill` together with the key's own (migration 0002).
    """

    grant = models.ForeignKey(CardGrant, on_delete=models.PROTECT, related_name="keys")
    key = models.ForeignKey("keys.Key", on_delete=models.PROTECT, related_name="+")
    label = models.CharField(max_length=64)
    usage = models.CharField(max_length=16)
    held = models.BooleanField(default=True)
    drill = models.BooleanField(default=False)

    class Meta:
        ordering = ["label"]
        constraints = [
            models.UniqueConstraint(fields=["grant", "label"], name="multiapp_grant_key_once"),
            models.CheckConstraint(condition=Q(usage__in=list(KEY_USAGES)), name="multiapp_grant_key_usage"),
            models.CheckConstraint(condition=Q(held=True, drill=False), name="multiapp_grant_key_ours"),
        ]


class Pack(models.Model):
    """An integration pack as it was handed over; `digest` is the SM3 of the file."""

    append_only = True

    grant = models.ForeignKey(CardGrant, on_delete=models.PROTECT, related_name="packs")
    version = models.IntegerField()
    file = models.ForeignKey("files.StoredFile", on_delete=models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=80)

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(fields=["grant", "version"], name="multiapp_pack_once"),
        ]
