"""What the city tells the districts by mail."""

from xueka.contexts.replacements import api as replacements
from xueka.platform.mail import services as mail
from xueka.simulation import staff
from xueka.simulation.world import World, go_on


def report(world: World, season: str) -> None:
    """How many of each district's children have another card by now; nothing where no mail server is."""
    if world.rest is go_on:
        return
    found: dict[str, int] = {}
    for made in replacements.rows(staff.CITY).filter(state="handed_out").select_related("student__school"):
        district = made.student.school.district_id
        found[district] = found.get(district, 0) + 1
    for district, count in sorted(found.items()):
        with world.work():
            mail.send(
                staff.operator("a"),
                f"xueji@{district}.example.cn",
                f"补换卡情况 {season}",
                f"贵区至今补换卡 {count} 张。",
                f"replaced.{season}.{district}",
                purpose="补换卡情况",
            )
