"""Collections of faces and users, as Rekognition keeps them. They exist in memory, until the server stops."""
