"""Stress tests of trained models: common corruptions and adversarial images."""
