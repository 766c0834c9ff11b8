"""Card faces and printing: the only door into this context."""

from xueka.contexts.printing.adapters.templates import Template, template, templates
from xueka.contexts.printing.domain.faces import HEIGHT, SIDE_LABELS, SIDES, WIDTH, Contents
from xueka.contexts.printing.services.faces import document, face, face_to_come, pictures

__all__ = [
    "HEIGHT",
    "SIDES",
    "SIDE_LABELS",
    "WIDTH",
    "Contents",
    "Template",
    "document",
    "face",
    "face_to_come",
    "pictures",
    "template",
    "templates",
]
