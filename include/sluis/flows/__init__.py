"""The use-cases that DAGs and the command line call: ports in, counts and cents out. No Airflow, no SQL, no HTTP."""
