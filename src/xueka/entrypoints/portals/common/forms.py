"""Forms of the common pages, with errors that say what to do."""

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, UsernameField


class LoginForm(AuthenticationForm):
    username = UsernameField(label="用户名", widget=forms.TextInput(attrs={"autofocus": True}))
    password = forms.CharField(
        label="密码", strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    error_messages = {
        "invalid_login": "用户名或密码不对，请核对后再试。连续 5 次不对，将锁定 15 分钟。",
        "inactive": "这个账号已停用。请联系本级管理员。",
    }


class PasswordForm(PasswordChangeForm):
    error_messages = {
        "password_incorrect": "现在的密码不对，请重新输入。",
        "password_mismatch": "两次输入的新密码不一样，请重新输入。",
    }

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].label = "现在的密码"
        self.fields["new_password1"].label = "新密码"
        self.fields["new_password1"].help_text = "至少 10 个字符；不能全是数字，不能是常见密码，不能与用户名或姓名相近。"
        self.fields["new_password2"].label = "再输入一次新密码"
        self.fields["new_password2"].help_text = ""
