"""Forms that speak in our manner."""

from typing import Any

from django import forms


class WordedForm(forms.Form):
    """A form whose complaint about an empty field names the field and what to do."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if field.label:
                field.error_messages["required"] = f"{_verb(field)}{field.label}。"


def _verb(field: forms.Field) -> str:
    if isinstance(field, forms.BooleanField):
        return "请勾选："
    if isinstance(field, forms.FileField) or hasattr(field, "choices"):
        return "请选择"
    return "请填写"
