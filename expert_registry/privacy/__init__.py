"""What nobody may see without need: sealed fields, masks by role, and what a person may ask for."""
