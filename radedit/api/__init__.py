"""What a program calls, with objects instead of a command line; `radedit` itself hands its names on."""
