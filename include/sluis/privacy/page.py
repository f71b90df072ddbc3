"""The public page: which data we keep and for how long, from the register, as one self-contained HTML file.

Nothing is loaded from elsewhere and nothing runs: one style sheet inside, allowed by its hash in the page's own content
security policy. Both languages stand in one file; which one shows is a matter of the anchor in the address, so that a
link to ``#en`` opens English. Every word passes the template's escaping.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from sluis.core.frozen import Frozen
from sluis.privacy.page_words import (
    CHAPTERS,
    DATA,
    METHODS,
    MONTHS,
    NOT_KEPT,
    PURPOSES,
    ROLES,
    SUBJECTS,
    TEXTS,
)
from sluis.privacy.period_words import Language, kept_words, period_words
from sluis.privacy.register import Category, Published, Purpose, Words
from sluis.privacy.register_diff import Difference
from sluis.store.register_events import citation

Languages = Literal["nl", "en", "both"]
#: UNLOGGED, so pg_dump leaves its rows out (``--no-unlogged-table-data``).
_NOT_IN_BACKUPS = frozenset({"transit_chunk"})
_HERE = Path(__file__).parent


class Standing(Frozen):
    """What the page says that the register does not know. ``on`` is the day it is made, UTC."""

    on: date
    holds: int | None = None  #: in force on that day; ``None``: made without the database
    merchant: str | None = None  #: whose own page it is, by code
    own_periods: Mapping[str, str] = {}  #: of that merchant: category -> ISO 8601 duration, those in force


class _Texts:
    """The fixed words in one language, and what forms whole phrases with them."""

    def __init__(self, language: Language, published: Published, standing: Standing, changes: Difference) -> None:
        self.language = language
        self.register = published.register_
        self.standing = standing
        self.changes = changes

    def __getitem__(self, name: str) -> str:
        return self.of(TEXTS[name])

    def of(self, words: Words) -> str:
        """Return a text of the register in this language."""
        return words.nl if self.language == "nl" else words.en

    def form(self, name: str, **values: object) -> str:
        """Return a sentence with its blanks filled."""
        return self[name].format(**values)

    def day(self, value: date) -> str:
        """Return a date in words."""
        return f"{value.day} {MONTHS[self.language][value.month - 1]} {value.year}"

    def length(self, period: str) -> str:
        """Return a period in words."""
        return period_words(period, self.language)

    def chapters(self) -> Sequence[tuple[Purpose, str, Sequence[Category]]]:
        """Return the chapters that hold anything, each with the categories whose first purpose it is."""
        found = [
            (purpose, self.of(title), [c for c in self.register.categories if c.purposes[0] is purpose])
            for purpose, title in CHAPTERS.items()
        ]
        return [chapter for chapter in found if chapter[2]]

    def exceptions(self) -> Sequence[Category]:
        """Return where a customer can stand by name."""
        return [c for c in self.register.categories if c.data == "personal" and "customer" in c.subjects]

    def not_kept(self) -> Sequence[str]:
        """Return what is not stored of a customer."""
        return [self.of(words) for words in NOT_KEPT]

    def holds(self) -> str:
        """Return the sentence about holds."""
        count = self.standing.holds
        if count is None:
            return self["holds_unknown"]
        name = "holds_none" if count == 0 else "holds_one" if count == 1 else "holds_many"
        return self.form(name, date=self.day(self.standing.on), count=count)

    def own(self, category: Category) -> str | None:
        """Return the merchant's own period for a category, where this is his page and he has one."""
        return self.standing.own_periods.get(category.id) if self.standing.merchant else None

    def kept(self, category: Category) -> str:
        """Return how long it is kept: by the merchant's own period on his page."""
        return _sentence(kept_words(category, self.language, self.own(category)))

    def kept_notes(self, category: Category) -> Sequence[str]:
        """Return what else is to be known of how long."""
        notes: list[str] = []
        if self.own(category):
            notes.append(self.form("own_instead", kept=kept_words(category, self.language)))
        elif category.shorten and category.shortest and any(digit in category.shortest for digit in "123456789"):
            notes.append(self.form("shorten_to", length=self.length(category.shortest)))
        elif category.shorten:
            notes.append(self["shorten"])
        if category.contract_end:
            notes.append(self.form("contract_end", length=self.length(category.contract_end)))
        tables = {place.table for place in category.places if place.table} - _NOT_IN_BACKUPS
        if tables and category.data != "none":
            notes.append(self.form("in_backups", length=self.length(self.register.backup_window)))
        return notes

    def says(self, category: Category) -> str:
        """Return what it says of whom."""
        what = self.of(DATA[category.data])
        if not category.subjects:
            return _sentence(what)
        whom = self.listed([self.of(SUBJECTS[subject]) for subject in category.subjects])
        return _sentence(f"{what}, {self.form('about', whom=whom)}")

    def also_for(self, category: Category) -> str:
        """Return its other purposes, empty where it has one."""
        others = [self.of(PURPOSES[purpose]) for purpose in category.purposes[1:]]
        return self.form("also_for", purposes=self.listed(others)) if others else ""

    def method(self, category: Category) -> str:
        """Return how it is deleted."""
        return _sentence(self.of(METHODS[category.method]))

    def role(self, category: Category) -> str:
        """Return in which role it is held."""
        return _sentence(self.of(ROLES[category.role]))

    def places(self, category: Category) -> Sequence[tuple[str, Sequence[str]]]:
        """Return where it stands: a table, root or third place, each with what is in it."""
        found: list[tuple[str, Sequence[str]]] = []
        for place in category.places:
            if place.files is not None:
                found.append((self["files"], (place.files,)))
            else:
                found.append((place.table or place.third or "", place.columns or place.tables))
        return found

    def listed(self, words: Sequence[str]) -> str:
        """Return words as a list in a sentence."""
        last = " en " if self.language == "nl" else " and "
        return last.join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

    def change_of(self, name: str | None) -> str:
        """Return which category a change is about, in its words where it is still there."""
        if name is None:
            return self["whole"]
        known = [self.of(c.what) for c in self.register.categories if c.id == name]
        return known[0] if known else name


def render(published: Published, changes: Difference, standing: Standing, languages: Languages = "both") -> str:
    """Return the page. ``languages``: one, or both with a switch between them."""
    chosen: tuple[Language, ...] = ("nl", "en") if languages == "both" else (languages,)
    register = published.register_
    cited = citation(register.version, register.date, published.sha256)
    style = (_HERE / "page.css").read_text(encoding="utf-8").replace("CITATION", cited)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _template().render(
        sections=[_Texts(language, published, standing, changes) for language in chosen],
        languages=chosen,
        switch=len(chosen) > 1,
        register=register,
        standing=standing,
        changes=changes,
        citation=cited,
        style=Markup(style),  # noqa: S704 - ours, with the version, date and hash of the register: digits and letters
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.jinja")


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
