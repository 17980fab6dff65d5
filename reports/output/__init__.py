"""What a reader opens: pictures, the page and the console. Only this folder knows how to draw."""
