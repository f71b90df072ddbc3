"""What is kept: psycopg 3 repositories over the schema ``sluis``, its migrations, and a PostgreSQL of our own."""
