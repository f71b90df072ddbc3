"""VAT rates since 2021 of regions with rates of their own, of Northern Ireland, and of near countries outside the EU.

Data only; ``rates`` reads it, ``rates_eu`` says what a row is. A region's rows are all its rates, not only those that
differ. Its key is the ISO 3166-2 code, or one of ours where there is none: ``AT-JM`` Jungholz and Mittelberg, ``GR-IS``
the five islands with lower rates. The Canary Islands (IC) have a tax of their own (IGIC), the French departments
overseas rates of their own; both are outside the EU's VAT territory. Büsingen, Helgoland, Livigno, Campione, Mount
Athos, French Guiana and Mayotte have no VAT; Åland has the Finnish rates; Ceuta and Melilla a tax on goods (IPSI).
"""

from __future__ import annotations

from sluis.core.rates_eu import Row

ROWS: tuple[Row, ...] = (
    # ---- regions inside the EU's VAT territory (VAT directive art. 104, 105, 120)
    ("AT-JM", "19", "standard", "1984-01-01", "", "UStG 1994 § 10(4)"),
    ("AT-JM", "13", "reduced", "2016-01-01", "", "UStG 1994 § 10(3)"),
    ("AT-JM", "10", "reduced", "1984-01-01", "", "UStG 1994 § 10(2)"),
    ("AT-JM", "5", "temporary", "2020-07-01", "2021-12-31", "UStG 1994 § 28(52)"),
    ("AT-JM", "4.9", "super-reduced", "2026-07-01", "", "UStG 1994 § 10: basic foods"),
    ("AT-JM", "0", "zero", "2024-01-01", "2025-03-31", "UStG 1994 § 28(62)"),
    ("AT-JM", "0", "zero", "2026-01-01", "", "UStG 1994: hygiene products, contraceptives"),
    ("FR-20R", "20", "standard", "2014-01-01", "", "CGI art. 278"),
    ("FR-20R", "13", "reduced", "2014-01-01", "", "CGI art. 297(I)(5): petroleum products"),
    ("FR-20R", "10", "reduced", "2014-01-01", "", "CGI art. 297(I)"),
    ("FR-20R", "5.5", "reduced", "2013-01-01", "", "CGI art. 278-0 bis"),
    ("FR-20R", "2.1", "super-reduced", "1989-01-01", "", "CGI art. 297(I)"),
    ("FR-20R", "0.9", "super-reduced", "1989-01-01", "", "CGI art. 297(I)(1)"),
    ("GR-IS", "17", "standard", "2016-06-01", "", "VAT Code art. 21(4), now 26: 30 % below the mainland"),
    ("GR-IS", "9", "reduced", "2016-06-01", "", "VAT Code art. 21(4), now 26"),
    ("GR-IS", "4", "reduced", "2016-06-01", "", "VAT Code art. 21(4), now 26"),
    ("PT-20", "18", "standard", "2015-07-01", "2021-06-30", "CIVA art. 18(3)(a); DLR 15-A/2021/A (Azores)"),
    ("PT-20", "16", "standard", "2021-07-01", "", "CIVA art. 18(3)(a); DLR 15-A/2021/A (Azores)"),
    ("PT-20", "9", "reduced", "2015-07-01", "", "CIVA art. 18(3)(a) (Azores)"),
    ("PT-20", "4", "reduced", "2015-07-01", "", "CIVA art. 18(3)(a) (Azores)"),
    ("PT-30", "22", "standard", "2012-04-01", "", "CIVA art. 18(3)(b) (Madeira)"),
    ("PT-30", "12", "reduced", "2012-04-01", "", "CIVA art. 18(3)(b) (Madeira)"),
    ("PT-30", "5", "reduced", "2012-04-01", "2024-09-30", "CIVA art. 18(3)(b) (Madeira)"),
    ("PT-30", "4", "reduced", "2024-10-01", "", "CIVA art. 18(3)(b); DLR 6/2024/M (Madeira)"),
    # ---- special territories outside it, for their own taxes
    ("GP", "8.5", "standard", "1995-01-01", "", "CGI art. 296"),
    ("GP", "2.1", "reduced", "1995-01-01", "", "CGI art. 296"),
    ("GP", "1.75", "super-reduced", "1995-01-01", "", "CGI ann. I art. 40"),
    ("GP", "1.05", "super-reduced", "1995-01-01", "", "CGI ann. I art. 40"),
    ("MQ", "8.5", "standard", "1995-01-01", "", "CGI art. 296"),
    ("MQ", "2.1", "reduced", "1995-01-01", "", "CGI art. 296"),
    ("MQ", "1.75", "super-reduced", "1995-01-01", "", "CGI ann. I art. 40"),
    ("MQ", "1.05", "super-reduced", "1995-01-01", "", "CGI ann. I art. 40"),
    ("RE", "8.5", "standard", "1995-01-01", "", "CGI art. 296"),
    ("RE", "2.1", "reduced", "1995-01-01", "", "CGI art. 296"),
    ("RE", "1.75", "super-reduced", "1995-01-01", "", "CGI ann. I art. 40"),
    ("RE", "1.05", "super-reduced", "1995-01-01", "", "CGI ann. I art. 40"),
    ("IC", "7", "standard", "2020-01-01", "", "Ley 4/2012 (Canarias) art. 51: IGIC, no VAT"),
    ("IC", "3", "reduced", "2012-07-01", "", "Ley 4/2012 (Canarias) art. 54: IGIC"),
    ("IC", "0", "zero", "2012-07-01", "", "Ley 4/2012 (Canarias) art. 52: IGIC"),
    ("IC", "9.5", "increased", "2012-07-01", "", "Ley 4/2012 (Canarias) art. 55: IGIC"),
    ("IC", "15", "increased", "2020-01-01", "", "Ley 4/2012 (Canarias) art. 56: IGIC"),
    ("IC", "20", "increased", "2012-07-01", "", "Ley 4/2012 (Canarias) art. 61: IGIC on tobacco"),
    # ---- the United Kingdom; Northern Ireland has the same rates
    ("GB", "20", "standard", "2011-01-04", "", "VATA 1994 s. 2(1)"),
    ("GB", "12.5", "temporary", "2021-10-01", "2022-03-31", "SI 2021/197: hospitality"),
    ("GB", "5", "reduced", "1997-09-01", "", "VATA 1994 s. 29A, sch. 7A"),
    ("GB", "0", "zero", "1973-04-01", "", "VATA 1994 s. 30, sch. 8: most food, books, children's clothes"),
    ("XI", "20", "standard", "2011-01-04", "", "VATA 1994 s. 2(1)"),
    ("XI", "12.5", "temporary", "2021-10-01", "2022-03-31", "SI 2021/197: hospitality"),
    ("XI", "5", "reduced", "1997-09-01", "", "VATA 1994 s. 29A, sch. 7A"),
    ("XI", "0", "zero", "1973-04-01", "", "VATA 1994 s. 30, sch. 8: most food, books, children's clothes"),
    # ---- Switzerland (Liechtenstein has its rates) and Norway
    ("CH", "7.7", "standard", "2018-01-01", "2023-12-31", "MWSTG art. 25(1)"),
    ("CH", "3.7", "reduced", "2018-01-01", "2023-12-31", "MWSTG art. 25(4): accommodation"),
    ("CH", "2.5", "reduced", "2011-01-01", "2023-12-31", "MWSTG art. 25(2)"),
    ("CH", "8.1", "standard", "2024-01-01", "", "MWSTG art. 25(1)"),
    ("CH", "3.8", "reduced", "2024-01-01", "", "MWSTG art. 25(4): accommodation"),
    ("CH", "2.6", "reduced", "2024-01-01", "", "MWSTG art. 25(2)"),
    ("LI", "7.7", "standard", "2018-01-01", "2023-12-31", "MWSTG (Liechtenstein) art. 25"),
    ("LI", "3.7", "reduced", "2018-01-01", "2023-12-31", "MWSTG (Liechtenstein) art. 25"),
    ("LI", "2.5", "reduced", "2011-01-01", "2023-12-31", "MWSTG (Liechtenstein) art. 25"),
    ("LI", "8.1", "standard", "2024-01-01", "", "MWSTG (Liechtenstein) art. 25"),
    ("LI", "3.8", "reduced", "2024-01-01", "", "MWSTG (Liechtenstein) art. 25"),
    ("LI", "2.6", "reduced", "2024-01-01", "", "MWSTG (Liechtenstein) art. 25"),
    ("NO", "25", "standard", "2005-01-01", "", "Merverdiavgiftsloven § 5-1; Storting's yearly resolution § 2"),
    ("NO", "15", "reduced", "2012-01-01", "", "Storting's yearly resolution § 3: food"),
    ("NO", "12", "reduced", "2018-01-01", "", "Storting's yearly resolution § 4"),
    ("NO", "11.11", "reduced", "2007-01-01", "", "Storting's yearly resolution § 5: raw fish"),
    ("NO", "6", "temporary", "2020-04-01", "2021-09-30", "Storting's resolution of 2020: transport, culture"),
    ("NO", "0", "zero", "2001-07-01", "", "Merverdiavgiftsloven ch. 6: books, newspapers"),
)
