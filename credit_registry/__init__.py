"""The credit register: what both bureaus published on an enterprise, what of it counts across the border, and why."""
