"""From homes to feeders: sums that say who reports, trees that add up, and pseudo-feeders held against real ones."""
