"""Forms that speak in our manner."""

from typing import Any

from django import forms


class UnseenInput(forms.TextInput):
    """A secret that somebody types off a sheet: shown as dots, never drawn again, not kept by a browser.

    It is no password field: browsers offer to remember those whatever the page says.
    """

    def __init__(self) -> None:
        super().__init__(
            attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false", "data-unseen": ""}
        )

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        return super().get_context(name, None, attrs)


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
