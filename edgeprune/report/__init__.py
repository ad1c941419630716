"""What people read of a build: `report.json` and `report.html`. It takes plain values and knows nobody."""
