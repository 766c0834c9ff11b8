"""The files of a package, read one by one: what is wrong with a single record is said here."""

from datetime import timedelta

import polars as pl

from xueka.contexts.registry.domain import oneroster as o
from xueka.contexts.registry.domain.oneroster import Reading
from xueka.contexts.registry.domain.report import shown
from xueka.contexts.registry.oneroster.frames import LINE, empty_frame, read_frame
from xueka.contexts.registry.oneroster.package import Package
from xueka.kernel import clock
from xueka.kernel.errors import LineProblem

AHEAD = timedelta(days=1)
"""Clocks differ by less. A record dated later would outrank every change until that day comes."""


class Files:
    """`frames` by file, without what cannot be used; `refused` counts rows of students lost on the way;
    `shown_users` are the users named at all, be their rows right or wrong.
    """

    def __init__(self, package: Package, reading: Reading) -> None:
        self.package, self.reading = package, reading
        self.problems: list[LineProblem] = []
        self.warnings: list[LineProblem] = []
        self.refused = len(package.lost)
        self.problems += package.problems
        self.warnings += package.warnings
        self.frames: dict[str, pl.DataFrame] = {}
        self.shown_users = empty_frame(["sourcedId", "identifier"]).drop(LINE)
        for file in o.READ:
            self.frames[file] = self._read(file)

    def value(self, frame: pl.DataFrame, key: str, file: str) -> pl.Expr:
        """The column as it stands, or null where the file has none: then nothing is said."""
        of, column = self.reading.sources[key]
        if of != file or column not in frame.columns:
            return pl.lit(None, dtype=pl.String).alias(key)
        return pl.col(column).alias(key)

    def _read(self, file: str) -> pl.DataFrame:
        columns = o.columns_of(file, self.reading.sources)
        if (fetched := self.package.frames.get(file)) is not None:
            return self._checked(file, fetched)
        content = self.package.files.get(file)
        if content is None:
            return empty_frame(["sourcedId", "status", "dateLastModified"])
        frame, layout, problems = read_frame(file, columns, content)
        self.problems += problems
        self.refused += len(problems) if file == "users" else 0
        for header in layout.unknown:
            text = f"{file}.csv 第 1 行「{shown(header)}」：不认识这一列，没有读取。"
            self.warnings.append(LineProblem(1, shown(header), "COLUMN_UNKNOWN", "", text, f"{file}.csv"))
        return self._checked(file, frame)

    def _checked(self, file: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Without records whose status or sourcedId is none, with moments in one form."""
        missing = [name for name in ("status", "dateLastModified") if name not in frame.columns]
        frame = frame.with_columns(*(pl.lit("").alias(name) for name in missing))
        frame = frame.with_columns(pl.col("status").replace(o.FORMERLY))
        if file == "users":  # whoever is named at all is not missing, her row be right or wrong
            self.shown_users = self.named(frame.filter(pl.col("status") != o.DELETED))
        bad = frame.filter(~pl.col("status").is_in(["", o.ACTIVE, o.DELETED]))
        for line, status in bad.select(LINE, "status").iter_rows():
            self.problem(
                file, line, "status", "ONEROSTER_STATUS", status, "状态无法识别", "active、tobedeleted"
            )
        frame = frame.filter(pl.col("status").is_in(["", o.ACTIVE, o.DELETED]))
        return self._once(file, self._in_one_form(file, frame))

    def _in_one_form(self, file: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Moments as text that sorts: offsets differ between systems, and fractions are left out by some."""
        written = pl.col("dateLastModified")
        if frame.filter(written != "").is_empty():
            return frame
        now = clock.now()
        moment = written.str.to_datetime("%+", time_unit="ms", time_zone="UTC", strict=False)
        ahead = (moment > now + AHEAD).fill_null(value=False)
        frame = frame.with_columns(
            pl.when(ahead).then(pl.lit(now)).otherwise(moment)
            .dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").fill_null("").alias("_moment"),
            ahead.alias("_ahead"),
        )  # fmt: skip
        odd = frame.filter((written != "") & ((pl.col("_moment") == "") | pl.col("_ahead")))
        for line, text, later in odd.select(LINE, written, "_ahead").iter_rows():
            why = "时间在将来" if later else "时间无法识别"
            taken = "当作现在" if later else "当作没有写"
            what = f"{file}.csv 第 {line} 行「dateLastModified」：{why}（{shown(text)}），{taken}。"
            self.warnings.append(
                LineProblem(line, "dateLastModified", "ONEROSTER_DATE", shown(text), what, f"{file}.csv")
            )
        return frame.with_columns(pl.col("_moment").alias("dateLastModified")).drop("_moment", "_ahead")

    def named(self, users: pl.DataFrame) -> pl.DataFrame:
        """Of users: the sourcedId, and the education ID where they say it themselves."""
        return users.select(
            "sourcedId", self.value(users, "education_id", "users").replace("", None).alias("identifier")
        )

    def _once(self, file: str, frame: pl.DataFrame) -> pl.DataFrame:
        """One record for each sourcedId: of users none when there are two, of the others the later one."""
        empty = frame.filter(pl.col("sourcedId") == "")
        for (line,) in empty.select(LINE).iter_rows():
            self.problem(file, line, "sourcedId", "ONEROSTER_ID", "", "sourcedId 为空", "包内唯一的标识")
        frame = frame.filter(pl.col("sourcedId") != "")
        if not frame["sourcedId"].is_duplicated().any():
            return frame
        twice = frame.filter(pl.col("sourcedId").is_duplicated())
        for line, identity in twice.select(LINE, "sourcedId").iter_rows():
            if file == "users":
                what = "同一 sourcedId 出现了两次，几行都没有导入"
                self.problem(file, line, "sourcedId", "ONEROSTER_DUPLICATE", identity, what, "每名用户一行")
            else:
                text = f"{file}.csv 第 {line} 行「sourcedId」：同一 sourcedId 出现了两次，采用较晚的一条。"
                value = shown(identity)
                warning = LineProblem(line, "sourcedId", "ONEROSTER_DUPLICATE", value, text, f"{file}.csv")
                self.warnings.append(warning)
        if file == "users":
            return frame.filter(~pl.col("sourcedId").is_duplicated())
        return (
            frame.sort("dateLastModified", LINE)
            .unique("sourcedId", keep="last", maintain_order=True)
            .sort(LINE)
        )

    def problem(
        self, file: str, line: int, column: str, code: str, value: str, what: str, expected: str = ""
    ) -> None:
        """A row that is refused before it is joined. Counted once by whoever calls for a student's row."""
        read = f"读到“{shown(value)}”" if value else "读到空白"
        wanted = f"，应为 {expected}" if expected else ""
        text = (
            f"{file}.csv 第 {line} 行「{column}」：{what}。{read}{wanted}。这一行没有导入，其余各行不受影响。"
        )
        self.problems.append(LineProblem(line, column, code, shown(value), text, f"{file}.csv"))
        self.refused += file == "users"
