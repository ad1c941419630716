"""Ways to reach a budget, one file each behind one Protocol; the loop, and the choice between them."""
