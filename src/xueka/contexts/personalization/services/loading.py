"""Profiles from files: those that come with the product, and those that somebody uploads."""

from importlib import resources

from xueka.contexts.personalization.domain import transitions as t
from xueka.contexts.personalization.domain.profiles import Profile, parse
from xueka.contexts.personalization.domain.scripts import parse_script
from xueka.contexts.personalization.models import CardProfile, CardScript
from xueka.kernel import clock
from xueka.kernel.errors import BadInput, Refused
from xueka.platform.audit.services import record
from xueka.platform.crypto.sm3 import digest as sm3
from xueka.platform.history.services import begin
from xueka.platform.identity.actor import Actor

LARGEST = 256 * 1024


def load_profile(actor: Actor, content: bytes) -> CardProfile:
    """A new draft from a file. The same file again gives what is there.

    Raises ProfileRejected, BadInput `PROFILE_ENCODING`, Refused `PROFILE_VERSION_KNOWN`.
    """
    actor.require("city:profile:manage")
    profile = read(content)
    digest = sm3(content)
    known = CardProfile.objects.filter(code=profile.code, version=profile.version).first()
    if known is not None:
        if bytes(known.sm3) == digest:
            return known
        raise Refused(
            "PROFILE_VERSION_KNOWN",
            f"卡片结构 {profile.code} 已有 {profile.version} 版，内容与这份不同。",
            where="version",
            found=profile.version,
            expected="没有用过的版本号",
            action="请把文件里的版本号加一后重新载入；载入过的版本不会改动。",
        )
    now = clock.now()
    made = CardProfile.objects.create(
        code=profile.code,
        version=profile.version,
        title=profile.title,
        algorithm=profile.algorithm,
        kinds=list(profile.kinds),
        text=profile.text,
        sm3=digest,
        state=t.DRAFT,
        state_at=now,
        created_at=now,
        created_by=actor.username,
    )
    begin(t.PROFILE, [made.pk], actor)
    detail = {"version": made.version, "sm3": digest.hex()}
    record(actor, "card_profile.load", "card_profile", made.code, detail=detail)
    return made


def read(content: bytes) -> Profile:
    """The profile in a file. Raises ProfileRejected, BadInput `PROFILE_ENCODING`, `PROFILE_TOO_LARGE`."""
    return parse(_text(content))


def sync_profiles(actor: Actor) -> int:
    """Load as drafts the versions of data/profiles that are not known yet; returns how many."""
    before = CardProfile.objects.count()
    folder = resources.files("xueka.contexts.personalization").joinpath("data/profiles")
    for file in sorted(folder.iterdir(), key=lambda each: each.name):
        if file.name.endswith(".toml"):
            load_profile(actor, file.read_bytes())
    return CardProfile.objects.count() - before


def load_script(actor: Actor, content: bytes) -> CardScript:
    """A partner's script as a new draft, kept byte for byte. The same file again gives what is there.

    Raises ProfileRejected, BadInput `PROFILE_ENCODING`, `PROFILE_TOO_LARGE`, Refused `SCRIPT_VERSION_KNOWN`.
    """
    actor.require("city:profile:manage")
    text = _text(content)
    script = parse_script(text)
    digest = sm3(content)
    known = CardScript.objects.filter(code=script.code, version=script.version).first()
    if known is not None:
        if bytes(known.sm3) == digest:
            return known
        raise Refused(
            "SCRIPT_VERSION_KNOWN",
            f"脚本 {script.code} 已有 {script.version} 版，内容与这份不同。",
            where="version",
            found=script.version,
            expected="没有用过的版本号",
            action="请向对方核实；对方的脚本不能改动后再用。",
        )
    now = clock.now()
    made = CardScript.objects.create(
        code=script.code,
        version=script.version,
        title=script.title,
        application=script.application,
        stage=script.stage,
        kinds=list(script.kinds),
        starts_on=script.starts_on,
        source=script.source,
        document=script.document,
        text=text,
        sm3=digest,
        state=t.DRAFT,
        state_at=now,
        created_at=now,
        created_by=actor.username,
    )
    begin(t.SCRIPT, [made.pk], actor)
    detail = {"version": made.version, "sm3": digest.hex(), "source": script.source}
    record(actor, "card_script.load", "card_script", made.code, detail=detail)
    return made


def _text(content: bytes) -> str:
    if len(content) > LARGEST:
        raise BadInput(
            "PROFILE_TOO_LARGE", "文件太大。", found=f"{len(content)} 字节", expected=f"不超过 {LARGEST} 字节"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(
            "PROFILE_ENCODING",
            "文件不是 UTF-8 编码的文本。",
            where=f"第 {error.start + 1} 字节",
            action="请另存为 UTF-8 后重新载入。",
        ) from None
