"""Plan a training: choose network, image size and schedule for a dataset, a machine, a budget."""
