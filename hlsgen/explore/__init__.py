"""Design-space exploration: many plans of one network, predicted, compared, plotted, and compiled
on a farm."""
