"""Carries out the register: plans, holds, deletes, proves, certifies."""
