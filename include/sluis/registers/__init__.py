"""Public registers that bookkeeping rests on: VAT numbers (VIES) and exchange rates (the European Central Bank).

Each stands behind a port and may be away: then it says so, and the integration's settings decide what happens.
"""
