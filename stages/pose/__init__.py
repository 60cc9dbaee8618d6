"""Body, hand and face tracks: backends behind one protocol, filtering, persons, camera."""
