"""The stages of dreamactor: one file per verb, one folder per noun. Nothing is imported or done here."""
