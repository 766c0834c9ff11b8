"""Keys by name, their versions, the changes two people made, ceremonies, and every use.

No key lies here in clear: a held key is a block that only its store opens, or a handle inside a module.
"""

from django.db import models
from django.db.models import F, Q

from xueka.contexts.keys.domain import vocabulary as v
from xueka.contexts.keys.domain.deliveries import RECEIVERS, WAYS
from xueka.contexts.keys.domain.transitions import ACTIVE, DESTROYED, KEY_CHANGE, KEY_DELIVERY, KEY_VERSION
from xueka.platform.identity.scope import CityWork

#: Where the bytes of a version are. `files`: sealed files of the platform, known here by name and check value
SOFTWARE, PKCS11, FILES, DRILL_STORE = "software", "pkcs11", "files", "drill"
STORES = {SOFTWARE: "封存的软件库", PKCS11: "密码机", FILES: "系统密钥文件", DRILL_STORE: "演练库"}
#: How a version came to be. `found`: it served before key management knew of it.
ORIGINS = {
    "generated": "生成", "components": "分量导入", "block": "密钥块导入", "derived": "由上级分散",
    "found": "沿用",
}  # fmt: skip


class Key(models.Model):
    """A key by its name, whatever its present version. A foreign one is named with owner and place, no more.

    `parent` is the key under which new versions are wrapped, `source` the master that they are derived from
    by `factor` (16 hexadecimal digits); a master without one is made here or brought in. `application` and
    `kind` say what it opens on a card. `held`, `drill` are repeated in the versions, held together there.
    """

    label = models.CharField(max_length=64, unique=True)
    title = models.CharField(max_length=64)
    level = models.CharField(max_length=16)
    kind = models.CharField(max_length=16)
    application = models.CharField(max_length=32, blank=True)
    algorithm = models.CharField(max_length=16)
    usages = models.JSONField(default=list)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="children")
    source = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="derives")
    factor = models.CharField(max_length=16, blank=True)
    held = models.BooleanField(default=True)
    drill = models.BooleanField(default=False)
    owner = models.CharField(max_length=64, blank=True)
    place = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=80)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["label"]
        constraints = [
            models.CheckConstraint(condition=Q(level__in=list(v.LEVELS)), name="keys_level_known"),
            models.CheckConstraint(condition=Q(kind__in=list(v.TYPES)), name="keys_kind_known"),
            models.CheckConstraint(
                condition=Q(algorithm__in=list(v.ALGORITHMS)), name="keys_algorithm_known"
            ),
            models.CheckConstraint(
                condition=Q(drill=True, label__startswith=v.DRILL_PREFIX)
                | (Q(drill=False) & ~Q(label__startswith=v.DRILL_PREFIX)),
                name="keys_drill_by_name",
            ),
            models.CheckConstraint(
                condition=Q(held=True, owner="", place="")
                | (Q(held=False, parent=None) & ~Q(owner="") & ~Q(place="")),
                name="keys_foreign_has_owner",
            ),
            models.UniqueConstraint(fields=["id", "held", "drill"], name="keys_identity"),
            models.CheckConstraint(
                condition=Q(source=None, factor="")
                | Q(
                    source__isnull=False,
                    factor__regex=r"^[0-9a-f]{16}$",
                    held=True,
                    level__in=[level for level, above in v.SOURCES.items() if above],
                ),
                name="keys_source_has_factor",
            ),
            models.UniqueConstraint(fields=["source", "factor"], name="keys_factor_once"),
        ]


class KeyVersion(models.Model):
    """One version of a held key. `block` is its key block under `wrapped_by`; a module has a handle instead.

    `derived_from` is the version of the master above that it was made from. `kcv` are the six digits people
    compare. `asked_by`, `confirmed_by` are the two who made it.
    """

    key = models.ForeignKey(Key, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    algorithm = models.CharField(max_length=16)
    kcv = models.CharField(max_length=6)
    store = models.CharField(max_length=16)
    handle = models.CharField(max_length=128, blank=True)
    block = models.BinaryField(null=True)
    wrapped_by = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="wraps")
    derived_from = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="derived")
    origin = models.CharField(max_length=16)
    held = models.BooleanField(default=True)
    drill = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    asked_by = models.CharField(max_length=80, blank=True)
    confirmed_by = models.CharField(max_length=80, blank=True)
    change = models.ForeignKey("KeyChange", on_delete=models.PROTECT, null=True, related_name="versions")
    ceremony = models.ForeignKey("Ceremony", on_delete=models.PROTECT, null=True, related_name="versions")

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["key_id", "number"]
        constraints = [
            models.UniqueConstraint(fields=["key", "number"], name="keys_version_once"),
            models.UniqueConstraint(fields=["key"], condition=Q(state=ACTIVE), name="keys_one_active"),
            models.CheckConstraint(
                condition=Q(state__in=list(KEY_VERSION.state_codes)), name="keys_version_state"
            ),
            models.CheckConstraint(condition=Q(number__gte=1, number__lte=255), name="keys_version_number"),
            models.CheckConstraint(condition=Q(kcv__regex=r"^[0-9a-f]{6}$"), name="keys_kcv_form"),
            models.CheckConstraint(condition=Q(held=True), name="keys_no_foreign_version"),
            models.CheckConstraint(
                condition=Q(drill=True, store=DRILL_STORE)
                | Q(drill=False, store__in=[SOFTWARE, PKCS11, FILES]),
                name="keys_drill_apart",
            ),
            models.CheckConstraint(
                condition=~Q(algorithm__in=sorted(v.HARDWARE_ONLY)) | Q(store=PKCS11),
                name="keys_hardware_only",
            ),
            models.CheckConstraint(
                condition=Q(state=DESTROYED, block=None, handle="")
                | (~Q(state=DESTROYED) & (Q(block__isnull=False) | ~Q(handle=""))),
                name="keys_destroyed_is_gone",
            ),
            models.CheckConstraint(
                condition=Q(origin="found", store=FILES)
                | (~Q(asked_by="") & ~Q(confirmed_by="") & ~Q(asked_by=F("confirmed_by"))),
                name="keys_version_two_people",
            ),
            models.CheckConstraint(
                condition=Q(origin="derived", derived_from__isnull=False)
                | (~Q(origin="derived") & Q(derived_from=None)),
                name="keys_derived_from_one",
            ),
            models.UniqueConstraint(fields=["key", "derived_from"], name="keys_derived_once"),
        ]
        indexes = [models.Index(fields=["wrapped_by", "id"], name="keys_wrapped_by")]

    def __str__(self) -> str:
        return f"{self.key.label}/{self.number}"


class KeyChange(models.Model):
    """Something that one person asks for and another one lets happen. `params` never holds a key in clear."""

    number = models.CharField(max_length=20, unique=True)
    kind = models.CharField(max_length=16)
    label = models.CharField(max_length=64)
    params = models.JSONField(default=dict)
    reason = models.CharField(max_length=200)
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField()
    decided_by = models.CharField(max_length=80, blank=True)
    decided_at = models.DateTimeField(null=True)
    result = models.JSONField(default=dict)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(KEY_CHANGE.state_codes)), name="keys_change_state"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["done", "refused"])
                | (~Q(decided_by="") & ~Q(decided_by=F("asked_by"))),
                name="keys_change_two_people",
            ),
            models.UniqueConstraint(
                fields=["label"], condition=Q(state="asked"), name="keys_one_open_change"
            ),
        ]


class KeyPart(models.Model):
    """The component of a key that one custodian brings for one change.

    `sealed` is there from its entry until the change ends, under a key that lies in the machine's memory only
    (services/components.py): what a disk or a backup holds of it opens with nothing on them. `kcv` stays.
    """

    change = models.ForeignKey(KeyChange, on_delete=models.PROTECT, related_name="parts")
    person = models.CharField(max_length=64)
    kcv = models.CharField(max_length=6, blank=True)
    sealed = models.BinaryField(null=True)
    entered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["change", "person"], name="keys_one_part_each"),
            models.CheckConstraint(
                condition=Q(sealed=None) | (Q(kcv__regex=r"^[0-9a-f]{6}$") & Q(entered_at__isnull=False)),
                name="keys_part_has_kcv",
            ),
        ]


class KeyDelivery(models.Model):
    """One version on its way to one receiver. `kcv` is what the receiver read back when it had arrived.

    `reference` says with what it went: an export's number, a parcel, a module's number.
    """

    number = models.CharField(max_length=20, unique=True)
    version = models.ForeignKey(KeyVersion, on_delete=models.PROTECT, related_name="deliveries")
    change = models.ForeignKey(KeyChange, on_delete=models.PROTECT, related_name="deliveries")
    receiver_kind = models.CharField(max_length=16)
    receiver = models.CharField(max_length=64)
    way = models.CharField(max_length=16)
    due_on = models.DateField()
    state = models.CharField(max_length=16)
    state_at = models.DateTimeField()
    reference = models.CharField(max_length=64, blank=True)
    sent_by = models.CharField(max_length=80, blank=True)
    arrived_by = models.CharField(max_length=80, blank=True)
    kcv = models.CharField(max_length=6, blank=True)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=list(KEY_DELIVERY.state_codes)), name="keys_delivery_state"
            ),
            models.CheckConstraint(
                condition=Q(receiver_kind__in=list(RECEIVERS), way__in=list(WAYS)) & ~Q(receiver=""),
                name="keys_delivery_known",
            ),
            models.CheckConstraint(
                condition=Q(state="planned", sent_by="") | Q(state="cancelled") | ~Q(sent_by=""),
                name="keys_delivery_sent_by",
            ),
            models.CheckConstraint(
                condition=Q(arrived_by="", kcv="") & ~Q(state="arrived")
                | (
                    Q(state="arrived", kcv__regex=r"^[0-9a-f]{6}$")
                    & ~Q(arrived_by="")
                    & ~Q(arrived_by=F("sent_by"))
                ),
                name="keys_delivery_two_people",
            ),
            models.UniqueConstraint(
                fields=["version", "receiver_kind", "receiver"],
                condition=~Q(state__in=["lost", "cancelled"]),
                name="keys_delivered_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_on"], condition=Q(state__in=["planned", "sent"]), name="keys_delivery_due"
            )
        ]


class Ceremony(models.Model):
    """What people did together, as it was written down: never changed, never deleted.

    `plan` is the reviewed file, `plan_digest` its SM3, `transcript` the lines, `transcript_digest` the SM3 of
    their canonical form, which the audit entry repeats.
    """

    append_only = True

    number = models.CharField(max_length=20, unique=True)
    title = models.CharField(max_length=100)
    drill = models.BooleanField(default=False)
    plan = models.TextField()
    plan_digest = models.CharField(max_length=64)
    threshold = models.IntegerField()
    people = models.JSONField(default=list)
    transcript = models.JSONField(default=list)
    transcript_digest = models.CharField(max_length=64)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    led_by = models.CharField(max_length=80)
    reviewed_by = models.CharField(max_length=80)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(led_by="") & ~Q(reviewed_by="") & ~Q(led_by=F("reviewed_by")),
                name="keys_ceremony_two_people",
            ),
        ]


class KeyUse(models.Model):
    """One use of one version, written with its audit entry in one transaction and never changed."""

    append_only = True

    version = models.ForeignKey(KeyVersion, on_delete=models.PROTECT, related_name="uses")
    at = models.DateTimeField()
    actor = models.CharField(max_length=80)
    usage = models.CharField(max_length=16)
    purpose = models.CharField(max_length=48)
    subject = models.CharField(max_length=64)
    cards = models.IntegerField(default=1)
    entry = models.ForeignKey("audit.Entry", on_delete=models.PROTECT, related_name="+")

    class Meta:
        indexes = [
            models.Index(fields=["version", "at"], name="keys_use_by_version"),
            models.Index(fields=["at"], name="keys_use_by_time"),
            models.Index(fields=["subject"], name="keys_use_by_subject"),
        ]


class Removal(models.Model):
    """What a store has of a destroyed version, from the decision on; `done_at` once it is gone from there."""

    version = models.OneToOneField(KeyVersion, on_delete=models.PROTECT, related_name="removal")
    store = models.CharField(max_length=16)
    handle = models.CharField(max_length=128)
    asked_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=~Q(handle=""), name="keys_removal_has_handle"),
            models.CheckConstraint(
                condition=Q(done_at=None) | Q(done_at__gte=F("asked_at")), name="keys_removal_in_order"
            ),
        ]


class FieldRotation(models.Model):
    """A new version of the field key that two people have agreed to, and how far its rows have come.

    Stored before the key is made: `made_at` says that it is in its file, `finished_at` that no row stands
    under `source` any more. `total` and `done` are rows, for the progress only.
    """

    change = models.OneToOneField(KeyChange, on_delete=models.PROTECT, related_name="+")
    source = models.OneToOneField(KeyVersion, on_delete=models.PROTECT, related_name="+")
    number = models.IntegerField()
    started_at = models.DateTimeField()
    made_at = models.DateTimeField(null=True)
    total = models.IntegerField(default=0)
    done = models.IntegerField(default=0)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["number"], name="keys_field_version_once"),
            models.CheckConstraint(
                condition=Q(finished_at=None) | Q(made_at__isnull=False), name="keys_field_made_first"
            ),
        ]


class Rewrap(models.Model):
    """All blocks under one version of a wrapping key go under its next one, in pieces, until none is left."""

    source = models.ForeignKey(KeyVersion, on_delete=models.PROTECT, related_name="+")
    target = models.ForeignKey(KeyVersion, on_delete=models.PROTECT, related_name="+")
    total = models.IntegerField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~Q(source=F("target")), name="keys_rewrap_two_versions"),
            models.UniqueConstraint(fields=["source"], name="keys_rewrap_once"),
        ]
