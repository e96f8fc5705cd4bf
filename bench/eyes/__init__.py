"""How well and how fast the local Rekognition engine recognises things, on photos that were labelled by hand."""
