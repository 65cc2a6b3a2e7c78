"""What a page is made of: sections of texts, tables and pictures; a template draws them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes:
        text: what it says.
        detail: smaller, beside it: an interval, a unit.
        tone: `number` to align right, `quiet` for what is missing or beside the point, `loud` for
            what needs someone, `whole` for what must stay on one line, `prose`
            for sentences.
    """

    text: str
    detail: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Table:
    """Rows under a header; the first cell of a row is its name.

    Attributes:
        caption: what it shows.
        header: names of the columns.
        rows: their cells.
        marked: places of the rows that stand out.
        note: below it.
        folded: what to press to see it; empty: it is open.
    """

    kind: ClassVar[str] = "table"
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marked: frozenset[int] = field(default_factory=frozenset)
    note: str = ""
    folded: str = ""


@dataclass(frozen=True)
class Picture:
    """An image that is part of the page.

    Attributes:
        figure: in the style of `canvas`.
        alt: what it shows, for those who don't see it.
        caption: what to see in it.
    """

    kind: ClassVar[str] = "picture"
    figure: Figure
    alt: str
    caption: str


@dataclass(frozen=True)
class Gallery:
    """Small pictures, as many side by side as there is room for."""

    kind: ClassVar[str] = "gallery"
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Caution:
    """A paragraph that limits what the page may be used for."""

    kind: ClassVar[str] = "caution"
    text: str


@dataclass(frozen=True)
class Heading:
    """A heading within a section."""

    kind: ClassVar[str] = "heading"
    text: str


@dataclass(frozen=True)
class Facts:
    """Names with their texts."""

    kind: ClassVar[str] = "facts"
    items: tuple[tuple[str, str], ...]


Block = Table | Picture | Gallery | Text | Caution | Heading | Facts


@dataclass(frozen=True)
class Section:
    """One entry of the table of contents.

    Attributes:
        anchor: its address within the page.
        title: its heading.
        answer: what it finds, in a sentence or two, before any figure.
        blocks: in order.
    """

    anchor: str
    title: str
    answer: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class KeyFigure:
    """A large number at the top of the page."""

    name: str
    value: str
    interval: str
    beside: str


@dataclass(frozen=True)
class Page:
    """The whole page."""

    title: str
    subtitle: str
    answer: str
    sentences: tuple[str, ...]
    key_figures: tuple[KeyFigure, ...]
    cautions: tuple[str, ...]
    sections: tuple[Section, ...]
    footer: str
