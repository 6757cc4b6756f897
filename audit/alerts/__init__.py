"""Alerts: opened by detectors, once for each thing that is going on; handled by people in the console."""
