"""Who may have the value of a key in hand. A new name here is a decision, with its reason beside it."""

import ast

from tests.architecture.source import modules

_KEYS = "xueka.contexts.keys"
#: Attribute that gives or takes a key's bytes → the modules that may use it.
ALLOWED = {
    # A key for a card in clear: nobody. Cards are written under a transport key, bureaus get cryptograms.
    "plain_write_body": set(),
    # The store's own methods, called where policy has been asked and the use is on record.
    "card_key": {f"{_KEYS}.services.keeping"},
    "diversify_many": {
        f"{_KEYS}.services.keeping",
        f"{_KEYS}.services.batches",  # compares what it enciphered
        f"{_KEYS}.adapters.software_store",
    },
    "diversify_wrapped": {f"{_KEYS}.services.keeping", f"{_KEYS}.services.batches"},
    "export_block": {f"{_KEYS}.services.keeping", f"{_KEYS}.services.batches"},
    # The mangled name of CardKey's value.
    "_CardKey__value": set(),
}


def test_key_values_are_touched_where_they_may_be() -> None:
    wrong = []
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and module.name not in ALLOWED.get(node.attr, {module.name}):
                wrong.append(f"{module.at(node)} uses {node.attr}")
            if isinstance(node, ast.Constant) and node.value in ("_CardKey__value", "plain_write_body"):
                wrong.append(f"{module.at(node)} names {node.value}")
    assert wrong == []


def test_only_the_stores_open_key_blocks() -> None:
    wrong = [
        f"{module.at(node)} imports {name}"
        for module in modules()
        for node, name in module.imports()
        if name.startswith(f"{_KEYS}.adapters.key_blocks")
        and not module.name.startswith(f"{_KEYS}.adapters.")
    ]
    assert wrong == []
