"""How good a separation is: metrics, the real test set, tuned baselines, the report card."""
