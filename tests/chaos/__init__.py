"""`make chaos`: many images through a stack that throttles, crashes, repeats and reorders; then every promise is checked."""
