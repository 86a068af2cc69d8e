"""Training of the frame classifier: data, compositions, fitting, evaluation; not needed at run time."""
