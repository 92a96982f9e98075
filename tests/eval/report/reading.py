"""A page taken apart by the standard library's parser: its elements, their attributes and texts, and its tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

#: Elements without an end tag.
VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())


@dataclass
class Element:
    """One element: ``text`` is its own and its children's."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        """All elements inside, in the order of the page."""
        for child in self.children:
            yield child
            yield from child.walk()

    def find(self, tag: str, kind: str = "", **attributes: str) -> list[Element]:
        """All elements inside of this tag, of the class ``kind`` and with these attributes."""
        return [
            element
            for element in self.walk()
            if element.tag == tag
            and (not kind or kind in element.attributes.get("class", "").split())
            and attributes.items() <= element.attributes.items()
        ]

    def rows(self) -> list[list[str]]:
        """Texts of a table's cells, blanks folded."""
        return [[" ".join(c.text.split()) for c in row.children] for row in self.find("tr")]


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("page", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag in ("br", "small"):  # parts what stands before and after
            self.handle_data(" ")
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.text += data


def read_page(text: str) -> Element:
    """The page's root. Fails where an element is closed that is not open, or never closed."""
    parser = _Parser()
    parser.feed(text)
    parser.close()
    assert [element.tag for element in parser.open] == ["page"], "elements are left open"
    return parser.open[0]


def section(page: Element, name: str) -> Element:
    """A section by the id of its heading."""
    (found,) = page.find("section", **{"aria-labelledby": name})
    return found


def table(root: Element, caption: str) -> list[list[str]]:
    """Rows of the only table inside whose caption begins so."""
    (found,) = [t for t in root.find("table") if t.find("caption")[0].text.strip().startswith(caption)]
    return found.rows()
