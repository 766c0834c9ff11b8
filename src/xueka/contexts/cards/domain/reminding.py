"""Is a school late, and what does its district say to it?"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Late:
    """What a school has left undone: students without an application, applications to correct, cards to
    hand out.
    """

    without: int
    returned: int
    at_school: int

    def __bool__(self) -> bool:
        return bool(self.without or self.returned or self.at_school)

    def words(self) -> str:
        """还有 15 名学生没有申领，3 份被退回待改正"""
        parts = (
            (self.without, f"{self.without:,} 名学生没有申领"),
            (self.returned, f"{self.returned:,} 份被退回待改正"),
            (self.at_school, f"{self.at_school:,} 张卡到校未发放"),
        )
        return "还有 " + "，".join(text for count, text in parts if count)
