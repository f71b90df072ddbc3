"""Anonymous figures on revenue and VAT: disclosure control, the attacker who tests it, and releases."""
