"""Readers and writers: detector images, masks, patch sets and results."""
