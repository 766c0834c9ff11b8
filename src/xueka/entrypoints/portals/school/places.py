"""The school that the officer works for, and its classes."""

from xueka.contexts.registry import api as registry
from xueka.kernel.errors import NotFound
from xueka.platform.identity.actor import Actor


def own_class(actor: Actor, class_id: int) -> registry.SchoolClass:
    """A class of the actor's school; NotFound for any other."""
    own = registry.school(actor.scope, actor.scope.school)
    for each in registry.classes(actor.scope, own.id):
        if each.id == class_id:
            return each
    raise NotFound("CLASS_NOT_FOUND", "没有这个班。")
