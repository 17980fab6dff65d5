"""The outputs for readers: pictures, the page and the console. Only this package draws."""
