"""Somebody who does not exist, and whose name must be found where there is no wall and nowhere where there is one."""

PERSON = "Wilhelmina Kanarie-Zandvoort"
