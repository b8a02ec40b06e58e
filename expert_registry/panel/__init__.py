"""What follows a draw: invitations, appraisals, fees, proposals to remove, minutes and the archive."""
