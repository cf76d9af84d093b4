using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Agents;

/// <summary>POST alone: what a host backed up by itself while no node was reachable, and the question what it may do the next time.
/// </summary>
public sealed record AloneRequest
{
    /// <summary>The mark of the plan that this agent keeps; empty for none.</summary>
    public string Mark { get; init; } = "";
    /// <summary>Runs that ended and were not told yet, oldest first; at most <see cref="MostRuns"/>.</summary>
    public IReadOnlyList<AloneRun> Runs { get; init; } = [];
    /// <summary>The highest term that this agent was told; null where it keeps none.</summary>
    public TermMark? Term { get; init; }

    /// <summary>Most runs in one message; more are sent with the next.</summary>
    public const int MostRuns = 20;
}

/// <summary>A backup that a host made by itself.</summary>
public sealed record AloneRun
{
    /// <summary>Its id, given by the host. Told twice, it is taken once.</summary>
    public required RunId Id { get; init; }
    /// <summary>The policy.</summary>
    public required PolicyId Policy { get; init; }
    /// <summary>The item.</summary>
    public required ItemId Item { get; init; }
    /// <summary>The time by the policy's schedule.</summary>
    public required DateTimeOffset NominalAt { get; init; }
    /// <summary>The repository.</summary>
    public required RepositoryId Repository { get; init; }
    /// <summary>What was backed up, in the words of the plan: for a control plane that does not know the item.</summary>
    public required string Title { get; init; }
    /// <summary>Since when no node had answered.</summary>
    public required DateTimeOffset AloneSince { get; init; }
    /// <summary>When it began, by the host's clock.</summary>
    public required DateTimeOffset StartedAt { get; init; }
    /// <summary>When it ended, by the host's clock.</summary>
    public required DateTimeOffset EndedAt { get; init; }
    /// <summary>How often it was begun: more than once where the agent ended in its middle.</summary>
    public int Attempts { get; init; } = 1;
    /// <summary>What came of it.</summary>
    public required JobResult Result { get; init; }
    /// <summary>Its log, at most <see cref="AgentProtocol.MaximumEvents"/> lines.</summary>
    public IReadOnlyList<RunEventLine> Events { get; init; } = [];
}

/// <summary>The answer to alone.</summary>
public sealed record AloneAnswer
{
    /// <summary>The mark of what this host may do by itself now.</summary>
    public required string Mark { get; init; }
    /// <summary>The plan, where the agent's is another; null for no change.</summary>
    public AlonePlan? Plan { get; init; }
    /// <summary>For each item of the plan: up to which nominal time nodes have dealt with it. What they have not begun is not among it.
    /// </summary>
    public IReadOnlyList<AloneSettled> Settled { get; init; } = [];
    /// <summary>The runs of the request that were taken: the agent forgets them.</summary>
    public IReadOnlyList<RunId> Taken { get; init; } = [];
    /// <summary>Milliseconds until it asks again.</summary>
    public required int NextMs { get; init; }
    /// <summary>The control plane's term, for an agent that keeps one.</summary>
    public TermMark? Term { get; init; }
}

/// <summary>Up to which nominal time nodes have dealt with an item.</summary>
/// <param name="Item">The item.</param>
/// <param name="Until">Nominal times up to this one are nobody's business any more.</param>
public sealed record AloneSettled(ItemId Item, DateTimeOffset Until);

/// <summary>What a host may back up by itself while no node answers. Holds passwords and credentials in clear: sealed wherever it is
/// kept.</summary>
public sealed record AlonePlan
{
    /// <summary>For how long no node must have answered.</summary>
    public required TimeSpan After { get; init; }
    /// <summary>For how long after the last answer of a node it counts.</summary>
    public required TimeSpan Lasts { get; init; }
    /// <summary>What is backed up; none where hosts do nothing by themselves.</summary>
    public IReadOnlyList<AlonePart> Parts { get; init; } = [];
    /// <summary>The repositories of the parts.</summary>
    public IReadOnlyList<RepositoryAccess> Repositories { get; init; } = [];
    /// <summary>What is not in it and why, a sentence each; at most <see cref="MostLeftOut"/>.</summary>
    public IReadOnlyList<string> LeftOut { get; init; } = [];

    /// <summary>Most parts.</summary>
    public const int MostParts = 500;
    /// <summary>Most bytes of the plan as JSON.</summary>
    public const int MostBytes = 1 << 20;
    /// <summary>Most sentences about what is not in it.</summary>
    public const int MostLeftOut = 20;

    /// <summary>Shows no secret.</summary>
    public override string ToString() => $"{Parts.Count} parts";
}

/// <summary>An item that a host may back up by itself.</summary>
public sealed record AlonePart
{
    /// <summary>The item.</summary>
    public required ItemId Item { get; init; }
    /// <summary>Its policy.</summary>
    public required PolicyId Policy { get; init; }
    /// <summary>Its name.</summary>
    public required string Name { get; init; }
    /// <summary>When.</summary>
    public required ScheduleSpec Schedule { get; init; }
    /// <summary>What; the run adds its own tag.</summary>
    public required BackupJob Backup { get; init; }
    /// <summary>Where to: one of <see cref="AlonePlan.Repositories"/>.</summary>
    public required RepositoryId Repository { get; init; }
}

/// <summary>What a leased backup is a backup of.</summary>
/// <param name="Item">The item.</param>
/// <param name="NominalAt">The time by the policy's schedule; null where somebody asked for it.</param>
public sealed record LeasedItem(ItemId Item, DateTimeOffset? NominalAt);
