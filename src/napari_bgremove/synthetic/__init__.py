"""Seeded, physics-faithful generators: sample data, tests, and the training of the bundled model."""
