"""UBL 2.1 files (EN 16931) in a folder or object store, for packages and accountants that import them."""

from sluis.accounting.ubl.connector import CONNECTOR

__all__ = ["CONNECTOR"]
