"""The client of Imagewatch: the command `imagewatch` on a camera host, an EC2 instance or a laptop."""
