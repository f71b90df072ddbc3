"""Invented persons, always the same ones for the same seed; mail addresses only at example.com and example.nl.

Names come from the short lists below, telephone numbers are all zeros, so that nobody is hit by accident.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

FIRST = (
    "Aafke", "Bas", "Chris", "Daan", "Eefje", "Floor", "Guus", "Hanna", "Ids", "Jente", "Koen", "Lotte", "Mees",
    "Noor", "Olaf", "Puck", "Quinten", "Roos", "Sam", "Teun", "Ulla", "Vera", "Wout", "Xander", "Yara", "Zeger",
)  # fmt: skip
LAST = (
    "Akkerman", "Brug", "Dijkgraaf", "Elzinga", "Fuik", "Gracht", "Haven", "Imker", "Jol", "Kade", "Loods",
    "Molenaar", "Noorder", "Overzet", "Polder", "Riet", "Schutsluis", "Terp", "Uiterwaard", "Vaart", "Waterman",
    "Zeedijk",
)  # fmt: skip
STREETS = (
    "Havenkade", "Kerkstraat", "Molenweg", "Sluisweg", "Stationsplein", "Vaartlaan", "Waagplein", "Zeedijk",
)  # fmt: skip
COMPANIES = (
    "Bakkerij", "Bloemen", "Drukkerij", "Fietsen", "Hoveniers", "Kaas", "Meubelen", "Textiel",
)  # fmt: skip

#: country -> (postcode pattern, where ``#`` is a digit and ``@`` a letter; towns)
PLACES: dict[str, tuple[str, tuple[str, ...]]] = {
    "NL": ("#### @@", ("Utrecht", "Zwolle", "Delft", "Leiden", "Gouda", "Breda", "Assen", "Hoorn")),
    "BE": ("####", ("Gent", "Leuven", "Brugge")),
    "DE": ("#####", ("Bremen", "Münster", "Jena")),
    "FR": ("#####", ("Lille", "Nantes", "Dijon")),
    "ES": ("28###", ("Madrid",)),
    "IE": ("D## @###", ("Dublin",)),
    "CH": ("####", ("Bern", "Basel")),
    "NO": ("####", ("Bergen", "Oslo")),
    "US": ("#####", ("Springfield", "Portland")),
}


@dataclass(frozen=True)
class Person:
    """An invented customer in the fields of a WooCommerce address."""

    first_name: str
    last_name: str
    company: str
    address_1: str
    city: str
    postcode: str
    country: str
    email: str

    def billing(self) -> dict[str, str]:
        """Return the person as WooCommerce's ``billing`` object."""
        return {**self.shipping(), "email": self.email, "phone": "0000000000"}

    def shipping(self) -> dict[str, str]:
        """Return the person as WooCommerce's ``shipping`` object."""
        return {
            "first_name": self.first_name,
            "last_name": self.last_name,
            "company": self.company,
            "address_1": self.address_1,
            "address_2": "",
            "city": self.city,
            "state": "",
            "postcode": self.postcode,
            "country": self.country,
            "phone": "",
        }


def dice(*seed: object) -> Random:
    """Return a generator that always throws the same for the same seed."""
    return Random(":".join(str(part) for part in seed))  # noqa: S311 - invented data, not a secret


def person(seed: object, key: object, country: str = "NL", *, business: bool = False) -> Person:
    """Return the one person that belongs to this seed and key. ``country`` is an ISO 3166-1 code of ``PLACES``."""
    throw = dice("person", seed, key)
    pattern, towns = PLACES.get(country, PLACES["NL"])
    first, last = throw.choice(FIRST), throw.choice(LAST)
    postcode = "".join(_character(throw, mark, index) for index, mark in enumerate(pattern))
    name = str(key).lower().replace(" ", "-")
    return Person(
        first_name=first,
        last_name=last,
        company=f"{throw.choice(COMPANIES)} {last}" if business else "",
        address_1=f"{throw.choice(STREETS)} {throw.randint(1, 240)}",
        city=throw.choice(towns),
        postcode=postcode,
        country=country,
        email=f"{first}.{last}.{name}@example.{'nl' if country == 'NL' else 'com'}".lower(),
    )


def _character(throw: Random, mark: str, index: int) -> str:
    if mark == "#":
        return str(throw.randint(1 if index == 0 else 0, 9))
    return throw.choice("ABCDEGHJKLMNPRSTVWXZ") if mark == "@" else mark
