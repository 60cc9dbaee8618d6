"""From a voice, and perhaps a photo, to what the layers of a talking person say: used by audio2face."""
