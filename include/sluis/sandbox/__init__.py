"""A shop and an accounting package that run on this machine, so that sluis can be tried without anybody's account.

They answer as the real ones were recorded (WooCommerce 10.0.2) or are specified (Moneybird v2), keep everything in
memory, and can be told to fail. No person in them exists; nothing here may ever meet real data.
"""
