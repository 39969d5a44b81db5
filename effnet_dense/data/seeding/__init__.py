"""Random augmentation that depends only on the run's seed, the epoch and the sample."""

from effnet_dense.data.seeding.loader import sampler_of, seed_draws, set_loader_seed
from effnet_dense.data.seeding.seeded_index import SeededIndex, seed_generators

__all__ = ['SeededIndex', 'sampler_of', 'seed_draws', 'seed_generators', 'set_loader_seed']
