"""Forms of the common pages, with errors that say what to do."""

from django import forms
from django.contrib.auth.forms import AuthenticationForm, UsernameField

from xueka.entrypoints.design.forms import WordedForm


class LoginForm(WordedForm, AuthenticationForm):
    username = UsernameField(label="用户名", widget=forms.TextInput(attrs={"autofocus": True}))
    password = forms.CharField(
        label="密码", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    error_messages = {
        "invalid_login": "用户名或密码不对，请核对后再试。连续 5 次不对，将锁定 15 分钟。",
        "inactive": "这个账号已停用。请联系本级管理员。",
    }


class PasswordForm(WordedForm):
    old = forms.CharField(
        label="现在的密码",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label="新密码",
        strip=False,
        help_text="至少 10 个字符；不能全是数字，不能是常见密码，不能与用户名相近。",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="再输入一次新密码",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_again(self) -> str:
        again = self.cleaned_data["again"]
        if again != self.cleaned_data.get("new"):
            raise forms.ValidationError("两次输入的新密码不一样，请重新输入。")
        return again
