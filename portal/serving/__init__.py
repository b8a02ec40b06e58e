"""Running the portal: what is looked at before it starts, what it writes into its log, how it is watched."""
