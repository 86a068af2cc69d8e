"""From sampled frames and source videos to the pictures of an export."""
