"""What joins videos: splits and balance."""
