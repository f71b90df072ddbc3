"""What Airflow needs to import by name: retry policy, XCom backend, schedule, texts. No business rule lives here."""
