"""The road from a bureau's file to shared Parquet: intake, standardise, validate, publish."""
