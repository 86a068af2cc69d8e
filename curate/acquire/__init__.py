"""Getting videos: yt-dlp, the pace, the reasons of refusals, and the check of what arrived."""
