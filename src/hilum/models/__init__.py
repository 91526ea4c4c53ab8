"""Things with weights: loaded from files that cannot run code, run in batches whose size changes nothing."""
