"""docs/guildfile.md: it names all attributes, and its examples are guildfiles without a fault."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from guild.ops.guildfile import load_guildfile

DOCS = Path(__file__).parent.parent.parent / "docs"
TEXT = (DOCS / "guildfile.md").read_text()
SCHEMA = json.loads((DOCS / "guildfile.schema.json").read_text())["$defs"]
# Section of the reference -> definitions of the schema.
SECTIONS = {
    "Model and config": ("model", "config"),
    "Operation": ("operation",),
    "Flag": ("flag", "choice"),
    "Source code": ("sourcerule", "patterns"),
    "Dependencies": ("source", "fullresource", "named"),
    "Steps": ("step", "check"),
    "Optimizers": ("optimizer",),
    "Package": ("package",),
}
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def section(title: str) -> str:
    """The text of a section, with those below it."""
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def attributes(schema: Any) -> set[str]:
    """The names of all properties at the top of a definition, in any of its alternatives."""
    found = set(schema.get("properties", ()))
    for alternative in schema.get("anyOf", ()):
        found |= attributes(alternative)
    return found


@pytest.mark.parametrize("title", SECTIONS)
def test_a_section_names_all_attributes(title: str) -> None:
    known = set().union(*(attributes(SCHEMA[name]) for name in SECTIONS[title]))
    assert known
    named = set(re.findall(r"`([\w$-]+):?[^`]*`", section(title)))
    assert known - named == set()


def test_the_tables_name_no_attribute_that_is_none() -> None:
    for title in ("Model and config", "Flag", "Steps"):
        known = set().union(*(attributes(SCHEMA[name]) for name in SECTIONS[title]))
        cells = [line.split("|")[1] for line in section(title).splitlines() if line.startswith("| `")]
        named = {name for cell in cells for name in re.findall(r"`([\w-]+)`", cell)}
        assert named - known == set(), title


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_is_a_guildfile_without_fault(tmp_path: Path, number: int) -> None:
    path = tmp_path / "guild.yml"
    path.write_text(EXAMPLES[number])
    operations, warnings = load_guildfile(path).check()
    assert operations
    assert ([op.fault for op in operations if op.fault], warnings) == ([], ())


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 9
