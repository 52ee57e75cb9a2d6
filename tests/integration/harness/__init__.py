"""What the tests drive fetchd with: processes, wires, faults and clocks."""
