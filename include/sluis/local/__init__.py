"""A whole sluis on one machine: Airflow's settings, its processes, and a client to ask it things."""
