"""Logs that aren't written as ours: files and lines -> the lines that the kernel reads.

A mapping says which column is what. It stands in front of the kernel (`block.read_block`) and
makes of each foreign record one of ours; whether that is an event is the kernel's to say.
"""
