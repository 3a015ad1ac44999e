"""Reports after a run, beside the results of the tests."""
