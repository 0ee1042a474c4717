"""The table of topics as this folder's README shows it, made from the registry so that it cannot drift."""

from topics.registry import TOPICS, Topic

BEGIN = "<!-- topics:begin -->"
END = "<!-- topics:end -->"
_HEAD = ("topic", "key", "partitioned by", "policy", "producer", "consumers", "says")


def markdown() -> str:
    """Return the table in Markdown, one row per topic in the registry's order, without a final newline."""
    rows = (_HEAD, ("---",) * len(_HEAD), *(_row(topic) for topic in TOPICS))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows)


def spliced(document: str) -> str:
    """Return the document with the table between its two markers; raises ValueError when it lacks them."""
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expected the lines {BEGIN} and {END}, in this order")
    return f"{before}{BEGIN}\n{markdown()}\n{END}{after}"


def _row(topic: Topic) -> tuple[str, ...]:
    says = (topic.record.__doc__ or "").partition("\n")[0]
    consumers = ", ".join(topic.consumers)
    return (
        f"`{topic.name}`",
        " + ".join(topic.key),
        topic.partitioned_by,
        topic.policy,
        topic.producer,
        consumers,
        says,
    )
