"""What every command does with its configuration: compose, check, find and train what is needed."""
