"""The machine: devices, processes, memory, random streams, torchvision."""
