"""Moneybird (moneybird.com), API v2: external sales invoices. Limits and what was verified: the README beside this."""

from sluis.accounting.moneybird.connector import CONNECTOR

__all__ = ["CONNECTOR"]
