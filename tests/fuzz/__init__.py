"""`make fuzz`: examines damaged images within a function's memory and time. Only pictures and rejections are no findings."""
