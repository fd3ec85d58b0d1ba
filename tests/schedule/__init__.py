"""Plans, the model and its calibration."""
