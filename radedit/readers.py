"""The former name of `radedit.reader_study`."""

raise SystemExit("error: radedit.readers is now called radedit.reader_study; its arguments are the same.")
