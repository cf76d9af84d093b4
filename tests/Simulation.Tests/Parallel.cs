// A world's steps are counted while it waits for a callback of another thread; worlds beside it keep that thread from running.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
