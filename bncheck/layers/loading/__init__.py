"""From a name on the command line to the definitions in the user's file, whatever else is in that file."""
