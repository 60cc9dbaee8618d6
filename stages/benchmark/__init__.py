"""Methods measured on a fixed suite of synthetic people: the cases, the films of each method, the numbers of all."""
