namespace BackupDr.Contracts.Rules.Runbooks;

/// <summary>What happened to an execution.</summary>
public enum ExecutionEventKind
{
    /// <summary>Time passed.</summary>
    TimePassed,
    /// <summary>An activity came to its end.</summary>
    Reported,
    /// <summary>A person said yes to an approval.</summary>
    Approved,
    /// <summary>A person said no.</summary>
    Refused,
    /// <summary>A person wants nothing further to be begun for now.</summary>
    PauseAsked,
    /// <summary>A person lets it go on.</summary>
    ResumeAsked,
    /// <summary>A person wants a step that failed to be tried again.</summary>
    RetryAsked,
    /// <summary>A person leaves out a step that failed.</summary>
    SkipAsked,
    /// <summary>A person did what a step should have done.</summary>
    ByHandSaid,
    /// <summary>A person wants it undone.</summary>
    RollBackAsked,
    /// <summary>A person wants it to stop; what is at work goes on to its end.</summary>
    StopAsked,
    /// <summary>A person says that the result counts.</summary>
    CommitAsked,
}

/// <summary>Something that happened to an execution. Stored one after the other, they are the execution: its state is what they make of
/// it.</summary>
public sealed record ExecutionEvent
{
    /// <summary>What happened.</summary>
    public required ExecutionEventKind Kind { get; init; }
    /// <summary>When, by the database's clock.</summary>
    public required DateTimeOffset At { get; init; }
    /// <summary>The step that it is about; null where it is about all.</summary>
    public string? Step { get; init; }
    /// <summary>Of a report: the attempt, so that a late one of an earlier attempt changes nothing.</summary>
    public int Attempt { get; init; }
    /// <summary>Of a report: what came of it.</summary>
    public ActivityOutcome Outcome { get; init; }
    /// <summary>Who it was, of a person.</summary>
    public string? By { get; init; }
    /// <summary>The second person, where one is needed.</summary>
    public string? Second { get; init; }
    /// <summary>Why, or what was seen.</summary>
    public string? Text { get; init; }
    /// <summary>Of a report: what it found out.</summary>
    public IReadOnlyDictionary<string, string>? Outputs { get; init; }
}

/// <summary>What is to be done outside.</summary>
public enum EffectKind
{
    /// <summary>An activity is to be carried out.</summary>
    Begin,
    /// <summary>An activity whose result counts for nothing any more is to be ended, if it still can be.</summary>
    Cancel,
    /// <summary>People are to be told.</summary>
    Tell,
}

/// <summary>Something to be done outside. Doing it twice must be the same as once: <see cref="Step"/> and <see cref="Attempt"/> name it.
/// </summary>
public sealed record Effect
{
    /// <summary>What.</summary>
    public required EffectKind Kind { get; init; }
    /// <summary>The step; null where it is about all.</summary>
    public string? Step { get; init; }
    /// <summary>What is to be carried out.</summary>
    public StepActivity? Activity { get; init; }
    /// <summary>The attempt.</summary>
    public int Attempt { get; init; }
    /// <summary>When its time ends.</summary>
    public DateTimeOffset? Until { get; init; }
    /// <summary>What people are told.</summary>
    public string? Text { get; init; }
}

/// <summary>What an event makes of an execution.</summary>
/// <param name="Execution">As it is now.</param>
/// <param name="Effects">What is to be done outside, in this order.</param>
public sealed record Decided(Execution Execution, IReadOnlyList<Effect> Effects);
