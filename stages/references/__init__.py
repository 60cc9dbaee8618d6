"""Several pictures of one person: who is who, which are picked, where they come from, and what is carried from them."""
