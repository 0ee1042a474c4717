"""The pages about topics, in Markdown, made from registry and schemas: `topics/docs/<topic>.md` and one for types.

A type that one topic speaks of is explained on that topic's page; what travels by value through several, such as a
run's terms, on the page of types.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from topics.describe import Description, Field, NamedType, described, facts
from topics.examples import example, example_key, pretty, readable
from topics.queries import queries
from topics.registry import TOPICS

FOLDER = Path(__file__).parent / "docs"
TYPES = "types.md"
INDEX = "README.md"
UNKNOWN = "UNRECOGNIZED"
_MADE = "Made by `tape topics docs --write` from `topics/registry.py` and the schemas; not edited by hand."

Homes = Mapping[str, str]
"""The page that explains a type, by the type's name."""


def pages() -> dict[str, str]:
    """Return every page by its file name in `FOLDER`."""
    descriptions = [described(topic) for topic in TOPICS]
    homes = _homes(descriptions)
    made = {
        INDEX: _index(descriptions),
        **{_file(said): _page(said, homes) for said in descriptions},
        TYPES: _types(descriptions, homes),
    }
    return {name: "\n".join(lines) + "\n" for name, lines in made.items()}


def write() -> list[str]:
    """Write the pages that differ, delete those of topics that are no more, and return their names; idempotent."""
    wanted = pages()
    FOLDER.mkdir(exist_ok=True)
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    changed = sorted(name for name in {*found, *wanted} if found.get(name) != wanted.get(name))
    for name in changed:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
    return changed


def symbols(enum: NamedType) -> tuple[str, ...]:
    """Return an enum's symbols without the one that stands for those a reader does not know."""
    return tuple(symbol for symbol in enum.symbols if symbol != UNKNOWN)


def _file(said: Description) -> str:
    return f"{said.topic.name}.md"


def _homes(descriptions: Sequence[Description]) -> Homes:
    homes: dict[str, str] = {}
    for said in descriptions:
        for each in said.types:
            homes[each.name] = TYPES if each.name in homes else _file(said)
    return homes


def _index(descriptions: Sequence[Description]) -> Iterator[str]:
    rows = [(f"[{said.topic.name}]({_file(said)})", said.topic.producer, said.doc) for said in descriptions]
    yield from ("# Topics", "", _MADE, "")
    yield from _table(("topic", "written by", "says"), rows)
    yield from (
        "",
        f"What several of them speak of: [types]({TYPES}). For programs: [asyncapi.yaml](../asyncapi.yaml).",
    )


def _page(said: Description, homes: Homes) -> Iterator[str]:
    topic, own = said.topic, [each for each in said.types if homes[each.name] == _file(said)]
    yield from (f"# {topic.name}", "", said.doc, "", *(f"- {name}: {fact}" for name, fact in facts(said).items()))
    yield from ("", "## Fields", "", *_fields(said.fields, _file(said), homes))
    yield from _explained(own, _file(said), homes)
    yield from ("", "## Example", "", f"Key `{example_key(topic)}`", "", "```json")
    yield from (pretty(readable(example(topic))), "```", "", "## Ask", "", "```sh")
    for query in queries(topic):
        yield from (f"# {query.says}", query.command)
    yield from ("```", "", _MADE)


def _types(descriptions: Sequence[Description], homes: Homes) -> Iterator[str]:
    found = {each.name: each for said in descriptions for each in said.types if homes[each.name] == TYPES}
    yield from ("# Types", "", "What the fields of several topics speak of; each schema writes them out.", "", _MADE)
    yield from _explained([found[name] for name in sorted(found)], TYPES, homes)


def _explained(types: Sequence[NamedType], page: str, homes: Homes) -> Iterator[str]:
    """Explain records one by one, and enums in one table."""
    for each in (each for each in types if each.fields):
        yield from ("", f"## {each.name}", "", each.doc, "", *_fields(each.fields, page, homes))
    rows = [
        (
            f'<a id="{each.name.lower()}"></a>`{each.name}`',
            each.doc,
            " ".join(f"`{symbol}`" for symbol in symbols(each)),
        )
        for each in types
        if each.symbols
    ]
    if rows:
        unknown = f"A symbol that a reader does not know yet is `{UNKNOWN}` to it."
        yield from ("", "## Enums", "", *_table(("enum", "says", "symbols"), rows), "", unknown)


def _fields(fields: Sequence[Field], page: str, homes: Homes) -> list[str]:
    rows = [(f"`{field.name}`", _linked(field.type, page, homes), field.doc) for field in fields]
    return _table(("field", "type", "says"), rows)


def _linked(text: str, page: str, homes: Homes) -> str:
    """Return a type with a link to where what it speaks of is explained."""
    return " ".join(
        _link(word, "" if homes[word] == page else homes[word]) if word in homes else word for word in text.split(" ")
    )


def _link(name: str, page: str) -> str:
    return f"[{name}]({page}#{name.lower()})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = (head, ("---",) * len(head), *rows)
    return [f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |" for cells in lines]
