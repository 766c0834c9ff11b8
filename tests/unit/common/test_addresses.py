"""Every address has a name of its own: of two with one name, links would lead to the last."""

from collections import Counter
from collections.abc import Iterator

from django.urls import URLPattern, URLResolver, get_resolver


def names(within: URLResolver, space: str = "") -> Iterator[tuple[str, tuple[str, ...]]]:
    """(name, its arguments) of every address below."""
    for each in within.url_patterns:
        if isinstance(each, URLResolver):
            yield from names(each, f"{space}{each.namespace}:" if each.namespace else space)
        elif isinstance(each, URLPattern) and each.name:
            yield f"{space}{each.name}", tuple(sorted(each.pattern.converters))


def test_no_two_share_a_name() -> None:
    found = Counter(names(get_resolver()))
    assert len(found) > 200
    assert [name for (name, _), often in found.items() if often > 1] == []
