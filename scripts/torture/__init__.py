"""Long runs that try to break the server and the engine: ``make torture``. The short forms are in the tests."""
