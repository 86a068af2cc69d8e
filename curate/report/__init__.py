"""What a person reads of a workspace: the funnel, missing videos, pictures of masks and findings."""
