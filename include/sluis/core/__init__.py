"""The pure core: money, orders, invoices, VAT and bookings. No Airflow, SQL, HTTP, pandas, clock or randomness."""
