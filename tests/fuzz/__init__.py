"""`make fuzz`: damaged images through validation, within a function's memory and time; all but a rejection is a finding."""
