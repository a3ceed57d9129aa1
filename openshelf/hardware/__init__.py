"""What this machine is: processors, memory, GPUs, disks, each value with where it came from."""
