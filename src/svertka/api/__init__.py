"""The verbs as functions: what the command line, the Python surface and the keras facade call. One file a verb."""
