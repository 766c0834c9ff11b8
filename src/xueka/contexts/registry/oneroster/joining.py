"""From the files of a package to the lines of a roster: one for each student, where possible on her own line.

The roster's line n is line n of users.csv; students whom users.csv does not name (a change of enrolment
alone) come after its last line. A column of which the package says nothing is null, and filled from what is
on record.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from xueka.contexts.registry.domain import oneroster as o
from xueka.contexts.registry.domain.oneroster import Reading
from xueka.contexts.registry.domain.report import shown
from xueka.contexts.registry.domain.roster import RosterRow
from xueka.contexts.registry.oneroster.files import Files
from xueka.contexts.registry.oneroster.frames import LINE
from xueka.contexts.registry.oneroster.links import KIND, PLACE, Links, enrolled_elsewhere, read_links
from xueka.contexts.registry.oneroster.package import Package
from xueka.contexts.registry.tables.source import SEPARATOR
from xueka.kernel.errors import LineProblem

KEYS = RosterRow._fields
AT = {file: f"at_{file}" for file in ("users", "demographics", "enrollments", "classes", "orgs")}
"""Where each part of a joined row was read, by file; null where it was not."""


@dataclass(slots=True)
class Joined:
    """`rows`: line, sourcedId, the roster's columns (null: not said) and where each part stands.

    `deleted` and `shown` give sourcedId and identifier of the users whom the package deletes and names,
    refused or not; `fresh` are those of `shown` whose record is not older than what is known. `unenrolled`
    are users with the class that they were taken out of without another. `orgs` and `classes` are what the
    package says of them; `labels` gives file and column by key; `frames` and `links` are what it rests on.
    """

    rows: pl.DataFrame
    deleted: pl.DataFrame
    shown: pl.DataFrame
    fresh: pl.DataFrame
    unenrolled: pl.DataFrame
    orgs: pl.DataFrame
    classes: pl.DataFrame
    labels: Mapping[str, tuple[str, str]]
    frames: dict[str, pl.DataFrame]
    links: Links
    last_line: int
    problems: list[LineProblem] = field(default_factory=list)
    warnings: list[LineProblem] = field(default_factory=list)
    refused: int = 0
    others: int = 0


def join(package: Package, reading: Reading, today: date, *, as_it_is: bool = False) -> Joined:
    """Read and join the files of a package. Raises BadInput where a file cannot be read as a whole.

    `as_it_is`: with what is older than what was applied.
    """
    return _Join(package, reading, today, as_it_is=as_it_is).result()


class _Join(Files):
    def __init__(self, package: Package, reading: Reading, today: date, *, as_it_is: bool) -> None:
        super().__init__(package, reading)
        self._today = today
        self._links = read_links(self._wanted())
        if not as_it_is:
            self.frames |= {file: self._current(file) for file in KIND}

    def _wanted(self) -> dict[str, pl.Series]:
        """The sourcedIds that this package names, by file; all orgs and classes, for they are few."""
        column = {"users": "sourcedId", "demographics": "sourcedId"}
        column |= dict.fromkeys(("roles", "enrollments"), "userSourcedId")
        found = [
            self.frames[file][name].alias("id")
            for file, name in column.items()
            if name in self.frames[file].columns
        ]
        return {
            "users": pl.concat(found).unique(),
            "enrollments": self.frames["enrollments"]["sourcedId"],
            "demographics": self.frames["demographics"]["sourcedId"],
        }

    def _current(self, file: str) -> pl.DataFrame:
        """Without what is older than what was applied: pages and files may overtake each other."""
        frame = self.frames[file]
        if self.package.mode(file) != o.DELTA and not self.package.fetched:
            return frame
        known = self._links.of[file].select("sourcedId", "modified")
        frame = frame.join(known, on="sourcedId", how="left", maintain_order="left")
        old = (pl.col("dateLastModified") != "") & (pl.col("dateLastModified") < pl.col("modified"))
        stale = old.fill_null(value=False)
        for line, moment in frame.filter(stale).select(LINE, "dateLastModified").iter_rows():
            text = (
                f"{file}.csv 第 {line} 行「dateLastModified」：比已导入的更早（{shown(moment)}），没有采用。"
            )
            self.warnings.append(
                LineProblem(line, "dateLastModified", "ONEROSTER_STALE", shown(moment), text, f"{file}.csv")
            )
        return frame.filter(~stale).drop("modified")

    # --- the parts ---

    def result(self) -> Joined:
        users = self.frames["users"]
        orgs, classes = self._orgs(), self._classes()
        demographics = self._demographics()
        enrolled = self._enrolled(classes)
        deleted = self.named(users.filter(pl.col("status") == o.DELETED))
        unenrolled = self._unenrolled(enrolled, deleted)
        active = users.filter(pl.col("status") != o.DELETED)
        students = self._student_ids(enrolled)
        named = active.join(students, on="sourcedId", how="semi")
        others = active.height - named.height
        last = max([1, *users[LINE].to_list(), *(problem.line for problem in self.problems)])
        if self.package.mode("users") == o.BULK:
            beside = students.clear()
        else:
            changed = pl.concat([enrolled.select("sourcedId"), demographics.select("sourcedId")]).unique()
            known = changed.join(self._links.users, on="sourcedId", how="semi")
            beside = known.join(users, on="sourcedId", how="anti").sort("sourcedId")
        rows = self._users(named, beside, last, active)
        rows = rows.join(demographics, on="sourcedId", how="left").join(enrolled, on="sourcedId", how="left")
        rows = self._placed(rows, classes, orgs, unenrolled)
        return Joined(
            rows.sort(LINE),
            deleted,
            self.shown_users,
            self.named(active),
            unenrolled,
            orgs,
            classes,
            self._labels(),
            self.frames,
            self._links,
            last,
            self.problems,
            self.warnings,
            self.refused,
            others,
        )

    def _labels(self) -> dict[str, tuple[str, str]]:
        return {key: self._source(key) for key in KEYS}

    def _source(self, key: str) -> tuple[str, str]:
        """The column that is read for one of the roster's: the extension, or what the standard has."""
        file, column = self.reading.sources[key]
        if key in o.ELSEWHERE and column not in self.frames[file].columns:
            return o.ELSEWHERE[key]
        return file, column

    def _orgs(self) -> pl.DataFrame:
        frame = self.frames["orgs"]
        return frame.filter(pl.col("status") != o.DELETED).select(
            pl.col("sourcedId").alias("org"),
            self.value(frame, "school_code", "orgs"),
            (pl.col("type") if "type" in frame.columns else pl.lit("")).alias("org_type"),
            pl.col(LINE).alias(AT["orgs"]),
        )

    def _classes(self) -> pl.DataFrame:
        frame = self.frames["classes"]
        standard = {
            name: pl.col(name) if name in frame.columns else pl.lit("", dtype=pl.String)
            for name in ("grades", "classType", "schoolSourcedId")
        }
        code = standard["grades"].str.split(",").list.first().fill_null("").str.strip_chars()
        stages = {grade: place[0] for grade, place in self.reading.grades.items()}
        steps = {grade: place[1] for grade, place in self.reading.grades.items()}
        return frame.filter(pl.col("status") != o.DELETED).select(
            pl.col("sourcedId").alias("class"),
            self.value(frame, "stage", "classes").replace("", None).fill_null(code.replace(stages)),
            self.value(frame, "grade", "classes").replace("", None).fill_null(code.replace(steps)),
            self.value(frame, "class_name", "classes"),
            standard["classType"].alias("class_type"),
            standard["schoolSourcedId"].alias("class_org"),
            pl.col(LINE).alias(AT["classes"]),
        )

    def _demographics(self) -> pl.DataFrame:
        frame = self.frames["demographics"].filter(pl.col("status") != o.DELETED)
        values = [
            self.value(frame, key, "demographics")
            for key in KEYS
            if self.reading.sources[key][0] == "demographics"
        ]
        found = frame.select("sourcedId", *values, pl.col(LINE).alias(AT["demographics"]))
        return found.with_columns(pl.col("sex").replace(o.SEXES)) if "sex" in found.columns else found

    def _enrolled(self, classes: pl.DataFrame) -> pl.DataFrame:
        """The one class of each student: a home room before others, the primary one, the later change (where
        a copy lags behind, the former one is there too), the later line.
        """
        frame = self.frames["enrollments"].filter(pl.col("status") != o.DELETED)
        schema = {"sourcedId": pl.String, "class": pl.String, AT["enrollments"]: pl.Int64}
        if "userSourcedId" not in frame.columns:
            return pl.DataFrame(schema=schema)
        day = self._today.isoformat()
        dates = {
            name: pl.col(name) if name in frame.columns else pl.lit("")
            for name in ("beginDate", "endDate", "primary")
        }
        # By the standard an enrolment runs from its first day, and no longer on the day of its end.
        running = ((dates["endDate"] == "") | (dates["endDate"] > day)) & (dates["beginDate"] <= day)
        home = pl.concat(
            [classes.select("class", "class_type"), self._links.classes.select("class", "class_type")]
        )
        return (
            frame.filter((pl.col("role") == o.STUDENT_ROLE) & running)
            .select(
                pl.col("userSourcedId").alias("sourcedId"),
                pl.col("classSourcedId").alias("class"),
                "dateLastModified",
                (dates["primary"] == "true").alias("primary"),
                pl.col(LINE).alias(AT["enrollments"]),
            )
            .join(home.unique("class"), on="class", how="left")
            .with_columns((pl.col("class_type") == o.HOMEROOM).fill_null(value=False).alias("home"))
            .sort("home", "primary", "dateLastModified", AT["enrollments"])
            .unique("sourcedId", keep="last", maintain_order=True)
            .select(*schema)
        )

    def _student_ids(self, enrolled: pl.DataFrame) -> pl.DataFrame:
        found = [enrolled.select("sourcedId")]
        roles = self.frames["roles"]
        if "userSourcedId" in roles.columns:
            of_student = (pl.col("role") == o.STUDENT_ROLE) & (pl.col("status") != o.DELETED)
            found.append(roles.filter(of_student).select(pl.col("userSourcedId").alias("sourcedId")))
        if self.package.mode("roles") != o.BULK:
            found.append(self._links.users.select("sourcedId"))
        return pl.concat(found).unique()

    def _users(
        self, named: pl.DataFrame, beside: pl.DataFrame, last: int, active: pl.DataFrame
    ) -> pl.DataFrame:
        keys = [key for key in KEYS if self.reading.sources[key][0] == "users"]
        values = {key: self.value(named, key, "users") for key in keys}
        if "familyName" in named.columns:
            whole = pl.col("familyName").str.strip_chars() + pl.col("givenName").str.strip_chars()
            values["name"] = values["name"].replace("", None).fill_null(whole).alias("name")
        rows = named
        if "agentSourcedIds" in named.columns and {"guardian_name", "guardian_phone"} <= values.keys():
            rows = self._with_guardian(named, active)
            for key in ("guardian_name", "guardian_phone"):
                values[key] = values[key].replace("", None).fill_null(pl.col(f"agent_{key}")).alias(key)
        found = rows.select(
            LINE, "sourcedId", "dateLastModified", pl.col(LINE).alias(AT["users"]), *values.values()
        )
        if beside.is_empty():
            return found
        further = beside.with_row_index(LINE, last + 1).with_columns(
            pl.col(LINE).cast(pl.Int64), pl.lit("").alias("dateLastModified")
        )
        return pl.concat([found, further], how="diagonal")

    def _with_guardian(self, named: pl.DataFrame, active: pl.DataFrame) -> pl.DataFrame:
        """The first of the agents whom the package names, and how she is reached."""
        phone = [pl.col(name) for name in ("sms", "phone") if name in active.columns]
        reached = pl.coalesce([each.replace("", None) for each in phone] or [pl.lit(None, dtype=pl.String)])
        agents = active.select(
            pl.col("sourcedId").alias("agent"),
            (pl.col("familyName").str.strip_chars() + pl.col("givenName").str.strip_chars()).alias(
                "agent_guardian_name"
            ),
            reached.fill_null("").alias("agent_guardian_phone"),
        )
        named = named.with_columns(pl.col("agentSourcedIds").str.split(",").list.first().alias("agent"))
        return named.join(agents, on="agent", how="left", maintain_order="left")

    def _placed(
        self, rows: pl.DataFrame, classes: pl.DataFrame, orgs: pl.DataFrame, unenrolled: pl.DataFrame
    ) -> pl.DataFrame:
        """School and class of each row; what points nowhere is refused, and named where it stands."""
        rows = rows.join(classes, on="class", how="left").join(
            orgs.select(pl.col("org").alias("class_org"), "school_code", AT["orgs"]),
            on="class_org",
            how="left",
        )
        known_orgs = self._links.orgs.select(
            pl.col("org").alias("class_org"), pl.col("school_code").alias("_code")
        )
        rows = rows.join(known_orgs, on="class_org", how="left").with_columns(
            pl.coalesce("school_code", "_code").alias("school_code")
        )
        earlier = self._links.classes.select("class", *(pl.col(name).alias(f"_{name}") for name in PLACE))
        rows = rows.join(earlier, on="class", how="left").with_columns(
            pl.coalesce(name, f"_{name}").alias(name) for name in PLACE
        )
        no_class = pl.col("class").is_not_null() & pl.col("class_name").is_null()
        no_school = pl.col("class").is_not_null() & ~no_class & pl.col("school_code").is_null()
        without = pl.col("class").is_null() & (
            pl.lit(self.package.mode("enrollments") == o.BULK)
            & ~pl.col("sourcedId").is_in(unenrolled["sourcedId"].to_list())
        )
        for line, name in rows.filter(no_class).select(AT["enrollments"], "class").iter_rows():
            what = "classes.csv 里没有这个班"
            self._refuse("enrollments", line, "classSourcedId", "ONEROSTER_REFERENCE", name, what)
        for line, name in rows.filter(no_school).select(AT["classes"], "class_org").iter_rows():
            what = "orgs.csv 里没有这所学校"
            self._refuse("classes", line or 0, "schoolSourcedId", "ONEROSTER_REFERENCE", name, what)
        for line, name in rows.filter(without).select(LINE, "sourcedId").iter_rows():
            what = "enrollments.csv 里没有这名学生在读的班"
            self._refuse("users", line, "sourcedId", "ONEROSTER_NO_CLASS", name, what)
        kept = rows.filter(~no_class & ~no_school & ~without)
        # Whoever stays where she is keeps her class as it is on record.
        return kept.select(
            LINE,
            "sourcedId",
            "dateLastModified",
            *KEYS,
            *(column for column in AT.values() if column in kept.columns),
        )

    def _refuse(self, file: str, line: int, column: str, code: str, value: str, what: str) -> None:
        self.problem(file, line, column, code, value, what)
        self.refused += file != "users"

    def _unenrolled(self, enrolled: pl.DataFrame, deleted: pl.DataFrame) -> pl.DataFrame:
        """Users whose enrolment was deleted, who have no other and are not deleted; with its class."""
        frame = self.frames["enrollments"].filter(pl.col("status") == o.DELETED)
        schema = {"sourcedId": pl.String, **dict.fromkeys(PLACE, pl.String)}
        if frame.is_empty():
            return pl.DataFrame(schema=schema)
        parts = pl.col("value").str.split(SEPARATOR)
        known = self._links.of["enrollments"].select(
            pl.col("sourcedId").alias("enrolment"), parts.list.get(0, null_on_oob=True).alias("_user"),
            parts.list.get(1, null_on_oob=True).alias("_class"),
        )  # fmt: skip
        gone = frame.select(
            pl.col("sourcedId").alias("enrolment"), pl.col("userSourcedId").replace("", None).alias("user"),
            pl.col("classSourcedId").replace("", None).alias("class"),
        ).join(known, on="enrolment", how="left")  # fmt: skip
        gone = gone.select(
            "enrolment", pl.coalesce("user", "_user").alias("sourcedId"), pl.coalesce("class", "_class")
        ).drop_nulls()
        for other in (enrolled, deleted):
            gone = gone.join(other, on="sourcedId", how="anti")
        if gone.is_empty():
            return pl.DataFrame(schema=schema)
        elsewhere = enrolled_elsewhere(gone["sourcedId"].to_list(), gone["enrolment"].to_list())
        gone = gone.filter(~pl.col("sourcedId").is_in(sorted(elsewhere)))
        return self._with_place(gone).select(*schema).drop_nulls()

    def _with_place(self, rows: pl.DataFrame) -> pl.DataFrame:
        classes, orgs = self._classes(), self._orgs().select(class_org="org", school_code="school_code")
        codes = pl.concat([orgs, self._links.orgs.select(class_org="org", school_code="school_code")])
        here = classes.join(codes.unique("class_org", keep="first"), on="class_org", how="left")
        both = pl.concat([here.select("class", *PLACE), self._links.classes.select("class", *PLACE)])
        return rows.join(both.drop_nulls().unique("class", keep="first"), on="class", how="left")


def texts(rows: pl.DataFrame, last_line: int, separator: str) -> Sequence[str]:
    """The lines of the roster from line 2 on, blank where there is no student."""
    joined = rows.select(LINE, pl.concat_str(list(KEYS), separator=separator).alias("text"))
    highest = max([last_line, *joined[LINE].to_list()])
    every = pl.DataFrame({LINE: pl.int_range(2, highest + 1, eager=True, dtype=pl.Int64)})
    return every.join(joined, on=LINE, how="left", maintain_order="left")["text"].fill_null("").to_list()
