"""Where things are put together: settings, the command line, and (later) the web portal."""
