"""Networks: creating them, their weights, classifiers, purifying and restoring."""
