"""The words of the statistics' page, in Dutch and English."""

from __future__ import annotations

from collections.abc import Mapping

from sluis.statistics import door
from sluis.statistics.contract import Family, Step
from sluis.statistics.dictionary import Words

TEXTS: Mapping[str, Words] = {
    "title": Words("Revenue and VAT of webshops, anonymous", "Omzet en btw van webwinkels, anoniem"),
    "languages": Words("Language", "Taal"),
    "other_language": Words("Nederlands", "English"),
    "lead": Words(
        "What webshops sold and took back, per quarter, with the VAT on it: added up over all enterprises whose orders "
        "pass through sluis and who agreed to it. No enterprise can be worked out from it, also not by somebody who "
        "knows his own figures or those of a whole platform.",
        "Wat webwinkels verkochten en terugnamen, per kwartaal, met de btw daarop: opgeteld over alle ondernemingen "
        "waarvan de bestellingen door sluis gaan en die daarmee instemden. Geen onderneming is eruit af te leiden, ook "
        "niet door wie zijn eigen cijfers kent of die van een heel platform.",
    ),
    "nothing": Words("Nothing is published yet.", "Er is nog niets gepubliceerd."),
    "release": Words(
        "Release {number}, {quarter}, published on {day}", "Uitgave {number}, {quarter}, gepubliceerd op {day}"
    ),
    "provisional": Words(
        "Provisional: the books of some shops had not reached the end of the quarter. What came later counts in the "
        "next one; this release does not change.",
        "Voorlopig: de boeken van sommige winkels waren nog niet bij tot het eind van het kwartaal. Wat later kwam "
        "telt mee in het volgende; deze uitgave verandert niet.",
    ),
    "too_few": Words(
        "Too few: fewer than {least} enterprises took part. Nothing can be told of so few without telling of one.",
        "Te weinig: er deden minder dan {least} ondernemingen mee. Over zo weinig is niets te zeggen zonder iets over "
        "één te zeggen.",
    ),
    "rounding": Words(
        "Amounts are without VAT, in euros, each rounded to EUR {step}; so parts need not add up to a total. Sales and "
        "refunds are told apart.",
        "Bedragen zijn zonder btw, in euro's, elk afgerond op EUR {step}; delen tellen dus niet altijd op tot een "
        "totaal. Verkopen en terugnames staan apart.",
    ),
    "hidden": Words("not published", "niet gepubliceerd"),
    "hidden_means": Words(
        "Not published is not zero. A cell is left out when fewer than {least} enterprises stand in it, when one of "
        "them outweighs the others, or when it would give such a cell away. Which of these it is, is not told. "
        "In a chart it is hatched, or left out.",
        "Niet gepubliceerd is niet nul. Een cel blijft weg als er minder dan {least} ondernemingen in staan, als één "
        "ervan de andere overheerst, of als zij zo'n cel zou verraden. Welke van die het is, staat er niet bij. "
        "In een grafiek is zij gearceerd, of ontbreekt zij.",
    ),
    "amount": Words("without VAT", "zonder btw"),
    "vat": Words("VAT", "btw"),
    "enterprises": Words("enterprises", "ondernemingen"),
    "over_time": Words("Quarter by quarter", "Per kwartaal"),
    "quarter": Words("quarter", "kwartaal"),
    "figures": Words("The figures", "De cijfers"),
    "not_listed": Words("Not published ({count}):", "Niet gepubliceerd ({count}):"),
    "all_hidden": Words("Nothing of this table is published.", "Van deze tabel is niets gepubliceerd."),
    "total": Words("total", "totaal"),
    "year": Words("The year {year}", "Het jaar {year}"),
    "year_means": Words(
        "The sum of four published quarters; where one of them is not published, neither is the year.",
        "De som van vier gepubliceerde kwartalen; waar één daarvan niet gepubliceerd is, is het jaar dat ook niet.",
    ),
    "refused": Words(
        "{count} document(s) are not in the figures: what they said could not be counted ({reasons}).",
        "{count} document(en) zitten niet in de cijfers: wat erin stond was niet te tellen ({reasons}).",
    ),
    "proof": Words("This release can be checked", "Deze uitgave is na te gaan"),
    "proof_text": Words(
        "A release is never changed. Its text has the SHA-256 below, and names that of the release before.",
        "Een uitgave verandert nooit. Haar tekst heeft de SHA-256 hieronder, en noemt die van de uitgave ervoor.",
    ),
    "before": Words("the release before:", "de uitgave ervoor:"),
    "first": Words("This is the first one.", "Dit is de eerste."),
    "made": Words("Page made on {day}.", "Pagina gemaakt op {day}."),
    "chart_desc": Words(
        "{published} published, {hidden} not published.", "{published} gepubliceerd, {hidden} niet gepubliceerd."
    ),
}  # fmt: skip

FAMILIES: Mapping[Family, Words] = {
    Family.SALES: Words("Sales", "Verkopen"),
    Family.REFUNDS: Words("Refunds", "Terugnames"),
}
DIMENSIONS: Mapping[str, Words] = {
    "country": Words("country", "land"),
    "vat_rate": Words("VAT rate", "btw-tarief"),
    "platform": Words("platform", "platform"),
    "package": Words("package", "pakket"),
}
STEPS: Mapping[Step, Words] = {
    Step.ALL: Words("", ""),
    Step.ONE_WAY: Words(
        "This quarter only tables of one dimension could be made safe.",
        "Dit kwartaal waren alleen tabellen van één dimensie veilig te maken.",
    ),
    Step.TOTAL: Words(
        "This quarter only the total could be made safe.", "Dit kwartaal was alleen het totaal veilig te maken."
    ),
    Step.NOTHING: Words("This quarter nothing could be made safe.", "Dit kwartaal was niets veilig te maken."),
}
#: Why the door refused a document, by its code.
REASONS: Mapping[str, Words] = {
    door.FIGURES_EXPIRED: Words("its figures had expired", "de cijfers waren verlopen"),
    door.NOT_IN_EURO: Words("not in euros", "niet in euro's"),
    door.NEGATIVE_AMOUNT: Words("less than nothing in all", "samen minder dan nul"),
    door.UNKNOWN_COUNTRY: Words("an unknown country", "een onbekend land"),
    door.RATE_NOT_IN_LAW: Words("a rate that was no law there", "een tarief dat daar geen wet was"),
    door.VAT_NOT_OF_RATE: Words("VAT that is not the rate of the amount", "btw die niet het tarief van het bedrag is"),
}
