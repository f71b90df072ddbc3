"""What the register says of periods, in words: "24 maanden na de laatste boeking", "45 days after the end of ...".

The public page and the difference between two versions speak with these.
"""

from __future__ import annotations

from typing import Literal

from sluis.privacy.periods import duration
from sluis.privacy.register import Category, Method, Words

Language = Literal["nl", "en"]
#: Singular and plural per unit and language. Dutch years and hours have no plural after a number.
_UNITS: dict[str, dict[Language, tuple[str, str]]] = {
    "years": {"nl": ("jaar", "jaar"), "en": ("year", "years")},
    "months": {"nl": ("maand", "maanden"), "en": ("month", "months")},
    "days": {"nl": ("dag", "dagen"), "en": ("day", "days")},
    "hours": {"nl": ("uur", "uur"), "en": ("hour", "hours")},
}
_LETTERS = {"Y": "years", "M": "months", "D": "days", "H": "hours"}
_AND: dict[Language, str] = {"nl": " en ", "en": " and "}
_AFTER: dict[Language, str] = {"nl": "{length} na {event}", "en": "{length} after {event}"}
_SAME_DAY: dict[Language, str] = {
    "nl": "tot en met de dag van {event}",
    "en": "until the end of the day of {event}",
}
_END_OF: dict[Language, str] = {"nl": "het einde van ", "en": "the end of "}
_NOBODY: dict[Language, str] = {"nl": "blijft staan: het gaat over niemand", "en": "stays: it is about nobody"}
_ADMINISTRATOR: dict[Language, str] = {
    "nl": "tot de beheerder het verwijdert",
    "en": "until the administrator deletes it",
}
_CONTRACT: dict[Language, str] = {
    "nl": "hoogstens zolang het contract met de webwinkel loopt",
    "en": "at most as long as the contract with the merchant lasts",
}


def period_words(period: str, language: Language) -> str:
    """Return an ISO 8601 duration in words, as it is written there (24 months are not called 2 years).

    Raises ``NotConfigured("period_impossible")`` for what is no period.
    """
    duration(period)
    parts: list[str] = []
    number = ""
    for letter in period:
        if letter.isdigit():
            number += letter
        elif number:
            one, more = _UNITS[_LETTERS[letter]][language]
            if int(number):
                parts.append(f"{int(number)} {one if int(number) == 1 else more}")
            number = ""
    if not parts:
        return f"0 {_UNITS['days'][language][1]}"
    return _AND[language].join(parts)


def event_words(category: Category, language: Language) -> str:
    """Return from what a category's period counts; the end of the quarter or year where the register says so."""
    if category.trigger is None:
        return ""
    event: str = getattr(category.trigger.event, language)
    if category.trigger.rounded == "none" or event.startswith(_END_OF[language]):
        return event
    return _END_OF[language] + event


def kept_words(category: Category, language: Language, own: str | None = None) -> str:
    """Return how long a category is kept; ``own`` is a merchant's own period, in the place of the register's."""
    period = own or category.period
    if period is not None:
        form = _AFTER if any(digit in period for digit in "123456789") else _SAME_DAY
        return form[language].format(length=period_words(period, language), event=event_words(category, language))
    if category.contract_end is not None:
        return _CONTRACT[language]
    return (_NOBODY if category.method is Method.NEVER else _ADMINISTRATOR)[language]


def both(kept: Category) -> Words:
    """Return how long a category is kept, in both languages."""
    return Words(nl=kept_words(kept, "nl"), en=kept_words(kept, "en"))
