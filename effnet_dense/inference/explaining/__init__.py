"""Class-activation maps: which pixels a detection, or a class of a label map, rests on."""
