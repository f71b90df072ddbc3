"""The short-lived, encrypted place where orders stand between two tasks of one run."""
