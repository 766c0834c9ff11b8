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


class CodeForm(WordedForm):
    code = forms.CharField(
        label="动态验证码",
        max_length=16,
        help_text="手机验证器上的 6 位数字；手机不在身边，可用一个恢复码。",
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}
        ),
    )


class EnrolForm(WordedForm):
    code = forms.CharField(
        label="验证器上显示的 6 位数字",
        max_length=8,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}
        ),
    )


class ProofForm(WordedForm):
    proof = forms.CharField(
        label="密码或动态验证码",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )


class ActivationCodeForm(WordedForm):
    code = forms.CharField(
        label="激活码",
        max_length=20,
        help_text="激活单上的 12 位字母和数字，大小写都可以。",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autofocus": True}),
    )


class ActivationForm(WordedForm):
    """Her own password, and where the list left it open her own user name."""

    username = forms.CharField(
        label="用户名",
        max_length=32,
        required=False,
        help_text="可以改成自己好记的：小写字母开头，可含数字、点、连字符。以后不能再改。",
        widget=forms.TextInput(attrs={"autocomplete": "username", "spellcheck": "false"}),
    )
    new = forms.CharField(
        label="设一个密码",
        strip=False,
        help_text="至少 10 个字符；不能全是数字，不能是常见密码，不能与用户名相近。",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="再输入一次密码",
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean_again(self) -> str:
        again = self.cleaned_data["again"]
        if again != self.cleaned_data.get("new"):
            raise forms.ValidationError("两次输入的密码不一样，请重新输入。")
        return again
