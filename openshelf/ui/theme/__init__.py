"""Colors, fonts, icons."""
