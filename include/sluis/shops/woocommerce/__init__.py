"""WooCommerce (REST API v3): orders and refunds, read only."""

from sluis.shops.woocommerce.connector import CONNECTOR

__all__ = ["CONNECTOR"]
