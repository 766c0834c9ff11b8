"""Which kind of table is this? The content decides, never the name of the file."""

from collections.abc import Sequence

from xueka.contexts.registry.domain.columns import Column
from xueka.contexts.registry.tables.csv_file import Content, open_csv
from xueka.contexts.registry.tables.source import Table
from xueka.contexts.registry.tables.xlsx_file import open_xlsx
from xueka.kernel.errors import BadInput

_OTHERS = {
    b"\xd0\xcf\x11\xe0": ("旧式 .xls 工作簿，或加了密码的工作簿", "未加密的“Excel 工作簿（.xlsx）”"),
    b"%PDF": ("PDF 文件", "XLSX 或 CSV"),
    b"\x89PNG": ("图片", "XLSX 或 CSV"),
    b"\xff\xd8\xff": ("图片", "XLSX 或 CSV"),
    b"Rar!": ("RAR 压缩包", "解压后的 XLSX 或 CSV"),
    b"7z\xbc\xaf": ("7z 压缩包", "解压后的 XLSX 或 CSV"),
    b"\x1f\x8b": ("gzip 压缩包", "解压后的 XLSX 或 CSV"),
}


def open_table(columns: Sequence[Column], content: Content) -> Table:
    """Open an XLSX or CSV file and match its header with `columns`. Raises BadInput; reads no row yet."""
    magic = content[:8]
    for beginning, (found, expected) in _OTHERS.items():
        if magic.startswith(beginning):
            raise BadInput(
                "FILE_TYPE",
                f"这是{found}，不是名册。",
                found=found,
                expected=expected,
                action="请在表格软件中另存后再导入。",
            )
    if magic.startswith(b"PK"):
        return open_xlsx(columns, content if isinstance(content, bytes) else content[:])
    return open_csv(columns, content)
