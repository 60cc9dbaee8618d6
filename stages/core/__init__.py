"""What every stage may use: errors, records, seeds, devices, geometry and the names of joints."""
