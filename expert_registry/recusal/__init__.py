"""Who may not sit, why, and what shows it."""
