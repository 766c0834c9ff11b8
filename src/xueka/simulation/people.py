"""Synthetic people and schools. Nobody here exists; structure and check digits are real."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from xueka.kernel.check_digits import citizen_check
from xueka.kernel.districts import DISTRICTS

_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
)
_DOUBLE_SURNAMES = ("欧阳", "司马", "诸葛", "上官", "单于", "令狐")
_GIVEN = "子梓宇浩雨欣一诺思涵若晨佳怡嘉铭睿萱俊泽明轩可馨艺博文天悦然语彤安琪乐瑶书恒毅星辰云舒景行"
#: Outside the basic plane (Extension B and later) and a name with an interpunct: real registries have them.
_RARE_GIVEN = ("𬴊", "𫍯", "㛃", "𬭎")
_LONG_NAMES = ("阿依努尔·买买提", "古丽米热·阿卜杜热合曼", "巴特尔·乌力吉")

STAGE_GRADES = {"小学": 6, "初中": 3, "高中": 3}
_FIRST_AGE = {"小学": 6, "初中": 12, "高中": 15}
_SCHOOL_TYPE = {"小学": "21", "初中": "31", "高中": "34"}


@dataclass(frozen=True, slots=True)
class SyntheticSchool:
    code: str
    name: str
    district: str
    stage: str
    address: str


@dataclass(frozen=True, slots=True)
class SyntheticStudent:
    """One roster row's values, as the registration system would export them."""

    school: SyntheticSchool
    grade: int
    class_name: str
    name: str
    sex: str
    birth_date: date
    id_number: str
    education_id: str
    guardian: str
    phone: str
    address: str


def schools(random: Random, count: int) -> list[SyntheticSchool]:
    """`count` schools spread over the 16 districts in turn; stages in the proportion of a city."""
    codes = sorted(DISTRICTS)
    made = []
    for index in range(count):
        district = codes[index % len(codes)]
        stage = ("小学", "小学", "初中", "小学", "高中")[(index // len(codes) + index) % 5]
        area = DISTRICTS[district]
        made.append(
            SyntheticSchool(
                code=f"{_SCHOOL_TYPE[stage]}11{900001 + index:06d}",
                name=f"{area}第{index // len(codes) + 1}{stage}（样例）",
                district=district,
                stage=stage,
                address=f"北京市{area}样例路{random.randint(1, 300)}号",
            )
        )
    return made


def students(
    random: Random, at: list[SyntheticSchool], count: int, school_year: int
) -> list[SyntheticStudent]:
    """`count` students over the schools, in classes of about thirty, aged for `school_year`."""
    made: list[SyntheticStudent] = []
    share, rest = divmod(count, len(at))
    education_ids = iter(random.sample(range(10_000_000, 99_999_999), count))
    taken: set[str] = set()
    for index, school in enumerate(at):
        quota = share + (1 if index < rest else 0)
        made += pupils(random, school, quota, school_year, education_ids, taken)
    return made


def pupils(
    random: Random,
    school: SyntheticSchool,
    quota: int,
    school_year: int,
    education_ids: Iterator[int],
    taken: set[str],
) -> Iterator[SyntheticStudent]:
    """`quota` students of one school; `taken` keeps identity numbers (without check digit) from repeating."""
    grades = STAGE_GRADES[school.stage]
    for seat in range(quota):
        class_index = seat // 30
        yield _student(
            random,
            school,
            class_index % grades + 1,
            f"{class_index // grades + 1}班",
            next(education_ids),
            school_year,
            taken,
        )


def _student(
    random: Random,
    school: SyntheticSchool,
    grade: int,
    class_name: str,
    education_id: int,
    school_year: int,
    taken: set[str],
) -> SyntheticStudent:
    sex = random.choice("男女")
    born = date(school_year - _FIRST_AGE[school.stage] - grade + 1, 1, 1) - timedelta(
        days=random.randint(1, 364)
    )
    surname = random.choice(_DOUBLE_SURNAMES) if random.random() < 0.01 else random.choice(_SURNAMES)
    guardian = random.choice(_SURNAMES) + "".join(random.choices(_GIVEN, k=2))
    return SyntheticStudent(
        school=school,
        grade=grade,
        class_name=class_name,
        name=_name(random, surname),
        sex=sex,
        birth_date=born,
        id_number=_id_number(random, school.district, born, sex, taken),
        education_id=f"{education_id:08d}",
        guardian=guardian,
        # No operator has ever handed out 1xx000…: cannot ring at anybody's.
        phone=f"1{random.choice('35789')}{random.randint(0, 9)}0000{random.randint(0, 9999):04d}",
        address=f"北京市{DISTRICTS[school.district]}样例小区{random.randint(1, 40)}号楼",
    )


def _name(random: Random, surname: str) -> str:
    dice = random.random()
    if dice < 0.003:
        return random.choice(_LONG_NAMES)
    if dice < 0.01:
        return surname + random.choice(_RARE_GIVEN)
    return surname + "".join(random.choices(_GIVEN, k=random.choice((1, 2, 2, 2))))


def _id_number(random: Random, district: str, born: date, sex: str, taken: set[str]) -> str:
    while True:
        order = random.randrange(500) * 2 + (1 if sex == "男" else 0)
        body = f"{district}{born:%Y%m%d}{order:03d}"
        if body not in taken:
            taken.add(body)
            return body + citizen_check(body)
