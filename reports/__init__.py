"""From a summary to charts, pictures and pages."""
