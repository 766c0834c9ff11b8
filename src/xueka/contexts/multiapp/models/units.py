"""Campus-card vendors and application units, and the schools they work for."""

from django.db import models
from django.db.models import Q

from xueka.contexts.multiapp.domain.transitions import UNIT
from xueka.kernel.machine import Machine
from xueka.platform.crypto.sealed_columns import SealedField
from xueka.platform.identity.scope import CityWork

#: Kinds of units.
VENDOR, APPLICATION = "vendor", "application"
UNIT_KINDS = {VENDOR: "校园一卡通厂商", APPLICATION: "应用单位"}


def state_is_known(machine: Machine) -> models.CheckConstraint:
    return models.CheckConstraint(
        condition=Q(state__in=list(machine.state_codes)), name=f"multiapp_{machine.name}_state"
    )


class Unit(models.Model):
    """A partner. `whole_city` or the schools of `UnitSchool`; `contacts` is a sealed list of
    {name, duty, phone, email}.
    """

    code = models.CharField(max_length=16, unique=True)
    name = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=16)
    purpose = models.CharField(max_length=100)
    whole_city = models.BooleanField(default=False)
    state = models.CharField(max_length=16)
    contract = models.CharField(max_length=64)
    contract_from = models.DateField()
    contract_until = models.DateField()
    contacts = SealedField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=80)

    objects = CityWork.as_manager()

    class Meta:
        ordering = ["code"]
        constraints = [
            state_is_known(UNIT),
            models.CheckConstraint(condition=Q(kind__in=list(UNIT_KINDS)), name="multiapp_unit_kind"),
            models.CheckConstraint(
                condition=Q(kind=APPLICATION) | Q(whole_city=False), name="multiapp_vendor_has_schools"
            ),
            models.CheckConstraint(
                condition=Q(contract_until__gte=models.F("contract_from")), name="multiapp_contract_term"
            ),
        ]


class UnitSchool(models.Model):
    """A school for which the unit works."""

    unit = models.ForeignKey(Unit, on_delete=models.PROTECT, related_name="places")
    school = models.ForeignKey("registry.School", on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["unit", "school"], name="multiapp_unit_school_once"),
        ]
