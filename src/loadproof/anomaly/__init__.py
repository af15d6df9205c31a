"""Detectors, alerts, and the faults that they are judged on."""
