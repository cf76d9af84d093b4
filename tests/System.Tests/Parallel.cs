// Most of the time they wait, for services, agents and databases: two at a time would leave a machine of two processors half idle.
[assembly: CollectionBehavior(MaxParallelThreads = 4)]
