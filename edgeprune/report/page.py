"""What all pages of edgeprune share: one file with its style, sections, tables."""

from collections.abc import Iterable, Sequence

from edgeprune.report.markup import Markup, element, join, read_style

_NUMBER = {"class": "number"}


def compose_page(title: str, sections: Iterable[Markup | None]) -> str:
    """A page of sections, with its style; those that are None are left out."""
    page = element(
        "html",
        {"lang": "en"},
        element(
            "head",
            {},
            element("meta", {"charset": "utf-8"}),
            element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
            element("title", {}, f"{title} · edgeprune"),
            element("style", {}, Markup(read_style())),
        ),
        element("body", {}, *(section for section in sections if section is not None)),
    )
    return f"<!doctype html>\n{page}\n"


def draw_section(title: str, *parts: str) -> Markup:
    """A heading and what stands below it."""
    return element("section", {}, element("h2", {}, title), *parts)


def draw_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[int] = ()
) -> Markup:
    """A table that scrolls where it is too wide; `numbers` are the columns whose headings stand right."""
    head = [element("th", _NUMBER if i in numbers else {}, text) for i, text in enumerate(headings)]
    body = [element("tr", {}, *cells) for cells in rows]
    table = element(
        "table", {}, element("thead", {}, element("tr", {}, *head)), element("tbody", {}, join(body, "\n"))
    )
    return element("div", {"class": "scroll"}, table)
