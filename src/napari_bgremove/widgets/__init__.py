"""Dock widgets: Qt only. They compose what the rooms below compute, and never import torch."""
