"""What becomes of a statement on its way to the stand-in, whose tables are views: pure, text in, text out."""
