"""Reading exports back."""
