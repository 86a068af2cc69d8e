"""What may identify a person in pictures: faces, and text that reads like a name, a date or an identifier."""
