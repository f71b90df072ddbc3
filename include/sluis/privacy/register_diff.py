"""What differs between two versions of the register, category by category, in words for people.

A change is to the disadvantage of a person when more is kept, longer, for more ends or by more parties, or when he or
his webshop may choose less. Where that cannot be told (a period that counts from another event) it is called one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from sluis.core.frozen import Frozen
from sluis.privacy.page_words import DATA, METHODS, PURPOSES, ROLES, SUBJECTS
from sluis.privacy.period_words import both, period_words
from sluis.privacy.periods import not_longer
from sluis.privacy.register import Category, Method, Register, Trigger, Words

_WEIGHT = ("none", "business", "pseudonymous", "personal")
_ROUNDED = ("none", "quarter", "year")


class Kind(StrEnum):
    """What sort of change it is."""

    CATEGORY_ADDED = "category_added"
    CATEGORY_REMOVED = "category_removed"
    PERIOD_LONGER = "period_longer"
    PERIOD_SHORTER = "period_shorter"
    COUNTED_FROM = "counted_from"
    CONTRACT_END_LONGER = "contract_end_longer"
    CONTRACT_END_SHORTER = "contract_end_shorter"
    BACKUP_WINDOW_LONGER = "backup_window_longer"
    BACKUP_WINDOW_SHORTER = "backup_window_shorter"
    FIELD_ADDED = "field_added"
    FIELD_REMOVED = "field_removed"
    FIELD_MOVED = "field_moved"
    RECIPIENT_ADDED = "recipient_added"
    RECIPIENT_REMOVED = "recipient_removed"
    PURPOSE_ADDED = "purpose_added"
    PURPOSE_REMOVED = "purpose_removed"
    SUBJECT_ADDED = "subject_added"
    SUBJECT_REMOVED = "subject_removed"
    DATA = "data"
    ROLE = "role"
    BASIS = "basis"
    METHOD = "method"
    CHOICE = "choice"
    WORDING = "wording"


class Change(Frozen):
    """One difference. ``worse``: to the disadvantage of a person; ``category`` is ``None`` for the whole register."""

    kind: Kind
    category: str | None
    words: Words
    worse: bool


class Difference(Frozen):
    """All that differs. ``before`` is the version compared with; ``None``: this is the first version."""

    before: int | None
    after: int
    changes: tuple[Change, ...]

    @property
    def worse(self) -> int:
        """How many changes are to the disadvantage of a person."""
        return sum(change.worse for change in self.changes)


def difference(before: Register | None, after: Register) -> Difference:
    """Compare two registers; ``before`` is ``None`` for the first version, which has no changes."""
    if before is None:
        return Difference(before=None, after=after.version, changes=())
    return Difference(before=before.version, after=after.version, changes=tuple(_changes(before, after)))


def _changes(before: Register, after: Register) -> Iterator[Change]:
    old, new = ({c.id: c for c in register.categories} for register in (before, after))
    yield from _length(
        None, before.backup_window, after.backup_window, (Kind.BACKUP_WINDOW_LONGER, Kind.BACKUP_WINDOW_SHORTER),
        Words(nl="Reservekopieën blijven", en="Backups are kept"), concerns=True,
    )  # fmt: skip
    for category in after.categories:
        if category.id not in old:
            words = Words(nl=f"Nieuw: {category.what.nl}", en=f"New: {category.what.en}")
            yield Change(kind=Kind.CATEGORY_ADDED, category=category.id, words=words, worse=_concerns(category))
        yield from _fields(old.get(category.id), category, before)
        if category.id in old:
            yield from _within(old[category.id], category)
    for name, category in old.items():
        if name not in new:
            words = Words(nl=f"Vervallen: {category.what.nl}", en=f"No longer there: {category.what.en}")
            yield Change(kind=Kind.CATEGORY_REMOVED, category=name, words=words, worse=False)
    gone = sorted(_held(before) - _held(after))
    for where, name in gone:
        yield Change(
            kind=Kind.FIELD_REMOVED, category=where, worse=False,
            words=Words(nl=f"Niet meer bewaard: {name}", en=f"No longer kept: {name}"),
        )  # fmt: skip


def _within(old: Category, new: Category) -> Iterator[Change]:
    yield from _period(old, new)
    for kind in (_recipients, _purposes, _subjects, _answering, _deleting, _wording):
        yield from kind(old, new)


def _concerns(category: Category) -> bool:
    """Whether a person can be worse off by it."""
    return category.data != "none"


def _change(kind: Kind, category: Category, nl: str, en: str, worse: bool) -> Change:
    return Change(kind=kind, category=category.id, words=Words(nl=nl, en=en), worse=worse and _concerns(category))


def _period(old: Category, new: Category) -> Iterator[Change]:
    longer, shorter = _longer(old.period, new.period), _longer(new.period, old.period)
    if longer or shorter:
        was, now = both(old), both(new)
        kind = Kind.PERIOD_LONGER if longer else Kind.PERIOD_SHORTER
        nl, en = ("Langer", "Longer") if longer else ("Korter", "Shorter")
        yield _change(kind, new, f"{nl}: {now.nl} (was: {was.nl})", f"{en}: {now.en} (was: {was.en})", longer)
    elif old.trigger is not None and new.trigger is not None and _counts_from(old.trigger) != _counts_from(new.trigger):
        was, now = both(old), both(new)
        sooner = old.trigger.column == new.trigger.column and _ROUNDED.index(new.trigger.rounded) < _ROUNDED.index(
            old.trigger.rounded
        )
        yield _change(
            Kind.COUNTED_FROM, new, f"Telt anders: {now.nl} (was: {was.nl})",
            f"Counts differently: {now.en} (was: {was.en})", not sooner,
        )  # fmt: skip
    yield from _length(
        new, old.contract_end, new.contract_end, (Kind.CONTRACT_END_LONGER, Kind.CONTRACT_END_SHORTER),
        Words(nl="Na het einde van het contract", en="After the end of the contract"), concerns=_concerns(new),
    )  # fmt: skip


def _length(
    category: Category | None,
    old: str | None,
    new: str | None,
    kinds: tuple[Kind, Kind],
    what: Words,
    *,
    concerns: bool,
) -> Iterator[Change]:
    grew, shrank = _longer(old, new), _longer(new, old)
    if not grew and not shrank:
        return
    nl = f"{what.nl}: {_named(new, 'nl')} (was: {_named(old, 'nl')})"
    en = f"{what.en}: {_named(new, 'en')} (was: {_named(old, 'en')})"
    yield Change(
        kind=kinds[0] if grew else kinds[1], category=category.id if category else None, words=Words(nl=nl, en=en),
        worse=grew and concerns,
    )  # fmt: skip


def _named(period: str | None, language: str) -> str:
    if period is None:
        return "geen termijn" if language == "nl" else "no period"
    return period_words(period, "nl" if language == "nl" else "en")


def _longer(one: str | None, other: str | None) -> bool:
    """Whether ``other`` is longer than ``one``; no period is the longest."""
    if one is None:
        return False
    return other is None or not not_longer(other, one)


def _counts_from(trigger: Trigger) -> tuple[str | None, str]:
    return trigger.column, trigger.rounded


def _held(register: Register) -> set[tuple[str, str]]:
    """Return (category, place) of everything held, leaving out places that another category took over."""
    places: dict[str, str] = {place: category.id for category in register.categories for place in places_of(category)}
    return {(category, place) for place, category in places.items()}


def places_of(category: Category) -> Sequence[str]:
    """Name everything a category is about: ``table.column``, ``files: pattern``, ``place`` or ``place: table``."""
    named: list[str] = []
    for place in category.places:
        if place.table is not None:
            named += [f"{place.table}.{column}" for column in place.columns]
        elif place.files is not None:
            named.append(f"files: {place.files}")
        elif place.tables:
            named += [f"{place.third}: {table}" for table in place.tables]
        else:
            named.append(str(place.third))
    return named


def _fields(old: Category | None, new: Category, before: Register) -> Iterator[Change]:
    """Yield what is new in a category: not kept before, or kept before under another category."""
    were = {place: category for category in before.categories for place in places_of(category)}
    for place in places_of(new):
        home = were.get(place)
        if home is None and old is not None:
            nl, en = f"Nieuw veld: {place}", f"New field: {place}"
            yield _change(Kind.FIELD_ADDED, new, nl, en, True)
        elif home is not None and home.id != new.id:
            was, now = both(home), both(new)
            yield _change(
                Kind.FIELD_MOVED, new, f"{place}: {now.nl} (was: {was.nl})", f"{place}: {now.en} (was: {was.en})",
                _longer(home.period, new.period) or (was != now and not _longer(new.period, home.period)),
            )  # fmt: skip


def _recipients(old: Category, new: Category) -> Iterator[Change]:
    known, now = {words.en for words in old.recipients}, {words.en for words in new.recipients}
    for words in new.recipients:
        if words.en not in known:
            yield _change(
                Kind.RECIPIENT_ADDED, new, f"Nieuwe ontvanger: {words.nl}", f"New recipient: {words.en}", True
            )
    for words in old.recipients:
        if words.en not in now:
            yield _change(
                Kind.RECIPIENT_REMOVED, new, f"Geen ontvanger meer: {words.nl}", f"No recipient any more: {words.en}",
                False,
            )  # fmt: skip


def _purposes(old: Category, new: Category) -> Iterator[Change]:
    for purpose in new.purposes:
        if purpose not in old.purposes:
            words = PURPOSES[purpose]
            yield _change(Kind.PURPOSE_ADDED, new, f"Nieuw doel: {words.nl}", f"New purpose: {words.en}", True)
    for purpose in old.purposes:
        if purpose not in new.purposes:
            words = PURPOSES[purpose]
            nl, en = f"Geen doel meer: {words.nl}", f"No purpose any more: {words.en}"
            yield _change(Kind.PURPOSE_REMOVED, new, nl, en, False)


def _subjects(old: Category, new: Category) -> Iterator[Change]:
    for subject in new.subjects:
        if subject not in old.subjects:
            words = SUBJECTS[subject]
            nl, en = f"Gaat nu ook over {words.nl}", f"Is now also about {words.en}"
            yield _change(Kind.SUBJECT_ADDED, new, nl, en, True)
    for subject in old.subjects:
        if subject not in new.subjects:
            words = SUBJECTS[subject]
            nl, en = f"Gaat niet meer over {words.nl}", f"Is no longer about {words.en}"
            yield _change(Kind.SUBJECT_REMOVED, new, nl, en, False)
    if old.data != new.data:
        was, now = DATA[old.data], DATA[new.data]
        worse = _WEIGHT.index(new.data) > _WEIGHT.index(old.data)
        yield _change(
            Kind.DATA, new, f"Nu {now.nl} (was: {was.nl})", f"Now {now.en} (was: {was.en})", worse
        )  # fmt: skip


def _answering(old: Category, new: Category) -> Iterator[Change]:
    if old.role != new.role:
        was, now = ROLES[old.role], ROLES[new.role]
        yield _change(
            Kind.ROLE, new, f"Wij zijn nu {now.nl} (was: {was.nl})", f"We are now {now.en} (was: {was.en})",
            new.role == "controller",
        )  # fmt: skip
    if old.basis != new.basis:
        yield _change(
            Kind.BASIS, new, f"Andere grondslag: {new.basis.nl} (was: {old.basis.nl})",
            f"Another legal basis: {new.basis.en} (was: {old.basis.en})", False,
        )  # fmt: skip


def _deleting(old: Category, new: Category) -> Iterator[Change]:
    if (old.method, old.deleter_name) != (new.method, new.deleter_name):
        was, now = METHODS[old.method], METHODS[new.method]
        worse = new.method in (Method.BY_OTHERS, Method.NEVER) and new.method is not old.method
        yield _change(
            Kind.METHOD, new, f"Anders verwijderd: {now.nl} (was: {was.nl})",
            f"Deleted differently: {now.en} (was: {was.en})", worse,
        )  # fmt: skip
    if old.shorten != new.shorten:
        nl, en = (
            ("Een webwinkel mag nu een kortere termijn kiezen", "A merchant may now choose a shorter period")
            if new.shorten
            else ("Een webwinkel mag niet meer korter kiezen", "A merchant may no longer choose a shorter period")
        )
        yield _change(Kind.CHOICE, new, nl, en, not new.shorten)
    elif (old.shortest or "P0D") != (new.shortest or "P0D"):
        least, least_now = old.shortest or "P0D", new.shortest or "P0D"
        yield _change(
            Kind.CHOICE, new,
            f"Kortste termijn die een webwinkel kan kiezen: {_named(least_now, 'nl')} (was: {_named(least, 'nl')})",
            f"Shortest period that a merchant can choose: {_named(least_now, 'en')} (was: {_named(least, 'en')})",
            _longer(least, least_now),
        )  # fmt: skip


def _wording(old: Category, new: Category) -> Iterator[Change]:
    """Yield one change where only texts differ: so that nothing in the file changes without being told."""
    events = (old.trigger.event if old.trigger else None, new.trigger.event if new.trigger else None)
    if old.what != new.what or old.how != new.how or (events[0] != events[1] and None not in events):
        yield _change(
            Kind.WORDING, new, f"Anders omschreven: {new.what.nl}", f"Described differently: {new.what.en}", False
        )
