"""`make chaos`: sends many images through throttles, crashes, duplicates and reordered events, and checks all promises."""
