"""The fixed words of the public page, in Dutch and English, and the order of its chapters.

The register brings its own words per category; what stands here is what the register only has a code for, and what the
page says about itself.
"""

from __future__ import annotations

from collections.abc import Mapping

from sluis.privacy.register import Method, Purpose, Words

#: The chapters, in the order of the promise on the original's page, then what the law adds.
CHAPTERS: Mapping[Purpose, Words] = {
    Purpose.SAME_DEBTOR: Words(
        nl="(i) Om op dezelfde debiteur te boeken, en nooit dubbel",
        en="(i) To book on the same debtor, and never twice",
    ),
    Purpose.SUPPORT: Words(nl="(ii) Om support te kunnen leveren", en="(ii) To be able to give support"),
    Purpose.OWN_INVOICING: Words(nl="(iii) Om onze klanten te factureren", en="(iii) To invoice our customers"),
    Purpose.ANONYMOUS_STATISTICS: Words(
        nl="Voor anonieme statistiek van omzet en btw", en="For anonymous statistics of turnover and VAT"
    ),
    Purpose.SECURITY: Words(
        nl="Voor beveiliging, herstel en verantwoording", en="For security, recovery and accountability"
    ),
    Purpose.PASS_THROUGH: Words(
        nl="Om bestellingen door te kunnen zetten", en="To be able to pass orders on"
    ),
}  # fmt: skip
PURPOSES: Mapping[Purpose, Words] = {
    Purpose.SAME_DEBTOR: Words(nl="dezelfde debiteur", en="same debtor"),
    Purpose.SUPPORT: Words(nl="support", en="support"),
    Purpose.OWN_INVOICING: Words(nl="eigen facturatie", en="own invoicing"),
    Purpose.ANONYMOUS_STATISTICS: Words(nl="anonieme statistiek", en="anonymous statistics"),
    Purpose.SECURITY: Words(nl="beveiliging en verantwoording", en="security and accountability"),
    Purpose.PASS_THROUGH: Words(nl="doorzetten van bestellingen", en="passing orders on"),
}
ROLES: Mapping[str, Words] = {
    "processor": Words(nl="verwerker", en="processor"),
    "controller": Words(nl="verwerkingsverantwoordelijke", en="controller"),
}
DATA: Mapping[str, Words] = {
    "personal": Words(nl="persoonsgegevens", en="personal data"),
    "pseudonymous": Words(
        nl="persoonsgegevens onder een pseudoniem, zonder naam of adres",
        en="personal data under a pseudonym, without name or address",
    ),
    "business": Words(nl="zakelijke gegevens", en="business data"),
    "none": Words(nl="geen persoonsgegevens", en="no personal data"),
}
SUBJECTS: Mapping[str, Words] = {
    "customer": Words(nl="klanten van webwinkels", en="customers of webshops"),
    "merchant": Words(nl="webwinkels", en="merchants"),
    "operator": Words(nl="wie het systeem bedient", en="those who operate the system"),
}
METHODS: Mapping[Method, Words] = {
    Method.DROP_PARTITION: Words(
        nl="de hele maand of het hele kwartaal in één keer uit de database",
        en="the whole month or quarter at once from the database",
    ),
    Method.DELETE_ROWS: Words(nl="rijen uit de database", en="rows from the database"),
    Method.EMPTY_COLUMNS: Words(nl="velden leeggemaakt in de database", en="fields emptied in the database"),
    Method.DELETE_FILES: Words(nl="bestanden verwijderd", en="files deleted"),
    Method.AT_ONCE: Words(nl="meteen", en="at once"),
    Method.CLEAN_AIRFLOW: Words(nl="opgeschoond in Airflow", en="cleaned in Airflow"),
    Method.BY_OTHERS: Words(nl="niet door dit programma", en="not by this program"),
    Method.NEVER: Words(nl="niet verwijderd", en="not deleted"),
}

#: Sentences and labels of the page. ``{}`` forms are filled by the page.
TEXTS: Mapping[str, Words] = {
    "title": Words(nl="Welke gegevens bewaren wij en hoe lang?", en="Which data do we keep, and for how long?"),
    "for_merchant": Words(nl="Voor webwinkel {code}", en="For merchant {code}"),
    "version": Words(nl="Versie {version} van {date}", en="Version {version} of {date}"),
    "other_language": Words(nl="Read this in English", en="Lees dit in het Nederlands"),
    "languages": Words(nl="Taal", en="Language"),
    "contents": Words(nl="Op deze pagina", en="On this page"),
    "intro": Words(
        nl="Bestellingen gaan van een webwinkel naar zijn boekhoudpakket. Deze pagina noemt alles wat daarvan bij ons"
        " blijft staan, waarvoor, en wanneer het verdwijnt. Zij is gemaakt uit hetzelfde register dat het verwijderen"
        " elke dag aanstuurt.",
        en="Orders pass from a webshop to its accounting package. This page names everything of them that stays with"
        " us, what for, and when it goes. It is made from the same register that drives the deleting every day.",
    ),
    "not_kept": Words(nl="Wat wij niet bewaren", en="What we do not keep"),
    "not_kept_intro": Words(
        nl="Het overgrote deel van wat langskomt slaan wij niet op. Van klanten van webwinkels houden wij niet:",
        en="By far the most of what passes is not stored. Of customers of webshops we do not keep:",
    ),
    "exceptions": Words(
        nl="Alleen hier kan een klant toch met naam in staan:",
        en="Only here can a customer nevertheless stand by name:",
    ),
    "pseudonyms": Words(
        nl="Wat verder over klanten gaat staat onder een versleutelde afdruk of een bestelnummer. Ook dat is een"
        " persoonsgegeven, en het verdwijnt dus ook.",
        en="Whatever else is about customers stands under a keyed hash or an order number. That is personal data too,"
        " and so it goes as well.",
    ),
    "roles": Words(nl="In welke rol, en bij wie u terechtkunt", en="In which role, and whom to ask"),
    "role_processor": Words(
        nl="Verwerker: wij werken in opdracht van de webwinkel. Wie als klant zijn gegevens wil inzien, verbeteren of"
        " laten verwijderen, vraagt dat de webwinkel; wij voeren het voor hem uit.",
        en="Processor: we work on the merchant's instruction. A customer who wants to see, correct or delete his data"
        " asks the webshop; we carry it out for it.",
    ),
    "role_controller": Words(
        nl="Verwerkingsverantwoordelijke: wij bepalen zelf waarvoor, bijvoorbeeld voor onze eigen facturen. Daarvoor"
        " vraagt u ons.",
        en="Controller: we decide ourselves what for, for our own invoices for instance. For that you ask us.",
    ),
    "backups": Words(nl="Reservekopieën", en="Backups"),
    "backups_text": Words(
        nl="Wat uit de database verdwijnt, staat nog in de reservekopieën van daarvoor. Die bewaren wij {window}."
        " De langste tijd is dus de termijn hieronder plus {window}; in de tabel staat dat erbij. Bestellingen onderweg"
        " komen in geen reservekopie. Wordt een kopie teruggezet, dan wordt eerst opnieuw verwijderd wat sindsdien al"
        " weg was.",
        en="What goes from the database still stands in the backups made before. We keep those for {window}. So the"
        " longest time is the period below plus {window}; the table says where. Orders in transit reach no backup. When"
        " a backup is restored, what had gone since is deleted again first.",
    ),
    "holds": Words(nl="Tijdelijk vastgehouden", en="Held for now"),
    "holds_unknown": Words(
        nl="Hoeveel opdrachten er nu gelden om iets nog niet te verwijderen, is op deze uitgave niet bekend: zij is"
        " gemaakt zonder de database.",
        en="How many holds are in force now, orders not to delete something yet, is not known to this copy: it was made"
        " without the database.",
    ),
    "holds_none": Words(
        nl="Op {date} gold er 0 keer een opdracht om iets langer vast te houden dan hieronder staat.",
        en="On {date} there were 0 holds in force: nothing is kept longer than it says below.",
    ),
    "holds_one": Words(
        nl="Op {date} gold er 1 opdracht om iets langer vast te houden, bijvoorbeeld voor een geschil of onderzoek. Zij"
        " heeft een reden, een verantwoordelijke en een einddatum.",
        en="On {date} there was 1 hold in force, to keep something longer, for a dispute or an inspection for instance."
        " It has a reason, somebody who answers for it, and an end.",
    ),
    "holds_many": Words(
        nl="Op {date} golden er {count} opdrachten om iets langer vast te houden, bijvoorbeeld voor een geschil of"
        " onderzoek. Elk heeft een reden, een verantwoordelijke en een einddatum.",
        en="On {date} there were {count} holds in force, to keep something longer, for a dispute or an inspection for"
        " instance. Each has a reason, somebody who answers for it, and an end.",
    ),
    "own_periods": Words(nl="Uw eigen termijnen", en="Your own periods"),
    "own_none": Words(
        nl="Voor deze webwinkel gelden de termijnen van het register; hij koos geen kortere.",
        en="For this merchant the periods of the register hold; none was chosen shorter.",
    ),
    "own_intro": Words(
        nl="Voor deze webwinkel zijn kortere termijnen gekozen. Zij staan ook in de tabellen hieronder:",
        en="Shorter periods were chosen for this merchant. They stand in the tables below too:",
    ),
    "own_instead": Words(
        nl="Eigen keuze van deze webwinkel; het register zegt: {kept}",
        en="This merchant's own choice; the register says: {kept}",
    ),
    "what": Words(nl="Wat", en="What"),
    "how_long": Words(nl="Hoe lang", en="How long"),
    "deleted": Words(nl="Hoe het verdwijnt", en="How it goes"),
    "basis": Words(nl="Rol en grondslag", en="Role and legal basis"),
    "recipients": Words(nl="Wie het ontvangt", en="Who receives it"),
    "nobody": Words(nl="niemand", en="nobody"),
    "about": Words(nl="over {whom}", en="about {whom}"),
    "also_for": Words(nl="Ook voor: {purposes}", en="Also for: {purposes}"),
    "contract_end": Words(
        nl="Na het einde van het contract: binnen {length}", en="After the end of the contract: within {length}"
    ),
    "in_backups": Words(
        nl="In reservekopieën hoogstens {length} langer", en="In backups for at most {length} longer"
    ),
    "shorten": Words(nl="Een webwinkel mag korter kiezen", en="A merchant may choose shorter"),
    "shorten_to": Words(
        nl="Een webwinkel mag korter kiezen, tot {length}", en="A merchant may choose shorter, down to {length}"
    ),
    "fields": Words(nl="Veld voor veld", en="Field by field"),
    "fields_intro": Words(
        nl="Elke kolom, elk bestand en elke andere plek, onder de namen die zij in het systeem hebben. Een plek die"
        " hier niet staat, is een fout die onze controle tegenhoudt.",
        en="Every column, file and other place, by the names they have in the system. A place that is not here is a"
        " fault that our checks stop.",
    ),
    "category": Words(nl="Soort gegevens", en="Kind of data"),
    "places": Words(nl="Waar het staat", en="Where it stands"),
    "files": Words(nl="bestanden", en="files"),
    "changes": Words(nl="Wat er veranderde", en="What changed"),
    "first_version": Words(
        nl="Dit is de eerste versie: er is geen versie daarvoor.", en="This is the first version: there is none before."
    ),
    "changes_intro": Words(
        nl="Tegenover versie {before}: {count} verschillen, waarvan {worse} in het nadeel van degene over wie de"
        " gegevens gaan.",
        en="Against version {before}: {count} differences, {worse} of them to the disadvantage of those whom the data"
        " is about.",
    ),
    "no_changes": Words(
        nl="Tegenover versie {before} veranderde er niets aan wat wij bewaren of hoe lang.",
        en="Against version {before} nothing changed in what we keep or for how long.",
    ),
    "worse": Words(nl="nadelig", en="to your disadvantage"),
    "whole": Words(nl="Alles", en="Everything"),
    "change": Words(nl="Verandering", en="Change"),
    "cite": Words(nl="Deze versie aanhalen", en="Citing this version"),
    "cite_text": Words(
        nl="Berichten en verwerkersovereenkomsten verwijzen naar deze versie als hieronder. De cijfers erachter zijn de"
        " SHA-256 van het register: wie het bestand heeft, rekent ze na met sha256sum.",
        en="Notices and processing agreements cite this version as below. The digits are the SHA-256 of the register:"
        " whoever has the file can check them with sha256sum.",
    ),
}  # fmt: skip
#: What is not stored of a customer, item by item.
NOT_KEPT: tuple[Words, ...] = (
    Words(nl="naam en bedrijfsnaam", en="name and company name"),
    Words(nl="adres en woonplaats", en="address and town"),
    Words(nl="e-mailadres en telefoonnummer", en="e-mail address and telephone number"),
    Words(nl="bankrekening en betaalgegevens", en="bank account and payment details"),
    Words(nl="btw-nummer", en="VAT number"),
    Words(nl="wat iemand bestelde, en zijn opmerkingen", en="what somebody ordered, and his remarks"),
)
MONTHS: Mapping[str, tuple[str, ...]] = {
    "nl": ("januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober",
           "november", "december"),
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December"),
}  # fmt: skip
