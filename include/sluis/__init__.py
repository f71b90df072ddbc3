"""sluis: orders pass from webshops into accounting packages; nothing stays behind that the register does not name."""

__version__ = "0.1.0"
