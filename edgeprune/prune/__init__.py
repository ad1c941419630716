"""Deciding what to remove: criteria, groups' scores, plans and the budget solver; numpy only."""
