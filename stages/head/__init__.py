"""The head: its rotation, centre and radius from face landmarks or body joints, and the sphere as it is drawn."""
