"""Number types that pages show in their own way: scores and differences."""


class Score(float):
    """A score of a detection or an image, shown with two decimals, as in drawings."""


class Difference(float):
    """A difference, shown with its sign."""
